-- The first schema: jobs and pictures, the ledger, quotas, and what a server's owner sets.
-- Ids are Discord's; times are Unix seconds; credits are integers in thousandths.

CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- Turns a forgotten user's id into a pseudonym, so that forgetting doesn't refill a quota.
INSERT INTO secrets (name, value) VALUES ('pseudonym', randomblob(32));

CREATE TABLE jobs (
    -- AUTOINCREMENT: an id is never used twice, for buttons and the ledger outlive the row.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    status TEXT NOT NULL
        CHECK (status IN ('queued', 'running', 'stored', 'delivered', 'failed', 'cancelled')),
    kind TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    guild_id INTEGER NOT NULL,
    channel_id INTEGER NOT NULL,
    application_id INTEGER NOT NULL,
    interaction_id INTEGER NOT NULL,
    interaction_token TEXT NOT NULL,
    interaction_at REAL NOT NULL,
    message_id INTEGER NOT NULL,
    is_private INTEGER NOT NULL CHECK (is_private IN (0, 1)),
    is_user_install INTEGER NOT NULL CHECK (is_user_install IN (0, 1)),
    request_json TEXT NOT NULL,
    prompt TEXT NOT NULL,
    num_pictures INTEGER NOT NULL CHECK (num_pictures > 0),
    num_pixels INTEGER NOT NULL CHECK (num_pixels >= 0),
    -- Text: a seed may be any unsigned 64-bit number, which SQLite's integers can't hold.
    seed TEXT NOT NULL,
    model TEXT NOT NULL,
    model_fingerprint TEXT NOT NULL,
    cost INTEGER NOT NULL CHECK (cost >= 0),
    parent_picture_id INTEGER REFERENCES pictures (id) ON DELETE SET NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    num_told_attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    delivery_error TEXT NOT NULL DEFAULT '',
    accepted_at REAL NOT NULL,
    started_at REAL,
    stored_at REAL,
    ended_at REAL,
    told_at REAL,
    gave_up_at REAL
) STRICT;

CREATE INDEX jobs_unfinished ON jobs (user_id, guild_id) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_untold ON jobs (id)
    WHERE status IN ('stored', 'failed', 'cancelled') AND told_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX jobs_by_user ON jobs (user_id, guild_id, id);
CREATE INDEX jobs_by_message ON jobs (message_id) WHERE message_id != 0;
CREATE INDEX jobs_by_parent ON jobs (parent_picture_id) WHERE parent_picture_id IS NOT NULL;
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_with_token ON jobs (interaction_at) WHERE interaction_token != '';

CREATE TABLE job_inputs (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    PRIMARY KEY (job_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_inputs_by_file ON job_inputs (sha256);

CREATE TABLE pictures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    seed TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    num_bytes INTEGER NOT NULL,
    parameters_json TEXT NOT NULL,
    created_at REAL NOT NULL,
    is_favourite INTEGER NOT NULL DEFAULT 0 CHECK (is_favourite IN (0, 1)),
    -- The row of a deleted picture stays, for its lineage; its file does not.
    deleted_at REAL,
    UNIQUE (job_id, position)
) STRICT;

CREATE INDEX pictures_by_file ON pictures (sha256) WHERE deleted_at IS NULL;
CREATE INDEX pictures_by_age ON pictures (created_at)
    WHERE deleted_at IS NULL AND is_favourite = 0;

-- Append-only. Per job: hold = settle + release once it has ended; before that, what is not yet
-- settled or released is held. No reference to jobs: the ledger outlives them.
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('hold', 'settle', 'release', 'grant', 'reset')),
    job_id INTEGER,
    guild_id INTEGER NOT NULL,
    -- Below 0: the pseudonym of a forgotten user; 0: nobody any more; -1 in a reset: everybody.
    user_id INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    -- The part of the amount that grants pay for, which no window counts.
    granted INTEGER NOT NULL DEFAULT 0 CHECK (granted BETWEEN 0 AND amount),
    -- The role whose rule allowed the hold; 0: the user's own rule or the default.
    role_id INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL,
    -- The moment of the job's hold: a release counts in the window in which its hold counted.
    counts_at REAL NOT NULL,
    expires_at REAL,
    reason TEXT NOT NULL DEFAULT '',
    by_user_id INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job_id, kind),
    CHECK ((job_id IS NULL) = (kind IN ('grant', 'reset')))
) STRICT;

