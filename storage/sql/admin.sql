-- name: settings
-- What one server's owner set.
SELECT * FROM guild_settings WHERE guild_id = :guild_id;

-- name: put_settings
-- Sets all of them, in place of the older ones.
INSERT OR REPLACE INTO guild_settings (
    guild_id, time_zone, is_paused, pause_message, nsfw_policy, settles_cancelled,
    settles_blocked, pictures_days, blocks_shipped_words
)
VALUES (
    :guild_id, :time_zone, :is_paused, :pause_message, :nsfw_policy, :settles_cancelled,
    :settles_blocked, :pictures_days, :blocks_shipped_words
);

-- name: permissions
-- Where, by whom and with which model may be painted in one server.
SELECT * FROM permissions WHERE guild_id = :guild_id ORDER BY subject, subject_id, model;

-- name: permission
-- One of them.
SELECT * FROM permissions
WHERE guild_id = :guild_id AND subject = :subject AND subject_id = :subject_id AND model = :model;

-- name: put_permission
-- Allows or denies, in place of an older word.
INSERT OR REPLACE INTO permissions (guild_id, subject, subject_id, model, is_allowed)
VALUES (:guild_id, :subject, :subject_id, :model, :is_allowed);

-- name: drop_permission
-- Says nothing of it any more.
DELETE FROM permissions
WHERE guild_id = :guild_id AND subject = :subject AND subject_id = :subject_id AND model = :model;

-- name: bans
-- A server's bans that still hold, the newest first.
SELECT * FROM bans
WHERE guild_id = :guild_id AND (until IS NULL OR until > :now)
ORDER BY at DESC;

-- name: ban_of
-- A member's ban that still holds.
SELECT * FROM bans
WHERE guild_id = :guild_id AND user_id IN (:user_id, :pseudonym)
    AND (until IS NULL OR until > :now)
ORDER BY until IS NULL DESC, until DESC
LIMIT 1;

-- name: put_ban
-- Bans a member.
INSERT OR REPLACE INTO bans (guild_id, user_id, reason, by_user_id, at, until)
VALUES (:guild_id, :user_id, :reason, :by_user_id, :now, :until);

-- name: drop_ban
-- Takes a ban away.
DELETE FROM bans WHERE guild_id = :guild_id AND user_id IN (:user_id, :pseudonym);

-- name: blocklist
-- What prompts may not contain in one server.
SELECT * FROM blocklist WHERE guild_id = :guild_id ORDER BY id;

-- name: find_blocks
-- Entries as they are shown (number, then pattern) that hold a text, the newest first.
SELECT * FROM (
    SELECT *, '#' || id || ' ' || CASE WHEN is_regex THEN '/' || pattern || '/' ELSE pattern END
        AS shown
    FROM blocklist WHERE guild_id = :guild_id
)
WHERE instr(lower(shown), lower(:wanted)) OR instr(shown, :wanted)
ORDER BY id DESC LIMIT :limit;

-- name: insert_block
-- Adds an entry, unless it is there.
INSERT OR IGNORE INTO blocklist (guild_id, pattern, is_regex, by_user_id, at)
VALUES (:guild_id, :pattern, :is_regex, :by_user_id, :now);

-- name: block
-- One entry.
SELECT * FROM blocklist WHERE guild_id = :guild_id AND id = :id;

-- name: drop_block
-- Takes an entry away.
DELETE FROM blocklist WHERE guild_id = :guild_id AND id = :id;

-- name: insert_blocked
-- A safety checker blocked a picture.
INSERT INTO blocked_pictures (guild_id, user_id, job_id, sha256, checker, verdict, at)
VALUES (:guild_id, :user_id, :job_id, :sha256, :checker, :verdict, :now);

-- name: blocked
-- What was blocked in one server, the newest first.
SELECT * FROM blocked_pictures
WHERE guild_id = :guild_id AND id < :before_id
ORDER BY id DESC
LIMIT :limit;

-- name: insert_audit
-- Who changed what, and how it was before.
INSERT INTO audit_log (
    guild_id, at, actor_id, action, subject, subject_id, before_json, after_json, reason
)
VALUES (
    :guild_id, :at, :actor_id, :action, :subject, :subject_id, :before_json, :after_json, :reason
);

-- name: audit
-- One server's changes, the newest first; of one kind, if the action's beginning is given.
SELECT * FROM audit_log
WHERE guild_id = :guild_id AND id < :before_id
    AND substr(action, 1, length(:prefix)) = :prefix
ORDER BY id DESC
LIMIT :limit;

-- name: audit_after
-- The same the other way: what came after a line, the oldest first.
SELECT * FROM audit_log
WHERE guild_id = :guild_id AND id > :after_id
    AND substr(action, 1, length(:prefix)) = :prefix
ORDER BY id
LIMIT :limit;
