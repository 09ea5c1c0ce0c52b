-- +goose Up

-- What a batch's messages are, so that those that failed can be queued again as they were: each under the id of the execution that its sender was told.
ALTER TABLE batch_messages
    ADD COLUMN event_id     uuid NOT NULL,          -- of the message, or of a batch of one where it was replayed or fired by hand
    ADD COLUMN message_id   text NOT NULL,          -- as the script sees it
    ADD COLUMN priority     smallint NOT NULL DEFAULT 0,
    ADD COLUMN ordering_key text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN turn         bigint,
    ADD COLUMN queued_at    timestamptz NOT NULL;
CREATE INDEX batch_messages_by_batch ON batch_messages (batch_id);

-- Messages that wait for their batch are in the lane of their trigger, but no claim from the lanes sees them: what it sees is their batch.
DROP VIEW lane_keys;
DROP INDEX outbox_lane_turn, outbox_lane_due;
CREATE INDEX outbox_lane_turn ON outbox (lane, concurrency_key, throttle_key, ordering_key, priority DESC, due_at, execution_id) WHERE lane IS NOT NULL AND NOT unbatched;
CREATE INDEX outbox_lane_due ON outbox (lane, concurrency_key, throttle_key, ordering_key, due_at) WHERE lane IS NOT NULL AND NOT unbatched;
CREATE INDEX outbox_unbatched ON outbox (lane, priority DESC, due_at, execution_id) WHERE unbatched;
CREATE INDEX outbox_unbatched_due ON outbox (lane, due_at) WHERE unbatched;
CREATE VIEW lane_keys AS
WITH RECURSIVE k AS (
    (SELECT o.lane, o.concurrency_key, o.throttle_key, o.ordering_key FROM outbox o WHERE o.lane IS NOT NULL AND NOT o.unbatched
     ORDER BY o.lane, o.concurrency_key, o.throttle_key, o.ordering_key LIMIT 1)
    UNION ALL
    SELECT n.lane, n.concurrency_key, n.throttle_key, n.ordering_key FROM k, LATERAL (
        SELECT o.lane, o.concurrency_key, o.throttle_key, o.ordering_key FROM outbox o
        WHERE o.lane IS NOT NULL AND NOT o.unbatched AND (o.lane, o.concurrency_key, o.throttle_key, o.ordering_key) > (k.lane, k.concurrency_key, k.throttle_key, k.ordering_key)
        ORDER BY o.lane, o.concurrency_key, o.throttle_key, o.ordering_key LIMIT 1
    ) AS n
), bound AS (
    SELECT t.id, t.app_id, CASE WHEN d.max_concurrency IS NULL THEN 1000000 ELSE d.max_concurrency - (SELECT count(*) FROM lane_slots s WHERE s.trigger_id = t.id) END AS room,
           (t.flow #>> '{concurrency,limit}')::int AS concurrency, (t.flow #>> '{throttle,limit}')::int AS throttle,
           (t.flow #>> '{throttle,per}')::bigint / 1000 * interval '1 microsecond' AS per
    FROM triggers t LEFT JOIN queue_trigger_details d ON d.trigger_id = t.id
    WHERE t.id IN (SELECT k.lane FROM k) AND (t.enabled OR t.kind <> 'queue')
)
SELECT k.lane, b.app_id, k.concurrency_key, k.throttle_key, k.ordering_key,
       b.room::bigint AS lane_room,
       CASE WHEN b.concurrency IS NULL THEN 1000000
            ELSE b.concurrency - (SELECT count(*) FROM lane_slots s WHERE s.trigger_id = k.lane AND s.concurrency_key = k.concurrency_key) END::bigint AS key_room,
       CASE WHEN k.ordering_key = '' THEN 1000000
            WHEN EXISTS (SELECT FROM lane_slots s WHERE s.trigger_id = k.lane AND s.ordering_key = k.ordering_key AND s.ordering_key <> '') THEN 0 ELSE 1 END::bigint AS order_room,
       CASE WHEN b.throttle IS NULL THEN 1000000 ELSE b.throttle - r.started END::bigint AS throttle_room,
       (r.first + b.per)::timestamptz AS opens_at
FROM k JOIN bound b ON b.id = k.lane
LEFT JOIN LATERAL (
    SELECT count(*) AS started, min(s.started_at) AS first FROM lane_starts s
    WHERE b.throttle IS NOT NULL AND s.trigger_id = k.lane AND s.throttle_key = k.throttle_key AND s.started_at > clock_timestamp() - b.per
) AS r ON true;

-- batch_lanes gives the triggers that may begin batches now, with how many (room); what they have waiting is counted no further than 2000 messages.
CREATE VIEW batch_lanes AS
SELECT t.id AS trigger_id, t.app_id, t.script_id, t.registered_by_principal, d.queue, d.batch_size, d.batch_window_ms * interval '1 millisecond' AS batch_window,
       (COALESCE(d.max_concurrency, 1000000) - (SELECT count(*) FROM lane_slots s WHERE s.trigger_id = t.id)
        - (SELECT count(*) FROM (SELECT FROM outbox o WHERE o.lane = t.id AND NOT o.unbatched AND NOT EXISTS (SELECT FROM lane_slots s WHERE s.execution_id = o.execution_id) LIMIT 1000) AS made))::bigint AS room
FROM queue_trigger_details d JOIN triggers t ON t.id = d.trigger_id JOIN apps a ON a.id = t.app_id
WHERE d.batch_size IS NOT NULL AND t.enabled AND a.paused_at IS NULL;

-- batch_waiting gives the due messages of those triggers, the next ones first; with an ordering key only those in whose way there is nothing: no execution of the key, no message of it that is
-- not due. Messages of one ordering key, of one number of attempts and of one replay make batches of their own. ripe_at is when a message has waited for long enough.
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

-- +goose Down
DROP VIEW batch_waiting;
DROP VIEW batch_lanes;
DROP VIEW lane_keys;
DROP INDEX outbox_unbatched_due, outbox_unbatched, outbox_lane_due, outbox_lane_turn;
CREATE INDEX outbox_lane_turn ON outbox (lane, concurrency_key, throttle_key, ordering_key, priority DESC, due_at, execution_id) WHERE lane IS NOT NULL;
CREATE INDEX outbox_lane_due ON outbox (lane, concurrency_key, throttle_key, ordering_key, due_at) WHERE lane IS NOT NULL;
CREATE VIEW lane_keys AS
WITH RECURSIVE k AS (
    (SELECT o.lane, o.concurrency_key, o.throttle_key, o.ordering_key FROM outbox o WHERE o.lane IS NOT NULL
     ORDER BY o.lane, o.concurrency_key, o.throttle_key, o.ordering_key LIMIT 1)
    UNION ALL
    SELECT n.lane, n.concurrency_key, n.throttle_key, n.ordering_key FROM k, LATERAL (
        SELECT o.lane, o.concurrency_key, o.throttle_key, o.ordering_key FROM outbox o
        WHERE o.lane IS NOT NULL AND (o.lane, o.concurrency_key, o.throttle_key, o.ordering_key) > (k.lane, k.concurrency_key, k.throttle_key, k.ordering_key)
        ORDER BY o.lane, o.concurrency_key, o.throttle_key, o.ordering_key LIMIT 1
    ) AS n
), bound AS (
    SELECT t.id, t.app_id, CASE WHEN d.max_concurrency IS NULL THEN 1000000 ELSE d.max_concurrency - (SELECT count(*) FROM lane_slots s WHERE s.trigger_id = t.id) END AS room,
           (t.flow #>> '{concurrency,limit}')::int AS concurrency, (t.flow #>> '{throttle,limit}')::int AS throttle,
           (t.flow #>> '{throttle,per}')::bigint / 1000 * interval '1 microsecond' AS per
    FROM triggers t LEFT JOIN queue_trigger_details d ON d.trigger_id = t.id
    WHERE t.id IN (SELECT k.lane FROM k) AND (t.enabled OR t.kind <> 'queue')
)
SELECT k.lane, b.app_id, k.concurrency_key, k.throttle_key, k.ordering_key,
       b.room::bigint AS lane_room,
       CASE WHEN b.concurrency IS NULL THEN 1000000
            ELSE b.concurrency - (SELECT count(*) FROM lane_slots s WHERE s.trigger_id = k.lane AND s.concurrency_key = k.concurrency_key) END::bigint AS key_room,
       CASE WHEN k.ordering_key = '' THEN 1000000
            WHEN EXISTS (SELECT FROM lane_slots s WHERE s.trigger_id = k.lane AND s.ordering_key = k.ordering_key AND s.ordering_key <> '') THEN 0 ELSE 1 END::bigint AS order_room,
       CASE WHEN b.throttle IS NULL THEN 1000000 ELSE b.throttle - r.started END::bigint AS throttle_room,
       (r.first + b.per)::timestamptz AS opens_at
FROM k JOIN bound b ON b.id = k.lane
LEFT JOIN LATERAL (
    SELECT count(*) AS started, min(s.started_at) AS first FROM lane_starts s
    WHERE b.throttle IS NOT NULL AND s.trigger_id = k.lane AND s.throttle_key = k.throttle_key AND s.started_at > clock_timestamp() - b.per
) AS r ON true;
DROP INDEX batch_messages_by_batch;
ALTER TABLE batch_messages DROP COLUMN queued_at, DROP COLUMN turn, DROP COLUMN ordering_key, DROP COLUMN priority, DROP COLUMN message_id, DROP COLUMN event_id;
