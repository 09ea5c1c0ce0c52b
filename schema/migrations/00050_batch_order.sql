-- +goose Up

-- batch_waiting gives the due messages that may become part of batches. Without an ordering key: the next ones by priority and age. Of each ordering key whose messages neither run nor are under way:
-- the first ones in the order of sending, up to the first that may not go yet, as far as they fit into one batch and one more. ripe_at is when a message has waited for long enough.
DROP VIEW batch_waiting;
CREATE VIEW batch_waiting AS
WITH RECURSIVE l AS MATERIALIZED (
    SELECT * FROM batch_lanes WHERE room > 0
), k AS (
    SELECT l.trigger_id, (SELECT min(o.ordering_key) FROM outbox o WHERE o.trigger_id = l.trigger_id AND o.ordering_key <> '') AS ordering_key FROM l
    UNION ALL
    SELECT k.trigger_id, (SELECT min(o.ordering_key) FROM outbox o WHERE o.trigger_id = k.trigger_id AND o.ordering_key <> '' AND o.ordering_key > k.ordering_key) FROM k WHERE k.ordering_key IS NOT NULL
)
SELECT l.trigger_id, l.batch_size, o.execution_id, o.event_id, o.priority, o.due_at, o.ordering_key, o.turn, o.tried, o.replay_of, o.root_id, o.parent_id, o.depth, o.filter, o.created_at,
       CASE WHEN o.tried > 0 OR o.replay_of IS NOT NULL THEN o.due_at ELSE o.due_at + l.batch_window END::timestamptz AS ripe_at
FROM l, LATERAL (
    SELECT w.* FROM outbox w WHERE w.lane = l.trigger_id AND w.unbatched AND w.ordering_key = '' AND w.due_at <= now()
    ORDER BY w.priority DESC, w.due_at, w.execution_id LIMIT 2000
) AS o
UNION ALL
SELECT l.trigger_id, l.batch_size, o.execution_id, o.event_id, o.priority, o.due_at, o.ordering_key, o.turn, o.tried, o.replay_of, o.root_id, o.parent_id, o.depth, o.filter, o.created_at,
       CASE WHEN o.tried > 0 OR o.replay_of IS NOT NULL THEN o.due_at ELSE o.due_at + l.batch_window END::timestamptz AS ripe_at
FROM k JOIN l ON l.trigger_id = k.trigger_id, LATERAL (
    SELECT w.*, bool_and(w.lane IS NOT NULL AND w.unbatched AND w.due_at <= now()) OVER (ORDER BY w.turn) AS free FROM (
        SELECT * FROM outbox f WHERE f.trigger_id = k.trigger_id AND f.ordering_key = k.ordering_key AND f.ordering_key <> '' ORDER BY f.turn LIMIT l.batch_size + 1
    ) AS w
) AS o
WHERE k.ordering_key IS NOT NULL AND o.free
  AND NOT EXISTS (SELECT FROM lane_slots s WHERE s.trigger_id = k.trigger_id AND s.ordering_key = k.ordering_key AND s.ordering_key <> '');

-- +goose Down
DROP VIEW batch_waiting;
CREATE VIEW batch_waiting AS
SELECT l.trigger_id, l.batch_size, o.execution_id, o.event_id, o.priority, o.due_at, o.ordering_key, o.turn, o.tried, o.replay_of, o.root_id, o.parent_id, o.depth, o.filter, o.created_at,
       CASE WHEN o.tried > 0 OR o.replay_of IS NOT NULL THEN o.due_at ELSE o.due_at + l.batch_window END::timestamptz AS ripe_at
FROM batch_lanes l, LATERAL (
    SELECT w.* FROM outbox w WHERE w.lane = l.trigger_id AND w.unbatched AND w.due_at <= now()
      AND (w.ordering_key = '' OR NOT EXISTS (SELECT FROM lane_slots s WHERE s.trigger_id = l.trigger_id AND s.ordering_key = w.ordering_key AND s.ordering_key <> '')
           AND NOT EXISTS (SELECT FROM outbox b WHERE b.trigger_id = l.trigger_id AND b.ordering_key = w.ordering_key AND b.ordering_key <> '' AND b.turn < w.turn AND (b.due_at > now() OR NOT b.unbatched)))
    ORDER BY w.priority DESC, w.due_at, w.execution_id LIMIT 2000
) AS o
WHERE l.room > 0;
