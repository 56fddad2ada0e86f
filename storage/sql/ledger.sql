-- name: insert_entry
-- One line of the ledger; there is no statement that changes one.
INSERT INTO ledger (
    kind, job_id, guild_id, user_id, amount, granted, role_id, at, counts_at, expires_at, reason,
    by_user_id
)
VALUES (
    :kind, :job_id, :guild_id, :user_id, :amount, :granted, :role_id, :at, :counts_at,
    :expires_at, :reason, :by_user_id
)
RETURNING id;

-- name: hold_of
-- What is held for a job.
SELECT * FROM ledger WHERE job_id = :job_id AND kind = 'hold';

-- name: of_job
-- Every line of a job.
SELECT * FROM ledger WHERE job_id = :job_id ORDER BY id;

-- name: of_user
-- One member's lines, the newest first.
SELECT * FROM ledger
WHERE guild_id = :guild_id AND user_id IN (:user_id, :pseudonym) AND id < :before_id
ORDER BY id DESC
LIMIT :limit;

-- name: insert_draw
-- A grant pays a part of a job, or gets it back.
INSERT INTO grant_draws (grant_id, job_id, kind, amount)
VALUES (:grant_id, :job_id, :kind, :amount);

-- name: draws_of
-- Which grants paid for a job; those that expire last come first, for a return is worth most there.
SELECT grant_id, grant_draws.amount AS amount
FROM grant_draws JOIN ledger ON ledger.id = grant_id
WHERE grant_draws.job_id = :job_id AND grant_draws.kind = 'draw'
ORDER BY expires_at IS NULL DESC, expires_at DESC, grant_id DESC;

-- name: balance_of_user
-- What is held and what was spent in one server between two moments.
SELECT
    coalesce(sum(amount) FILTER (WHERE kind = 'hold'), 0)
        - coalesce(sum(amount) FILTER (WHERE kind = 'settle'), 0)
        - coalesce(sum(amount) FILTER (WHERE kind = 'release'), 0) AS held,
    coalesce(sum(amount) FILTER (WHERE kind = 'settle'), 0) AS settled,
    coalesce(sum(amount) FILTER (WHERE kind = 'release'), 0) AS released,
    coalesce(sum(amount) FILTER (WHERE kind = 'grant'), 0) AS granted
FROM ledger
WHERE guild_id = :guild_id AND user_id IN (:user_id, :pseudonym)
    AND counts_at >= :since AND counts_at < :until;

-- name: unbalanced
-- Jobs whose lines don't fit their state: open though ended, closed though running, or no hold.
SELECT jobs.id AS job_id
FROM jobs
LEFT JOIN (
    SELECT job_id,
        sum(CASE kind WHEN 'hold' THEN amount ELSE 0 END) AS held,
        sum(CASE kind WHEN 'hold' THEN 1 ELSE 0 END) AS num_holds,
        sum(CASE kind WHEN 'hold' THEN 0 ELSE amount END) AS ended,
        sum(CASE kind WHEN 'hold' THEN 0 ELSE 1 END) AS num_ends
    FROM ledger WHERE job_id IS NOT NULL GROUP BY job_id
) AS lines ON lines.job_id = jobs.id
WHERE lines.job_id IS NULL
    OR num_holds != 1
    OR held != jobs.cost
    OR (status IN ('queued', 'running') AND num_ends != 0)
    OR (status NOT IN ('queued', 'running') AND (num_ends = 0 OR held != ended));

-- name: overdrawn_grants
-- Grants of which more was taken than was given, or that got more back than was taken.
SELECT ledger.id AS grant_id
FROM ledger JOIN grant_draws ON grant_draws.grant_id = ledger.id
WHERE ledger.kind = 'grant'
GROUP BY ledger.id
HAVING sum(CASE grant_draws.kind WHEN 'draw' THEN grant_draws.amount ELSE -grant_draws.amount END)
    NOT BETWEEN 0 AND ledger.amount;

-- name: wrong_tallies
-- Quarters of an hour whose tally is not the sum of their lines.
SELECT guild_id, quarter FROM (
    SELECT guild_id, quarter, amount FROM guild_usage
    UNION ALL
    SELECT guild_id, CAST(counts_at / 900 AS INTEGER),
        CASE kind WHEN 'hold' THEN -amount ELSE amount END
    FROM ledger WHERE kind IN ('hold', 'release')
)
GROUP BY guild_id, quarter
HAVING sum(amount) != 0;