CREATE INDEX ledger_usage ON ledger (guild_id, user_id, counts_at, kind, amount, granted)
    WHERE kind IN ('hold', 'release');
CREATE INDEX ledger_by_time ON ledger (guild_id, counts_at, kind, amount)
    WHERE kind IN ('hold', 'release');
CREATE INDEX ledger_grants ON ledger (guild_id, user_id) WHERE kind = 'grant';
CREATE INDEX ledger_resets ON ledger (guild_id, user_id, at) WHERE kind = 'reset';
CREATE INDEX ledger_by_user ON ledger (user_id, at);

CREATE TRIGGER ledger_is_never_deleted BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

-- Making an entry anonymous is the only change: a smaller user id, never above 0, and no words.
CREATE TRIGGER ledger_is_only_made_anonymous BEFORE UPDATE ON ledger
WHEN NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.job_id IS NOT OLD.job_id
    OR NEW.guild_id IS NOT OLD.guild_id OR NEW.amount IS NOT OLD.amount
    OR NEW.granted IS NOT OLD.granted OR NEW.role_id IS NOT OLD.role_id
    OR NEW.at IS NOT OLD.at OR NEW.counts_at IS NOT OLD.counts_at
    OR NEW.expires_at IS NOT OLD.expires_at
    OR (NEW.user_id IS NOT OLD.user_id AND NEW.user_id > 0)
    OR (NEW.by_user_id IS NOT OLD.by_user_id AND NEW.by_user_id > 0)
    OR (NEW.reason IS NOT OLD.reason AND NEW.reason != '')
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER ledger_conserves BEFORE INSERT ON ledger
WHEN NEW.kind IN ('settle', 'release')
BEGIN
    SELECT RAISE(ABORT, 'more settled or released than was held')
    WHERE NEW.amount > coalesce(
        (SELECT sum(CASE kind WHEN 'hold' THEN amount ELSE -amount END)
         FROM ledger WHERE job_id = NEW.job_id),
        -1
    );
END;

