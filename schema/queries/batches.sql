-- name: BatchRooms :many
-- The triggers that may begin batches and have messages that are due. The caller holds the lock of LaneLock.
SELECT l.trigger_id, l.app_id, l.script_id, l.registered_by_principal, l.queue, l.batch_size::int AS batch_size, l.room, a.slug, v.limits, t.max_depth
FROM batch_lanes l JOIN triggers t ON t.id = l.trigger_id JOIN apps a ON a.id = l.app_id JOIN scripts s ON s.id = l.script_id LEFT JOIN script_versions v ON v.script_id = s.id AND v.version = s.active_version
WHERE l.room > 0 AND EXISTS (SELECT FROM outbox o WHERE o.lane = l.trigger_id AND o.unbatched AND o.due_at <= now());

-- name: BatchDue :many
-- The due messages of a trigger, with the sizes of their data in bytes; -1 = the event is past its retention.
SELECT w.execution_id, w.event_id, w.priority, w.due_at, w.ordering_key, w.turn, w.tried, w.replay_of, w.root_id, w.parent_id, w.depth, w.created_at,
       (w.filter IS NOT NULL)::boolean AS filtered, (w.ripe_at <= now())::boolean AS ripe, COALESCE(octet_length(e.data::text), -1)::int AS bytes
FROM batch_waiting w LEFT JOIN events e ON e.id = w.event_id WHERE w.trigger_id = @trigger_id;

-- name: BatchRelease :exec
-- Lets messages go by themselves: those for which there is no batch, since their events are gone or their filters have no value.
UPDATE outbox SET unbatched = false WHERE execution_id = ANY (@execution_ids::uuid[]) AND unbatched;

-- name: BatchReleaseStray :exec
-- Lets messages go that wait for a batch of a trigger that makes none: they were sent while its batch_size was taken away.
UPDATE outbox SET unbatched = false WHERE unbatched AND lane IN (SELECT d.trigger_id FROM queue_trigger_details d WHERE d.batch_size IS NULL);

-- name: BatchAdopt :exec
-- Follows a change of the trigger's batch_size: messages that have not begun wait for a batch, or do so no more.
UPDATE outbox o SET unbatched = d.batch_size IS NOT NULL FROM queue_trigger_details d, events e
WHERE d.trigger_id = @trigger_id AND o.lane = d.trigger_id AND e.id = o.event_id AND e.type = 'picloud.queue.message' AND o.unbatched <> (d.batch_size IS NOT NULL)
  AND NOT EXISTS (SELECT FROM lane_slots s WHERE s.execution_id = o.execution_id);

-- name: BatchLock :many
-- Keeps messages for a batch: those that nobody is at work on, e.g. to cancel them.
SELECT execution_id FROM outbox WHERE execution_id = ANY (@execution_ids::uuid[]) AND unbatched AND lane IS NOT NULL FOR UPDATE SKIP LOCKED;

-- name: BatchInsert :exec
-- Makes one firing of messages: they leave the outbox, and what they were is kept for those that fail.
WITH taken AS (
    DELETE FROM outbox o WHERE o.execution_id = ANY (@execution_ids::uuid[]) AND o.unbatched RETURNING o.*
), name AS (
    SELECT unnest(@execution_ids::uuid[]) AS execution_id, unnest(@message_ids::text[]) AS message_id
), member AS (
    INSERT INTO batch_messages AS b (execution_id, app_id, batch_id, event_id, message_id, priority, ordering_key, turn, queued_at)
    SELECT t.execution_id, t.app_id, @batch_id, t.event_id, n.message_id, t.priority, t.ordering_key, t.turn, t.created_at
    FROM taken t JOIN name n ON n.execution_id = t.execution_id
    ON CONFLICT (execution_id) DO UPDATE SET batch_id = EXCLUDED.batch_id
)
INSERT INTO outbox (execution_id, app_id, script_id, trigger_id, kind, event_id, what, root_id, parent_id, depth, replay_of, principal, lane, priority, ordering_key, turn, tried)
SELECT @batch_id, @app_id, @script_id, @trigger_id, 'queue', @event_id, @what, @root_id, sqlc.narg(parent_id)::uuid, @depth, sqlc.narg(replay_of)::uuid, @principal, @trigger_id,
       max(t.priority), max(t.ordering_key), min(t.turn), max(t.tried)
FROM taken t HAVING count(*) > 0;

-- name: BatchMemberInsert :exec
-- Gives a message of a batch that was not gathered (a replay, a firing by hand) what those that were have.
INSERT INTO batch_messages (execution_id, app_id, batch_id, event_id, message_id, queued_at) VALUES (@execution_id, @app_id, @batch_id, @event_id, @message_id, @queued_at);

-- name: BatchMembers :many
SELECT b.execution_id, b.event_id, b.message_id, b.queued_at, e.root_id, e.parent_id, e.depth FROM batch_messages b LEFT JOIN events e ON e.id = b.event_id WHERE b.batch_id = @batch_id;

-- name: BatchRetry :exec
-- Queues messages of a batch again, each as it was.
INSERT INTO outbox (execution_id, app_id, script_id, trigger_id, kind, event_id, what, root_id, parent_id, depth, replay_of, principal, due_at, lane, priority, ordering_key, turn, unbatched, tried, created_at)
SELECT b.execution_id, b.app_id, @script_id, @trigger_id, 'queue', b.event_id, @what, e.root_id, e.parent_id, e.depth, sqlc.narg(replay_of)::uuid, @principal,
       clock_timestamp() + sqlc.arg(delay_ms)::bigint * interval '1 millisecond', t.id, b.priority, b.ordering_key, b.turn, t.id IS NULL OR d.batch_size IS NOT NULL, @tried, b.queued_at
FROM batch_messages b JOIN events e ON e.id = b.event_id LEFT JOIN triggers t ON t.id = @trigger_id LEFT JOIN queue_trigger_details d ON d.trigger_id = t.id
WHERE b.batch_id = @batch_id AND b.execution_id = ANY (@execution_ids::uuid[]);

-- name: BatchOf :one
-- The execution that a message has become part of last.
SELECT b.batch_id FROM batch_messages b WHERE b.execution_id = @execution_id AND b.app_id = @app_id;

-- name: BatchMemberDeleteOld :execrows
DELETE FROM batch_messages WHERE queued_at < now() - sqlc.arg(keep_days)::int * interval '1 day';

-- name: BatchLetter :one
-- The first letter of a batch that failed as a whole.
SELECT l.id FROM executions x JOIN batch_messages b ON b.batch_id = x.id JOIN dead_letters l ON l.execution_id = b.execution_id
WHERE x.id = @batch_id AND x.status = 'dead_lettered' ORDER BY b.execution_id LIMIT 1;
