-- name: QueueSendMany :many
-- Sends messages: in one statement it finds the triggers of their queues, disabled ones too (there the messages wait), writes the events and one outbox row a trigger. The ids of the
-- events were made one after the other: in their order the messages get their turns.
WITH message AS MATERIALIZED (
    SELECT unnest(@event_ids::uuid[]) AS event_id, unnest(@queues::text[]) AS queue, unnest(@bodies::text[])::json AS data,
           unnest(@delays_ms::bigint[]) AS delay_ms, unnest(@priorities::smallint[]) AS priority, unnest(@ordering_keys::text[]) AS ordering_key
), firing AS MATERIALIZED (
    SELECT m.event_id, m.queue, m.delay_ms, m.priority, m.ordering_key, uuid_v7() AS execution_id, t.id AS trigger_id, t.script_id, t.registered_by_principal, t.flow, t.filter, d.batch_size
    FROM message m
    JOIN queue_trigger_details d ON d.queue = m.queue
    JOIN triggers t ON t.id = d.trigger_id AND t.app_id = @app_id
), event AS (
    INSERT INTO events (id, app_id, type, source, subject, time, data, root_id, parent_id, depth, traceparent, partition_key)
    SELECT m.event_id, @app_id, 'picloud.queue.message', '/apps/' || @app_slug::text || '/queue/' || m.queue, m.queue, now(), m.data,
           COALESCE(sqlc.narg(root_id)::uuid, m.event_id), sqlc.narg(parent_id)::uuid, @depth::int, @traceparent::text, m.ordering_key
    FROM message m WHERE m.event_id IN (SELECT event_id FROM firing)
), queued AS (
    INSERT INTO outbox (execution_id, app_id, script_id, trigger_id, kind, event_id, what, root_id, parent_id, depth, principal, due_at, lane, priority, ordering_key, turn, filter, unbatched)
    SELECT f.execution_id, @app_id, f.script_id, f.trigger_id, 'queue', f.event_id, left('queue ' || f.queue, 160) || ' message',
           COALESCE(sqlc.narg(root_id)::uuid, f.event_id), sqlc.narg(parent_id)::uuid, @depth::int, f.registered_by_principal,
           clock_timestamp() + f.delay_ms * interval '1 millisecond' + filter_hold(f.filter), CASE WHEN f.flow IS NULL THEN f.trigger_id END, f.priority,
           f.ordering_key, CASE WHEN f.ordering_key <> '' THEN nextval('outbox_turn') END, f.filter, f.batch_size IS NOT NULL
    FROM firing f ORDER BY f.event_id
)
SELECT f.event_id::text AS event_id, f.execution_id::text AS execution_id, (f.filter IS NOT NULL)::boolean AS filtered FROM firing f ORDER BY f.execution_id;

-- name: QueueList :many
-- The queues of an app, with what waits in them: rows that have no slot; a batch that is made and not begun counts as its messages. oldest_seconds is -1 where none is due. A message that
-- was tried before is as old as its sending.
SELECT q.queue, q.triggers::text[] AS triggers, w.messages::bigint AS messages, w.delayed::bigint AS delayed, w.oldest_seconds::float8 AS oldest_seconds, (SELECT count(*) FROM lane_slots s WHERE s.trigger_id = ANY (q.ids)) AS running
FROM (
    SELECT d.queue, array_agg(t.name ORDER BY t.name) AS triggers, array_agg(t.id) AS ids
    FROM queue_trigger_details d JOIN triggers t ON t.id = d.trigger_id
    WHERE t.app_id = @app_id AND (sqlc.narg(after)::text IS NULL OR d.queue > sqlc.narg(after)::text)
    GROUP BY d.queue ORDER BY d.queue LIMIT @max
) AS q, LATERAL (
    SELECT COALESCE(sum(m.n), 0) AS messages, COALESCE(sum(m.n) FILTER (WHERE m.due_at > now()), 0) AS delayed,
           COALESCE(extract(epoch FROM now() - min(CASE WHEN m.tried > 0 THEN m.created_at ELSE m.due_at END) FILTER (WHERE m.due_at <= now())), -1)::float8 AS oldest_seconds
    FROM (
        SELECT o.due_at, o.created_at, o.tried, CASE WHEN o.lane IS NULL OR o.unbatched THEN 1 ELSE GREATEST(1, (SELECT count(*) FROM batch_messages b WHERE b.batch_id = o.execution_id)) END AS n
        FROM outbox o WHERE o.app_id = @app_id AND o.trigger_id = ANY (q.ids) AND NOT EXISTS (SELECT FROM lane_slots s WHERE s.execution_id = o.execution_id)
    ) AS m
) AS w
ORDER BY q.queue;
