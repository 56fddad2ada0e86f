-- name: insert_picture
-- A painted picture, whose file is already safe.
INSERT INTO pictures (
    job_id, position, sha256, seed, width, height, num_bytes, parameters_json, is_unsafe, created_at
)
VALUES (
    :job_id, :position, :sha256, :seed, :width, :height, :num_bytes, :parameters_json, :is_unsafe,
    :now
)
RETURNING *;

-- name: picture
-- One picture.
SELECT * FROM pictures WHERE id = :picture_id;

-- name: of_job
-- A job's pictures in order.
SELECT * FROM pictures WHERE job_id = :job_id ORDER BY position;

-- name: set_favourite
-- Marks or unmarks one that is still there.
UPDATE pictures SET is_favourite = :is_favourite
WHERE id = :picture_id AND deleted_at IS NULL;

-- name: delete_picture
-- Its file may go; its row stays for those made from it.
UPDATE pictures SET deleted_at = :now, is_favourite = 0
WHERE id = :picture_id AND deleted_at IS NULL;

-- name: is_needed
-- Whether a picture or a job still needs a file.
SELECT EXISTS (SELECT 1 FROM pictures WHERE sha256 = :sha256 AND deleted_at IS NULL)
    OR EXISTS (
        SELECT 1 FROM job_inputs JOIN jobs ON jobs.id = job_id
        WHERE sha256 = :sha256 AND (
            jobs.status IN ('queued', 'running')
            OR jobs.ended_at > :inputs_since
            OR EXISTS (
                SELECT 1 FROM pictures
                WHERE pictures.job_id = jobs.id AND pictures.deleted_at IS NULL
            )
        )
    ) AS is_needed;
