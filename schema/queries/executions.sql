-- name: ExecutionInsert :execrows
-- The commit point. No row is inserted when the execution is committed already. What it took is added to its tree's, where that has a row.
WITH spent AS (
    UPDATE root_budgets SET effects = effects + COALESCE(json_array_length(@effects), 0), cpu_us = cpu_us + @cpu_us::bigint WHERE root_id = @root_id
)
INSERT INTO executions (id, app_id, status, script, version, trigger_id, trigger, kind, event_id, result, error, logs, effects, attempts, depth,
                        root_id, parent_id, replay_of, principal, queued_at, started_at, finished_at, clock, seed, cpu_us)
VALUES (@id, @app_id, @status, @script, @version, @trigger_id, @trigger, @kind, @event_id, @result, @error, @logs, @effects, @attempts, @depth,
        @root_id, @parent_id, @replay_of, @principal, @queued_at, @started_at, clock_timestamp(), @clock, @seed, @cpu_us)
ON CONFLICT (id) DO NOTHING;

-- name: ExecutionInsertWithEvent :execrows
-- ExecutionInsert for an execution whose event is in no table yet: a caller waits for the answer, so both in one round trip.
WITH event AS (
    INSERT INTO events (id, app_id, type, source, subject, time, content_type, data, root_id, parent_id, depth, traceparent, replay_of)
    VALUES (@event_id, @app_id, @event_type, @event_source, @event_subject, @event_time, @event_content_type, @event_data, @root_id, @parent_id, @depth,
            @event_traceparent, @event_replay_of)
    ON CONFLICT (id) DO NOTHING
), spent AS (
    UPDATE root_budgets SET effects = effects + COALESCE(json_array_length(@effects), 0), cpu_us = cpu_us + @cpu_us::bigint WHERE root_id = @root_id
)
INSERT INTO executions (id, app_id, status, script, version, trigger_id, trigger, kind, event_id, result, error, logs, effects, attempts, depth,
                        root_id, parent_id, replay_of, principal, queued_at, started_at, finished_at, clock, seed, cpu_us)
VALUES (@id, @app_id, @status, @script, @version, @trigger_id, @trigger, @kind, @event_id, @result, @error, @logs, @effects, @attempts, @depth,
        @root_id, @parent_id, @replay_of, @principal, @queued_at, @started_at, clock_timestamp(), @clock, @seed, @cpu_us)
ON CONFLICT (id) DO NOTHING;

-- name: ExecutionEnd :one
SELECT status, result, error FROM executions WHERE id = @id;

-- name: ExecutionKind :one
SELECT kind FROM executions WHERE id = @id;

-- name: ExecutionOpen :one
-- All that an attempt asks before it runs, in one round trip; every part may be missing.
SELECT x.status, x.result, x.error,
       EXISTS (SELECT FROM script_versions v WHERE v.script_id = @script_id AND v.version = @version) AS has_script,
       COALESCE((SELECT a.fetch_allow FROM scripts s JOIN apps a ON a.id = s.app_id WHERE s.id = @script_id), '{}')::text[] AS fetch_allow,
       e.id AS event_id, e.type, e.source, e.subject, e.time, e.content_type, e.data, e.root_id, e.parent_id, e.depth, e.traceparent, e.replay_of, e.partition_key,
       p.instance_admin, p.disabled, m.role
FROM (SELECT 1) AS one
LEFT JOIN principals p ON p.name = @principal AND p.deleted_at IS NULL
LEFT JOIN app_members m ON m.principal_id = p.id AND m.app_id = @app_id
LEFT JOIN executions x ON x.id = @execution_id
LEFT JOIN events e ON e.id = @event_id;

-- name: ExecutionGet :one
SELECT * FROM executions WHERE id = @id AND app_id = @app_id;

-- name: ExecutionList :many
SELECT id, status, script, version, trigger_id, trigger, kind, event_id, error, attempts, depth, root_id, parent_id, replay_of, principal, queued_at, started_at, finished_at
FROM executions
WHERE app_id = @app_id
  AND (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before)::uuid)
  AND (sqlc.narg(root)::uuid IS NULL OR root_id = sqlc.narg(root)::uuid)
  AND (sqlc.narg(since)::timestamptz IS NULL OR id >= uuid_v7_floor(sqlc.narg(since)::timestamptz))
  AND (@status::text = '' OR status = @status)
  AND (@kind::text = '' OR kind = @kind)
  AND (@script::text = '' OR script = @script)
  AND (@trigger::text = '' OR trigger = @trigger OR trigger_id::text = @trigger)
ORDER BY id DESC LIMIT @max;

-- name: ExecutionAttemptInsert :exec
WITH spent AS (
    UPDATE root_budgets SET cpu_us = cpu_us + @cpu_us::bigint WHERE root_id = @root_id::uuid
)
INSERT INTO execution_attempts (execution_id, attempt, error, logs, started_at, finished_at, retry_after_ms, clock, seed, tape)
VALUES (@execution_id, @attempt, @error, @logs, @started_at, @finished_at, @retry_after_ms, @clock, @seed, @tape)
ON CONFLICT (execution_id, attempt) DO NOTHING;

-- name: ExecutionAttemptList :many
SELECT execution_id, attempt, error, logs, started_at, finished_at, retry_after_ms, clock, seed FROM execution_attempts WHERE execution_id = @execution_id ORDER BY attempt;

-- name: AbandonedExecutionInsert :exec
INSERT INTO abandoned_executions (execution_id, app_id, script, trigger, status, result, error, counts_at)
SELECT @execution_id, a.id, @script, @trigger, @status, @result, @error, now() + sqlc.arg(grace_ms)::bigint * interval '1 millisecond' FROM apps a WHERE a.id = @app_id
ON CONFLICT (execution_id) DO NOTHING;

-- name: AbandonedExecutionList :many
SELECT * FROM abandoned_executions
WHERE app_id = @app_id AND counts_at <= now() AND (sqlc.narg(before)::uuid IS NULL OR execution_id < sqlc.narg(before)::uuid)
ORDER BY execution_id DESC LIMIT @max;

-- name: IdempotencyKeyRebind :execrows
-- Gives a key to another execution, if it is still the one's.
UPDATE idempotency_keys SET execution_id = @after, created_at = now() WHERE app_id = @app_id AND key = @key AND execution_id = @before;

-- name: AbandonedExecutionCount :one
SELECT count(*) FROM abandoned_executions WHERE app_id = @app_id AND counts_at <= now();

-- name: AbandonedExecutionReceived :exec
DELETE FROM abandoned_executions WHERE execution_id = @execution_id AND counts_at > now();

-- name: IdempotencyKeyAttach :one
-- Gives the execution that the key stands for: the given one when the key is new or older than a day.
INSERT INTO idempotency_keys AS i (app_id, key, execution_id) VALUES (@app_id, @key, @execution_id)
ON CONFLICT (app_id, key) DO UPDATE SET
    execution_id = CASE WHEN i.created_at < now() - interval '24 hours' THEN EXCLUDED.execution_id ELSE i.execution_id END,
    created_at = CASE WHEN i.created_at < now() - interval '24 hours' THEN now() ELSE i.created_at END
RETURNING execution_id;
