-- name: DeadLetterInsert :one
-- Nothing is inserted when the app is gone.
INSERT INTO dead_letters (id, app_id, execution_id, script_id, script, version, trigger_id, trigger, kind, reason, error, event, attempts, depth,
                          root_id, parent_id, fingerprint, principal, replay_of)
SELECT uuid_v7(), a.id, @execution_id, @script_id, @script, @version, @trigger_id, @trigger, @kind, @reason, @error, @event, @attempts, @depth,
       @root_id, @parent_id, @fingerprint, @principal, @replay_of
FROM apps a WHERE a.id = @app_id
ON CONFLICT (execution_id) DO NOTHING
RETURNING id, created_at;

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
  AND (sqlc.narg(since)::timestamptz IS NULL OR id >= uuid_v7_floor(sqlc.narg(since)::timestamptz))
  AND (sqlc.narg(until)::timestamptz IS NULL OR id < uuid_v7_floor(sqlc.narg(until)::timestamptz))
ORDER BY id DESC LIMIT @max;

-- name: DeadLetterGroups :many
-- The letters are counted in the index dead_letters_causes alone; one of each group is read whole.
WITH cause AS (
    SELECT l.fingerprint, count(*) AS letters, min(l.created_at) AS first_seen, max(l.created_at) AS last_seen, max(l.id::text) AS sample
    FROM dead_letters l
    WHERE l.app_id = @app_id
      AND (NOT @unresolved::boolean OR l.resolution IS NULL)
      AND (@resolution::text = '' OR l.resolution = @resolution)
      AND (@script::text = '' OR l.script = @script)
      AND (@trigger::text = '' OR l.trigger = @trigger OR l.trigger_id::text = @trigger)
      AND (@reason::text = '' OR l.reason = @reason)
      AND (@fingerprint::text = '' OR l.fingerprint = @fingerprint)
      AND (sqlc.narg(since)::timestamptz IS NULL OR l.id >= uuid_v7_floor(sqlc.narg(since)::timestamptz))
      AND (sqlc.narg(until)::timestamptz IS NULL OR l.id < uuid_v7_floor(sqlc.narg(until)::timestamptz))
    GROUP BY l.fingerprint ORDER BY count(*) DESC, l.fingerprint LIMIT @max
)
SELECT c.letters, c.first_seen::timestamptz AS first_seen, c.last_seen::timestamptz AS last_seen, sqlc.embed(d)
FROM cause c JOIN dead_letters d ON d.id = c.sample::uuid
ORDER BY c.letters DESC, c.fingerprint;

-- name: DeadLetterCountUnresolved :one
SELECT count(*) FROM dead_letters WHERE app_id = @app_id AND resolution IS NULL;

-- name: DeadLetterCountDropped :one
SELECT COALESCE((SELECT d.letters FROM dead_letters_dropped d WHERE d.app_id = @app_id), 0)::bigint AS letters;

-- name: DeadLetterTapeKeep :exec
-- The tape of the last attempt that failed on its own account goes with the letter.
INSERT INTO dead_letter_tapes (dead_letter_id, attempt, clock, seed, tape)
SELECT @dead_letter_id, x.attempt, x.clock, x.seed, x.tape FROM execution_attempts x
WHERE x.execution_id = @execution_id AND x.tape IS NOT NULL
ORDER BY x.attempt DESC LIMIT 1;

-- name: DeadLetterTapeGet :one
SELECT t.attempt, t.clock, t.seed, t.tape FROM dead_letter_tapes t WHERE t.dead_letter_id = @dead_letter_id;

-- name: DeadLetterResolve :one
UPDATE dead_letters SET resolution = @resolution, resolved_at = now(), resolved_by = @resolved_by, note = @note, replay_execution_id = @replay_execution_id
WHERE id = @id
RETURNING *;

