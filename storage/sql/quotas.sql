-- name: rules_of_member
-- Every rule that concerns one member.
SELECT * FROM quota_rules
WHERE guild_id = :guild_id AND (
    scope IN ('default', 'budget')
    OR (scope = 'user' AND subject_id IN (:user_id, :pseudonym))
    OR (scope = 'role' AND subject_id IN (SELECT value FROM json_each(:role_ids)))
)
ORDER BY subject_id;

-- name: rules_of_guild
-- Every rule of one server.
SELECT * FROM quota_rules WHERE guild_id = :guild_id ORDER BY scope, subject_id;

-- name: rule
-- One rule.
SELECT * FROM quota_rules
WHERE guild_id = :guild_id AND scope = :scope AND subject_id = :subject_id;

-- name: put_rule
-- Sets a rule, in place of an older one.
INSERT OR REPLACE INTO quota_rules (
    guild_id, scope, subject_id, window, rolling_s, amount, max_unfinished, max_pixels, max_pictures
)
VALUES (
    :guild_id, :scope, :subject_id, :window, :rolling_s, :amount, :max_unfinished, :max_pixels,
    :max_pictures
);

-- name: drop_rule
-- Takes a rule away.
DELETE FROM quota_rules
WHERE guild_id = :guild_id AND scope = :scope AND subject_id = :subject_id;

-- name: zone
-- The time zone in which a server's days begin.
SELECT time_zone FROM guild_settings WHERE guild_id = :guild_id;

-- name: last_reset
-- When a member's use was last set back to nothing, alone or with everybody's.
SELECT max(at) AS at FROM ledger
WHERE kind = 'reset' AND guild_id = :guild_id AND user_id IN (:user_id, :pseudonym, -1)
    AND at <= :now;

-- name: spent_sum
-- What a member used between two moments, as one line.
SELECT
    max(counts_at) AS at,
    coalesce(sum(CASE kind WHEN 'hold' THEN amount - granted ELSE granted - amount END), 0)
        AS amount
FROM ledger INDEXED BY ledger_usage
WHERE kind IN ('hold', 'release') AND guild_id = :guild_id
    AND user_id IN (:user_id, :pseudonym)
    AND counts_at >= :start AND counts_at <= :end AND counts_at > :reset_at;

-- name: spent_lines
-- The same, moment by moment: a rolling window must know when each leaves it.
SELECT
    counts_at AS at,
    sum(CASE kind WHEN 'hold' THEN amount - granted ELSE granted - amount END) AS amount
FROM ledger INDEXED BY ledger_usage
WHERE kind IN ('hold', 'release') AND guild_id = :guild_id
    AND user_id IN (:user_id, :pseudonym)
    AND counts_at >= :start AND counts_at <= :end AND counts_at > :reset_at
GROUP BY counts_at;

-- name: guild_spent_sum
-- What a server used between two moments, as one line; see `guild_spent_lines`.
SELECT :start AS at, (
    SELECT coalesce(sum(CASE kind WHEN 'hold' THEN amount ELSE -amount END), 0)
    FROM ledger INDEXED BY ledger_by_time
    WHERE kind IN ('hold', 'release') AND guild_id = :guild_id
        AND counts_at >= :start AND counts_at < :broken_end
) + (
    SELECT coalesce(sum(amount), 0)
    FROM guild_usage
    WHERE guild_id = :guild_id AND quarter > CAST(:start / 900 AS INTEGER)
        AND quarter * 900 < :end
) AS amount;

-- name: guild_spent_lines
-- What a server used between two moments: the first, broken quarter of an hour line by line, the
-- others from their tallies, as if each were spent in its last millisecond. (`:broken_end` is one
-- bound, for of two upper ones SQLite seeks by the first and reads a whole month.)
SELECT counts_at AS at, sum(CASE kind WHEN 'hold' THEN amount ELSE -amount END) AS amount
FROM ledger INDEXED BY ledger_by_time
WHERE kind IN ('hold', 'release') AND guild_id = :guild_id
    AND counts_at >= :start AND counts_at < :broken_end
GROUP BY counts_at
UNION ALL
SELECT quarter * 900 + 899.999, amount
FROM guild_usage
WHERE guild_id = :guild_id AND quarter > CAST(:start / 900 AS INTEGER) AND quarter * 900 < :end
    AND amount > 0;

-- name: live_grants
-- A member's grants that have not expired, and what is left of each.
SELECT * FROM (
    SELECT id, expires_at, reason, amount - coalesce((
        SELECT sum(CASE kind WHEN 'draw' THEN amount ELSE -amount END)
        FROM grant_draws WHERE grant_id = ledger.id
    ), 0) AS left_over
    FROM ledger
    WHERE kind = 'grant' AND guild_id = :guild_id AND user_id IN (:user_id, :pseudonym)
        AND (expires_at IS NULL OR expires_at > :now)
)
WHERE left_over > 0
ORDER BY id;

-- name: usage_by_user
-- What each member of a server used between two moments, the most first.
SELECT
    user_id AS subject_id,
    sum(kind = 'hold') AS num_jobs,
    sum(CASE kind WHEN 'hold' THEN amount ELSE -amount END) AS amount
FROM ledger
WHERE kind IN ('hold', 'release') AND guild_id = :guild_id
    AND counts_at >= :since AND counts_at < :until
GROUP BY user_id
ORDER BY amount DESC, num_jobs DESC, user_id
LIMIT :limit;

-- name: usage_by_role
-- The same by the role whose rule allowed it; 0: no role's.
SELECT
    role_id AS subject_id,
    sum(kind = 'hold') AS num_jobs,
    sum(CASE kind WHEN 'hold' THEN amount ELSE -amount END) AS amount
FROM ledger
WHERE kind IN ('hold', 'release') AND guild_id = :guild_id
    AND counts_at >= :since AND counts_at < :until
GROUP BY role_id
ORDER BY amount DESC, num_jobs DESC, role_id
LIMIT :limit;

-- name: usage_by_quarter
-- A server's use, by quarters of an hour.
SELECT quarter * 900 AS at, num_jobs, amount
FROM guild_usage
WHERE guild_id = :guild_id
    AND quarter >= CAST(:since / 900 AS INTEGER) AND quarter * 900 < :until;

-- name: usage_of_user
-- One member's use, job by job.
SELECT
    counts_at AS at,
    sum(kind = 'hold') AS num_jobs,
    sum(CASE kind WHEN 'hold' THEN amount ELSE -amount END) AS amount
FROM ledger INDEXED BY ledger_usage
WHERE kind IN ('hold', 'release') AND guild_id = :guild_id
    AND user_id IN (:user_id, :pseudonym)
    AND counts_at >= :since AND counts_at < :until
GROUP BY counts_at;
