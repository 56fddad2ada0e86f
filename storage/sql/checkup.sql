-- name: named_files
-- Every file that a picture or an unfinished job names.
SELECT sha256 FROM pictures WHERE deleted_at IS NULL
UNION
SELECT sha256 FROM job_inputs JOIN jobs ON jobs.id = job_id WHERE status IN ('queued', 'running');

-- name: needed_files
-- Every file that anything names.
SELECT sha256 FROM pictures WHERE deleted_at IS NULL
UNION
SELECT sha256 FROM job_inputs;