-- name: DeadLetterFireHandlers :many
-- Finds the dead_letter triggers that a new letter matches, writes its event and one outbox row a trigger, and counts them in the letter.
WITH firing AS MATERIALIZED (
    SELECT uuid_v7() AS execution_id, t.id AS trigger_id, t.script_id, t.registered_by_principal, t.filter
    FROM triggers t JOIN dead_letter_trigger_details d ON d.trigger_id = t.id
    WHERE t.app_id = @app_id AND t.kind = 'dead_letter' AND t.enabled
      AND glob_match(d.script, @script::text) AND glob_match(d.trigger, @trigger::text) AND (d.reasons = '{}' OR EXISTS (SELECT FROM unnest(d.reasons) AS r (glob) WHERE glob_match(r.glob, @reason::text)))
), event AS (
    INSERT INTO events (id, app_id, type, source, subject, time, data, root_id, parent_id, depth, traceparent)
    SELECT @event_id::uuid, @app_id, 'picloud.dead_letter.created', @source::text, sqlc.arg(dead_letter_id)::uuid::text, now(), sqlc.arg(data)::text::json, @root_id::uuid, @parent_id::uuid,
           @depth::int, @traceparent::text
    WHERE EXISTS (SELECT FROM firing)
), counted AS (
    UPDATE dead_letters SET handlers = (SELECT count(*) FROM firing) WHERE id = sqlc.arg(dead_letter_id)::uuid AND EXISTS (SELECT FROM firing)
), queued AS (
    INSERT INTO outbox (execution_id, app_id, script_id, trigger_id, kind, event_id, what, root_id, parent_id, depth, principal, handles, filter, due_at)
    SELECT f.execution_id, @app_id, f.script_id, f.trigger_id, 'dead_letter', @event_id::uuid, @what::text, @root_id::uuid, @parent_id::uuid, @depth::int,
           f.registered_by_principal, sqlc.arg(dead_letter_id)::uuid, f.filter, now() + filter_hold(f.filter)
    FROM firing f
)
SELECT f.execution_id::text AS execution_id, (f.filter IS NOT NULL)::boolean AS filtered FROM firing f;

-- name: DeadLetterUncountHandlers :exec
-- Handlers whose filters refuse the letter are none.
UPDATE dead_letters SET handlers = handlers - @refused::int WHERE id = @id;

-- name: DeadLetterHandled :many
-- A handler has succeeded: the first one counts, and only where nobody has resolved the letter before.
UPDATE dead_letters SET resolution = 'handled_by_script', resolved_at = now(), resolved_by = @resolved_by
WHERE id = @id AND resolution IS NULL
RETURNING true AS resolved;

-- name: DeadLetterHandlerFailed :many
-- A handler has failed for good: when it was the last one, the letter is resolved so. It was not resolved before where it is resolved at this very moment.
UPDATE dead_letters SET
    handlers_failed = handlers_failed + 1,
    resolution = CASE WHEN resolution IS NULL AND handlers_failed + 1 >= handlers THEN 'handler_failed' ELSE resolution END,
    resolved_at = CASE WHEN resolution IS NULL AND handlers_failed + 1 >= handlers THEN now() ELSE resolved_at END,
    resolved_by = CASE WHEN resolution IS NULL AND handlers_failed + 1 >= handlers THEN @resolved_by ELSE resolved_by END
WHERE id = @id
RETURNING (resolution = 'handler_failed' AND resolved_at = now() AND handlers_failed = handlers)::boolean AS resolved;

-- name: DeadLetterScript :one
-- The script of a letter, as it is now: by id, or by name where it was made again.
-- The principal is the one that its trigger belongs to by now; the letter's own where there is none.
SELECT s.id, s.active_version, EXISTS (SELECT FROM script_versions v WHERE v.script_id = s.id AND v.version = @version::int) AS has_version,
       COALESCE((SELECT t.registered_by_principal FROM triggers t WHERE t.id = sqlc.narg(trigger_id)::uuid), @principal::text)::text AS principal
FROM scripts s WHERE s.app_id = @app_id AND (s.id = @script_id OR s.name = @script)
ORDER BY s.id = @script_id DESC LIMIT 1;
