-- name: DeadLetterInsert :exec
-- Nothing is inserted when the app is gone.
INSERT INTO dead_letters (id, app_id, execution_id, script_id, script, version, trigger_id, trigger, kind, reason, error, event, attempts, depth,
                          root_id, parent_id, fingerprint, principal)
SELECT uuid_v7(), a.id, @execution_id, @script_id, @script, @version, @trigger_id, @trigger, @kind, @reason, @error, @event, @attempts, @depth,
       @root_id, @parent_id, @fingerprint, @principal
FROM apps a WHERE a.id = @app_id
ON CONFLICT (execution_id) DO NOTHING;

-- name: DeadLetterByExecution :one
SELECT id FROM dead_letters WHERE execution_id = @execution_id;

-- name: DeadLetterGet :one
SELECT * FROM dead_letters WHERE app_id = @app_id AND id = @id;

-- name: DeadLetterLock :one
SELECT * FROM dead_letters WHERE app_id = @app_id AND id = @id FOR UPDATE;

-- name: DeadLetterList :many
SELECT * FROM dead_letters
WHERE app_id = @app_id
  AND (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before)::uuid)
  AND (NOT @unresolved::boolean OR resolution IS NULL)
  AND (@resolution::text = '' OR resolution = @resolution)
  AND (@script::text = '' OR script = @script)
  AND (@trigger::text = '' OR trigger = @trigger OR trigger_id::text = @trigger)
  AND (@reason::text = '' OR reason = @reason)
  AND (@fingerprint::text = '' OR fingerprint = @fingerprint)
ORDER BY id DESC LIMIT @max;

-- name: DeadLetterCountUnresolved :one
SELECT count(*) FROM dead_letters WHERE app_id = @app_id AND resolution IS NULL;

-- name: DeadLetterResolve :one
UPDATE dead_letters SET resolution = @resolution, resolved_at = now(), resolved_by = @resolved_by, note = @note, replay_execution_id = @replay_execution_id
WHERE id = @id
RETURNING *;

-- name: DeadLetterScript :one
-- The script of a letter, as it is now: by id, or by name where it was made again.
SELECT s.id, s.active_version, EXISTS (SELECT FROM script_versions v WHERE v.script_id = s.id AND v.version = @version::int) AS has_version
FROM scripts s WHERE s.app_id = @app_id AND (s.id = @script_id OR s.name = @script)
ORDER BY s.id = @script_id DESC LIMIT 1;