-- What a server used, in quarters of an hour, so that its budget needn't add up a month of rows.
CREATE TABLE guild_usage (
    guild_id INTEGER NOT NULL,
    quarter INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    num_jobs INTEGER NOT NULL,
    PRIMARY KEY (guild_id, quarter)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER ledger_is_tallied AFTER INSERT ON ledger
WHEN NEW.kind IN ('hold', 'release')
BEGIN
    INSERT INTO guild_usage (guild_id, quarter, amount, num_jobs)
    VALUES (
        NEW.guild_id,
        CAST(NEW.counts_at / 900 AS INTEGER),
        CASE NEW.kind WHEN 'hold' THEN NEW.amount ELSE 0 END,
        CASE NEW.kind WHEN 'hold' THEN 1 ELSE 0 END
    )
    ON CONFLICT (guild_id, quarter) DO UPDATE SET
        amount = amount + CASE NEW.kind WHEN 'hold' THEN NEW.amount ELSE -NEW.amount END,
        num_jobs = num_jobs + CASE NEW.kind WHEN 'hold' THEN 1 ELSE 0 END;
END;

-- Which grant paid for which job; a return gives a failed or cancelled job's part back.
CREATE TABLE grant_draws (
    grant_id INTEGER NOT NULL REFERENCES ledger (id),
    job_id INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('draw', 'return')),
    amount INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (grant_id, job_id, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX grant_draws_by_job ON grant_draws (job_id);

CREATE TRIGGER grant_draws_are_never_deleted BEFORE DELETE ON grant_draws
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER grant_draws_are_never_changed BEFORE UPDATE ON grant_draws
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TABLE quota_rules (
    guild_id INTEGER NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('default', 'role', 'user', 'budget')),
    -- The role's or user's id; 0 for the default and the budget.
    subject_id INTEGER NOT NULL,
    -- Without a window the rule says nothing of credits; with one, no amount means unlimited.
    window TEXT CHECK (window IN ('hour', 'day', 'week', 'month', 'rolling')),
    rolling_s REAL NOT NULL DEFAULT 0 CHECK (rolling_s >= 0),
    amount INTEGER CHECK (amount >= 0),
    max_unfinished INTEGER CHECK (max_unfinished >= 0),
    max_pixels INTEGER CHECK (max_pixels >= 0),
    max_pictures INTEGER CHECK (max_pictures >= 0),
    PRIMARY KEY (guild_id, scope, subject_id),
    CHECK ((scope IN ('default', 'budget')) = (subject_id = 0)),
    CHECK (amount IS NULL OR window IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE TABLE guild_settings (
    guild_id INTEGER PRIMARY KEY,
    time_zone TEXT NOT NULL,
    is_paused INTEGER NOT NULL CHECK (is_paused IN (0, 1)),
    pause_message TEXT NOT NULL,
    nsfw_policy TEXT NOT NULL CHECK (nsfw_policy IN ('refuse', 'spoiler', 'age_restricted')),
    settles_cancelled INTEGER NOT NULL CHECK (settles_cancelled IN (0, 1)),
    settles_blocked INTEGER NOT NULL CHECK (settles_blocked IN (0, 1)),
    pictures_days REAL CHECK (pictures_days > 0)
) STRICT;

-- Where and by whom may be painted (model ''), and with which model.
CREATE TABLE permissions (
    guild_id INTEGER NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN ('channel', 'role')),
    subject_id INTEGER NOT NULL,
    model TEXT NOT NULL,
    is_allowed INTEGER NOT NULL CHECK (is_allowed IN (0, 1)),
    PRIMARY KEY (guild_id, subject, subject_id, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE bans (
    guild_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    reason TEXT NOT NULL,
    by_user_id INTEGER NOT NULL,
    at REAL NOT NULL,
    until REAL,
    PRIMARY KEY (guild_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocklist (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    is_regex INTEGER NOT NULL CHECK (is_regex IN (0, 1)),
    by_user_id INTEGER NOT NULL,
    at REAL NOT NULL,
    UNIQUE (guild_id, pattern, is_regex)
) STRICT;

-- What a safety checker blocked: the picture's hash, never the picture.
CREATE TABLE blocked_pictures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    checker TEXT NOT NULL,
    verdict TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;

CREATE INDEX blocked_pictures_by_guild ON blocked_pictures (guild_id, id);
CREATE INDEX blocked_pictures_by_user ON blocked_pictures (user_id);

CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    at REAL NOT NULL,
    actor_id INTEGER NOT NULL,
    action TEXT NOT NULL,
    -- Whom or what the change was about: 'user', 'role', 'channel', 'guild', ... and its id.
    subject TEXT NOT NULL,
    subject_id INTEGER NOT NULL,
    before_json TEXT NOT NULL,
    after_json TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE INDEX audit_log_by_guild ON audit_log (guild_id, id);
CREATE INDEX audit_log_by_actor ON audit_log (actor_id);
CREATE INDEX audit_log_by_subject ON audit_log (subject, subject_id);

CREATE TRIGGER audit_log_is_never_deleted BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_log_is_only_made_anonymous BEFORE UPDATE ON audit_log
WHEN NEW.id IS NOT OLD.id OR NEW.guild_id IS NOT OLD.guild_id OR NEW.at IS NOT OLD.at
    OR NEW.action IS NOT OLD.action OR NEW.subject IS NOT OLD.subject
    OR (NEW.actor_id IS NOT OLD.actor_id AND NEW.actor_id > 0)
    OR (NEW.subject_id IS NOT OLD.subject_id AND NEW.subject_id > 0)
    OR (NEW.before_json IS NOT OLD.before_json AND NEW.before_json != '')
    OR (NEW.after_json IS NOT OLD.after_json AND NEW.after_json != '')
    OR (NEW.reason IS NOT OLD.reason AND NEW.reason != '')
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
