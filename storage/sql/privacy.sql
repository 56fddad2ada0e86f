-- name: export_jobs
-- A user's jobs, without the interactions' tokens.
SELECT id, status, kind, user_id, guild_id, channel_id, message_id, is_private, is_user_install,
    is_age_restricted, request_json, prompt, num_pictures, num_pixels, seed, model, model_fingerprint, cost,
    parent_picture_id, attempts, error, delivery_error, accepted_at, started_at, stored_at,
    ended_at, told_at
FROM jobs WHERE user_id = :user_id ORDER BY id;

-- name: export_pictures
-- Their pictures, the deleted ones too.
SELECT pictures.* FROM pictures JOIN jobs ON jobs.id = job_id
WHERE user_id = :user_id ORDER BY pictures.id;

-- name: export_inputs
-- The pictures that their jobs were given.
SELECT job_inputs.* FROM job_inputs JOIN jobs ON jobs.id = job_id
WHERE user_id = :user_id ORDER BY job_id, position;

-- name: export_ledger
-- Their credits.
SELECT * FROM ledger WHERE user_id IN (:user_id, :pseudonym) OR by_user_id = :user_id ORDER BY id;

-- name: export_quota_rules
-- Rules made for them.
SELECT * FROM quota_rules WHERE scope = 'user' AND subject_id IN (:user_id, :pseudonym);

-- name: export_bans
-- Their bans.
SELECT * FROM bans WHERE user_id IN (:user_id, :pseudonym);

-- name: export_blocked_pictures
-- Pictures of theirs that were blocked.
SELECT * FROM blocked_pictures WHERE user_id IN (:user_id, :pseudonym) ORDER BY id;

-- name: export_audit_log
-- What they changed, and what was changed about them.
SELECT * FROM audit_log
WHERE actor_id = :user_id OR (subject = 'user' AND subject_id IN (:user_id, :pseudonym))
ORDER BY id;

-- name: files_of_user
-- The files of their pictures and inputs.
SELECT sha256 FROM pictures JOIN jobs ON jobs.id = job_id WHERE user_id = :user_id
UNION
SELECT sha256 FROM job_inputs JOIN jobs ON jobs.id = job_id WHERE user_id = :user_id;

-- name: unfinished_of_user
-- Jobs of theirs that wait or run.
SELECT id FROM jobs WHERE user_id = :user_id AND status IN ('queued', 'running');

-- name: num_pictures_of_user
-- How many pictures of theirs there are.
SELECT count(*) AS num_pictures FROM pictures JOIN jobs ON jobs.id = job_id
WHERE user_id = :user_id AND deleted_at IS NULL;

-- name: delete_jobs
-- Their jobs, with pictures and inputs.
DELETE FROM jobs WHERE user_id = :user_id;

-- name: forget_in_ledger
-- Their credits stay under a pseudonym until no window counts them, see `forget_pseudonyms`.
UPDATE ledger SET user_id = :pseudonym, reason = '' WHERE user_id = :user_id;

-- name: forget_giver
-- Credits that they gave to others.
UPDATE ledger SET by_user_id = :pseudonym WHERE by_user_id = :user_id;

-- name: forget_in_rules
-- A rule made for them stays under the pseudonym, or forgetting would lift it.
UPDATE OR REPLACE quota_rules SET subject_id = :pseudonym
WHERE scope = 'user' AND subject_id = :user_id;

-- name: forget_in_bans
-- So does a ban.
UPDATE OR REPLACE bans SET user_id = :pseudonym, reason = '' WHERE user_id = :user_id;

-- name: forget_banner
-- Bans that they spoke.
UPDATE bans SET by_user_id = :pseudonym WHERE by_user_id = :user_id;

-- name: forget_in_blocklist
-- Entries that they made.
UPDATE blocklist SET by_user_id = :pseudonym WHERE by_user_id = :user_id;

-- name: forget_in_blocked
-- Pictures of theirs that were blocked.
UPDATE blocked_pictures SET user_id = :pseudonym WHERE user_id = :user_id;

-- name: forget_subject
-- What was changed about them: only that something was.
UPDATE audit_log SET subject_id = :pseudonym, before_json = '', after_json = '', reason = ''
WHERE subject = 'user' AND subject_id = :user_id;

-- name: forget_actor
-- What they changed stays; who it was is a pseudonym.
UPDATE audit_log SET actor_id = :pseudonym WHERE actor_id = :user_id;
