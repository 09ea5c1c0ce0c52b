-- name: QueueSendMany :many
-- Sends messages: in one statement it finds the triggers of their queues, disabled ones too (there the messages wait), writes the events and one outbox row a trigger.
WITH message AS MATERIALIZED (
    SELECT unnest(@event_ids::uuid[]) AS event_id, unnest(@queues::text[]) AS queue, unnest(@bodies::text[])::json AS data,
           unnest(@delays_ms::bigint[]) AS delay_ms, unnest(@priorities::smallint[]) AS priority
), firing AS MATERIALIZED (
    SELECT m.event_id, m.queue, m.delay_ms, m.priority, uuid_v7() AS execution_id, t.id AS trigger_id, t.script_id, t.registered_by_principal
    FROM message m
    JOIN queue_trigger_details d ON d.queue = m.queue
    JOIN triggers t ON t.id = d.trigger_id AND t.app_id = @app_id
), event AS (
    INSERT INTO events (id, app_id, type, source, subject, time, data, root_id, parent_id, depth, traceparent)
    SELECT m.event_id, @app_id, 'picloud.queue.message', '/apps/' || @app_slug::text || '/queue/' || m.queue, m.queue, now(), m.data,
           COALESCE(sqlc.narg(root_id)::uuid, m.event_id), sqlc.narg(parent_id)::uuid, @depth::int, @traceparent::text
    FROM message m WHERE m.event_id IN (SELECT event_id FROM firing)
), queued AS (
    INSERT INTO outbox (execution_id, app_id, script_id, trigger_id, kind, event_id, what, root_id, parent_id, depth, principal, due_at, lane, priority)
    SELECT f.execution_id, @app_id, f.script_id, f.trigger_id, 'queue', f.event_id, left('queue ' || f.queue, 160) || ' message',
           COALESCE(sqlc.narg(root_id)::uuid, f.event_id), sqlc.narg(parent_id)::uuid, @depth::int, f.registered_by_principal,
           clock_timestamp() + f.delay_ms * interval '1 millisecond', f.trigger_id, f.priority
    FROM firing f
)
SELECT f.event_id::text AS event_id, f.execution_id::text AS execution_id FROM firing f ORDER BY f.execution_id;

-- name: QueueLock :exec
-- One claim from the lanes at a time, in the whole cluster: else two would count the same slots as free. The claim is a later statement of the transaction: its snapshot is younger.
SELECT pg_advisory_xact_lock(hashtextextended('picloud.lanes', 0));

-- name: QueueLaneDue :one
-- Whether a claim from the lanes would find something.
SELECT (EXISTS (SELECT FROM queue_lanes l WHERE l.free > 0 AND EXISTS (SELECT FROM outbox o WHERE o.lane = l.trigger_id AND o.due_at <= now()))
     OR EXISTS (SELECT FROM queue_slots s JOIN outbox o ON o.execution_id = s.execution_id WHERE o.lane IS NOT NULL AND o.due_at <= now()
         AND NOT EXISTS (SELECT FROM apps a WHERE a.id = o.app_id AND a.paused_at IS NOT NULL)))::boolean AS due;

-- name: QueueSlotRelease :execrows
DELETE FROM queue_slots WHERE execution_id = @execution_id;

-- name: QueueSlotReleaseEnded :exec
-- Frees the slots of executions that had ended before they were claimed another time.
DELETE FROM queue_slots s USING executions x WHERE s.execution_id = ANY (@execution_ids::uuid[]) AND x.id = s.execution_id;

-- name: QueueSlotListSilent :many
-- The slots of executions whose workflows were started some time ago, after the given one: whoever frees what is left over asks the engine about them.
SELECT s.execution_id, s.app_id FROM queue_slots s
WHERE s.taken_at < now() - sqlc.arg(age_ms)::bigint * interval '1 millisecond' AND (sqlc.narg(after)::uuid IS NULL OR s.execution_id > sqlc.narg(after)::uuid)
  AND NOT EXISTS (SELECT FROM outbox o WHERE o.execution_id = s.execution_id)
ORDER BY s.execution_id LIMIT @max;
