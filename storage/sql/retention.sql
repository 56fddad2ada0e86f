-- name: expire_by_age
-- Pictures that are too old by the bot's rule or by their server's, so many at a time.
UPDATE pictures SET deleted_at = :now
WHERE id IN (
    SELECT pictures.id FROM pictures
    JOIN jobs ON jobs.id = pictures.job_id
    LEFT JOIN guild_settings ON guild_settings.guild_id = jobs.guild_id
    WHERE deleted_at IS NULL AND is_favourite = 0
        AND (jobs.told_at IS NOT NULL OR jobs.gave_up_at IS NOT NULL)
        AND created_at < max(
            coalesce(:now - :pictures_days * 86400.0, 0),
            coalesce(:now - guild_settings.pictures_days * 86400.0, 0)
        )
    LIMIT :limit
);

-- name: oldest
-- The oldest pictures that may go when there is too little room.
SELECT pictures.id, sha256, num_bytes FROM pictures
JOIN jobs ON jobs.id = pictures.job_id
WHERE deleted_at IS NULL AND is_favourite = 0
    AND (jobs.told_at IS NOT NULL OR jobs.gave_up_at IS NOT NULL)
ORDER BY created_at
LIMIT :limit;

-- name: expire
-- One picture goes.
UPDATE pictures SET deleted_at = :now WHERE id = :picture_id AND deleted_at IS NULL;

-- name: drop_old_jobs
-- Jobs that ended long ago, were told, and have no picture any more; so many at a time.
DELETE FROM jobs
WHERE id IN (
    SELECT id FROM jobs
    WHERE ended_at < :now - :jobs_days * 86400.0
        AND (told_at IS NOT NULL OR gave_up_at IS NOT NULL)
        AND NOT EXISTS (
            SELECT 1 FROM pictures WHERE job_id = jobs.id AND deleted_at IS NULL
        )
    LIMIT :limit
);

-- name: drop_tokens
-- Interaction tokens that Discord no longer takes.
UPDATE jobs SET interaction_token = ''
WHERE interaction_token != '' AND interaction_at < :now - 3600.0;

-- name: live_files
-- The files of pictures that are there.
SELECT DISTINCT sha256 FROM pictures INDEXED BY pictures_by_file WHERE deleted_at IS NULL;

-- name: input_files
-- The files that jobs need: while they are unfinished, a while after, or as long as their pictures.
SELECT DISTINCT sha256 FROM job_inputs JOIN jobs ON jobs.id = job_id
WHERE jobs.status IN ('queued', 'running')
    OR jobs.ended_at > :inputs_since
    OR EXISTS (
        SELECT 1 FROM pictures WHERE pictures.job_id = jobs.id AND pictures.deleted_at IS NULL
    );

-- name: mark_missing
-- A picture whose file is gone counts as deleted.
UPDATE pictures SET deleted_at = :now, is_favourite = 0
WHERE sha256 = :sha256 AND deleted_at IS NULL;

-- name: forget_pseudonyms
-- What a forgotten user spent more than a month ago, when no window counts it any more.
UPDATE ledger SET user_id = 0, reason = ''
WHERE user_id < -1 AND kind != 'reset' AND at < :now - 31 * 86400.0
    AND id IN (SELECT id FROM ledger WHERE user_id < -1 AND kind != 'reset' LIMIT :limit);
