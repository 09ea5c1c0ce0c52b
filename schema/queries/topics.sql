-- name: TopicPublishMany :many
-- Publishes messages: in one statement it finds the pubsub triggers that their topics match, writes the events and one outbox row a trigger. An event that nobody
-- has subscribed to is not kept.
WITH message AS MATERIALIZED (
    SELECT unnest(@event_ids::uuid[]) AS event_id, unnest(@topics::text[]) AS topic, unnest(@bodies::text[])::json AS data
), firing AS MATERIALIZED (
    SELECT m.event_id, m.topic, uuid_v7() AS execution_id, t.id AS trigger_id, t.script_id, t.registered_by_principal, t.filter
    FROM message m
    JOIN triggers t ON t.app_id = @app_id AND t.kind = 'pubsub' AND t.enabled
    JOIN pubsub_trigger_details d ON d.trigger_id = t.id
    WHERE glob_match(d.topic, m.topic)
), event AS (
    INSERT INTO events (id, app_id, type, source, subject, time, data, root_id, parent_id, depth, traceparent)
    SELECT m.event_id, @app_id, 'picloud.topic.message', '/apps/' || @app_slug::text || '/pubsub/' || m.topic, m.topic, now(), m.data,
           COALESCE(sqlc.narg(root_id)::uuid, m.event_id), sqlc.narg(parent_id)::uuid, @depth::int, @traceparent::text
    FROM message m WHERE m.event_id IN (SELECT event_id FROM firing)
), queued AS (
    INSERT INTO outbox (execution_id, app_id, script_id, trigger_id, kind, event_id, what, root_id, parent_id, depth, principal, filter, due_at)
    SELECT f.execution_id, @app_id, f.script_id, f.trigger_id, 'pubsub', f.event_id, left('topic ' || f.topic, 160) || ' message',
           COALESCE(sqlc.narg(root_id)::uuid, f.event_id), sqlc.narg(parent_id)::uuid, @depth::int, f.registered_by_principal,
           f.filter, now() + filter_hold(f.filter)
    FROM firing f
)
SELECT f.event_id::text AS event_id, f.execution_id::text AS execution_id, (f.filter IS NOT NULL)::boolean AS filtered FROM firing f ORDER BY f.execution_id;
