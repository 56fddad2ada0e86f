-- name: insert_job
-- A job as it is accepted; it waits at once.
INSERT INTO jobs (
    status, kind, user_id, guild_id, channel_id, application_id, interaction_id,
    interaction_token, interaction_at, message_id, is_private, is_user_install,
    is_age_restricted, request_json, prompt, num_pictures, num_pixels, seed, model,
    model_fingerprint, cost, parent_picture_id, accepted_at
)
VALUES (
    'queued', :kind, :user_id, :guild_id, :channel_id, :application_id, :interaction_id,
    :interaction_token, :interaction_at, :message_id, :is_private, :is_user_install,
    :is_age_restricted, :request_json, :prompt, :num_pictures, :num_pixels, :seed, :model,
    :model_fingerprint, :cost, :parent_picture_id, :now
)
RETURNING id;

-- name: insert_input
-- A stored picture that the job needs.
INSERT INTO job_inputs (job_id, position, sha256) VALUES (:job_id, :position, :sha256);

-- name: job
-- One job, with its inputs' hashes in order.
SELECT jobs.*, (
    SELECT group_concat(sha256) FROM (
        SELECT sha256 FROM job_inputs WHERE job_id = jobs.id ORDER BY position
    )
) AS inputs
FROM jobs
WHERE id = :job_id;

-- name: unfinished
-- Jobs that wait or run, the oldest first.
SELECT jobs.*, (
    SELECT group_concat(sha256) FROM (
        SELECT sha256 FROM job_inputs WHERE job_id = jobs.id ORDER BY position
    )
) AS inputs
FROM jobs
WHERE status IN ('queued', 'running')
ORDER BY id;

-- name: untold
-- Jobs whose end their owner was not told yet, the oldest first.
SELECT jobs.*, (
    SELECT group_concat(sha256) FROM (
        SELECT sha256 FROM job_inputs WHERE job_id = jobs.id ORDER BY position
    )
) AS inputs
FROM jobs
WHERE status IN ('stored', 'failed', 'cancelled') AND told_at IS NULL AND gave_up_at IS NULL
ORDER BY id;

-- name: by_user
-- One user's jobs in one server, the newest first.
SELECT jobs.*, (
    SELECT group_concat(sha256) FROM (
        SELECT sha256 FROM job_inputs WHERE job_id = jobs.id ORDER BY position
    )
) AS inputs
FROM jobs
WHERE user_id = :user_id AND guild_id = :guild_id AND id < :before_id
ORDER BY id DESC
LIMIT :limit;

-- name: by_message
-- The newest job that a message shows.
SELECT jobs.*, (
    SELECT group_concat(sha256) FROM (
        SELECT sha256 FROM job_inputs WHERE job_id = jobs.id ORDER BY position
    )
) AS inputs
FROM jobs
WHERE message_id = :message_id AND message_id != 0
ORDER BY id DESC
LIMIT 1;

-- name: count_by_status
-- How many jobs stand where.
SELECT status, count(*) AS num_jobs FROM jobs GROUP BY status;

-- name: count_unfinished
-- One member's jobs that wait or run.
SELECT count(*) AS num_jobs FROM jobs INDEXED BY jobs_unfinished
WHERE user_id = :user_id AND guild_id = :guild_id AND status IN ('queued', 'running');

-- name: status
-- Where one job stands.
SELECT status FROM jobs WHERE id = :job_id;

-- name: start
-- A worker takes it; a running one is taken again after its worker died.
UPDATE jobs SET status = 'running', started_at = :now, attempts = attempts + 1
WHERE id = :job_id AND status IN ('queued', 'running');

-- name: requeue_all
-- After a start: what ran when the process died waits again.
UPDATE jobs SET status = 'queued' WHERE status = 'running';

-- name: store
-- Its pictures are safe. A queued one: its start could not be written down when it began.
UPDATE jobs SET status = 'stored', stored_at = :now, ended_at = :now, error = ''
WHERE id = :job_id AND status IN ('queued', 'running');

-- name: fail
-- It ends without a picture, for a reason that its owner is told.
UPDATE jobs SET status = 'failed', ended_at = :now, error = :error
WHERE id = :job_id AND status IN ('queued', 'running');

-- name: cancel
-- It ends because somebody wanted so.
UPDATE jobs SET status = 'cancelled', ended_at = :now
WHERE id = :job_id AND status IN ('queued', 'running');

-- name: told
-- Its owner knows the end. The token has done its work and is forgotten.
UPDATE jobs SET
    status = CASE status WHEN 'stored' THEN 'delivered' ELSE status END,
    told_at = :now,
    num_told_attempts = num_told_attempts + 1,
    delivery_error = '',
    gave_up_at = NULL,
    interaction_token = '',
    message_id = coalesce(:message_id, message_id),
    channel_id = coalesce(:channel_id, channel_id)
WHERE id = :job_id AND status IN ('stored', 'failed', 'cancelled') AND told_at IS NULL;

-- name: delivery_failed
-- An attempt to tell its owner failed; for good, if given up.
UPDATE jobs SET
    num_told_attempts = num_told_attempts + 1,
    delivery_error = :reason,
    gave_up_at = CASE WHEN :is_final THEN :now ELSE gave_up_at END,
    interaction_token = CASE WHEN :is_final THEN '' ELSE interaction_token END
WHERE id = :job_id AND status IN ('stored', 'failed', 'cancelled') AND told_at IS NULL;

-- name: inputs_of
-- The pictures that a job was given.
SELECT sha256 FROM job_inputs WHERE job_id = :job_id;

-- name: drop_inputs
-- It does not need them any more.
DELETE FROM job_inputs WHERE job_id = :job_id;
