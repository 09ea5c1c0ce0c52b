-- +goose Up

-- Flow control of a trigger of any kind; null = none. picloud.Flow, durations in nanoseconds.
ALTER TABLE triggers ADD COLUMN flow jsonb;

-- A lane is where the firings of one trigger wait for their turn: those of queues, and those of triggers with flow control. Within it they are told apart by their keys; '' = none.
DROP VIEW queue_lanes;
ALTER TABLE outbox DROP CONSTRAINT outbox_lane_fkey;
ALTER TABLE outbox ADD CONSTRAINT outbox_lane_fkey FOREIGN KEY (lane) REFERENCES triggers ON DELETE SET NULL;
ALTER TABLE outbox ADD COLUMN ordering_key text COLLATE "C" NOT NULL DEFAULT '';    -- of the message: one at a time, in the order of sending
ALTER TABLE outbox ADD COLUMN concurrency_key text COLLATE "C" NOT NULL DEFAULT ''; -- flow.concurrency bounds those of one key
ALTER TABLE outbox ADD COLUMN throttle_key text COLLATE "C" NOT NULL DEFAULT '';    -- flow.throttle, likewise
ALTER TABLE outbox ADD COLUMN debounce_key text COLLATE "C";                        -- set while a later event may take the firing's place
CREATE SEQUENCE outbox_turn;
ALTER TABLE outbox ADD COLUMN turn bigint; -- with an ordering key: its place in the order, of the sequence

DROP INDEX outbox_lane_turn, outbox_lane_due;
CREATE INDEX outbox_lane_turn ON outbox (lane, concurrency_key, throttle_key, ordering_key, priority DESC, due_at, execution_id) WHERE lane IS NOT NULL;
CREATE INDEX outbox_lane_due ON outbox (lane, concurrency_key, throttle_key, ordering_key, due_at) WHERE lane IS NOT NULL;
CREATE INDEX outbox_lane_waiting ON outbox (due_at) WHERE lane IS NOT NULL;
-- Not by lane: what has come in and is not in its lane yet is before what was sent later.
CREATE INDEX outbox_order ON outbox (trigger_id, ordering_key, turn) WHERE ordering_key <> '';
CREATE INDEX outbox_debounce ON outbox (lane, debounce_key) WHERE debounce_key IS NOT NULL;

-- A message with an ordering key keeps it: in its event as the CloudEvents extension partitionkey, and so in its dead letter.
ALTER TABLE events ADD COLUMN partition_key text NOT NULL DEFAULT '';

ALTER TABLE queue_slots RENAME TO lane_slots;
ALTER INDEX queue_slots_pkey RENAME TO lane_slots_pkey;
ALTER INDEX queue_slots_by_trigger RENAME TO lane_slots_by_trigger;
ALTER TABLE lane_slots DROP CONSTRAINT queue_slots_trigger_id_fkey;
ALTER TABLE lane_slots ADD CONSTRAINT lane_slots_trigger_id_fkey FOREIGN KEY (trigger_id) REFERENCES triggers ON DELETE CASCADE;
ALTER TABLE lane_slots ADD COLUMN ordering_key text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE lane_slots ADD COLUMN concurrency_key text COLLATE "C" NOT NULL DEFAULT '';
DROP INDEX lane_slots_by_trigger;
CREATE INDEX lane_slots_by_key ON lane_slots (trigger_id, concurrency_key);
CREATE INDEX lane_slots_by_order ON lane_slots (trigger_id, ordering_key) WHERE ordering_key <> '';

-- A row a firing that has left a throttled lane: those of the last period count.
CREATE TABLE lane_starts (
    execution_id uuid PRIMARY KEY,
    trigger_id   uuid NOT NULL REFERENCES triggers ON DELETE CASCADE,
    throttle_key text COLLATE "C" NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX lane_starts_by_key ON lane_starts (trigger_id, throttle_key, started_at);

-- lane_keys gives every combination of lane and keys in which firings wait, found by jumping from one to the next in the index outbox_lane_turn, with how many
-- firings each of its bounds lets go now: of the trigger's max_concurrency (lane_room), flow.concurrency (key_room), the ordering key (order_room) and flow.throttle
-- (throttle_room, and opens_at, when a full one has room again).
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


-- +goose Down
DROP VIEW lane_keys;
DROP TABLE lane_starts;
DROP INDEX lane_slots_by_order, lane_slots_by_key;
ALTER TABLE lane_slots DROP COLUMN concurrency_key, DROP COLUMN ordering_key;
DELETE FROM lane_slots WHERE trigger_id NOT IN (SELECT trigger_id FROM queue_trigger_details);
ALTER TABLE lane_slots DROP CONSTRAINT lane_slots_trigger_id_fkey;
ALTER INDEX lane_slots_pkey RENAME TO queue_slots_pkey;
ALTER TABLE lane_slots RENAME TO queue_slots;
ALTER TABLE queue_slots ADD CONSTRAINT queue_slots_trigger_id_fkey FOREIGN KEY (trigger_id) REFERENCES queue_trigger_details ON DELETE CASCADE;
CREATE INDEX queue_slots_by_trigger ON queue_slots (trigger_id);
ALTER TABLE events DROP COLUMN partition_key;
DROP INDEX outbox_debounce, outbox_order, outbox_lane_waiting, outbox_lane_due, outbox_lane_turn;
UPDATE outbox SET lane = NULL WHERE lane NOT IN (SELECT trigger_id FROM queue_trigger_details);
ALTER TABLE outbox DROP CONSTRAINT outbox_lane_fkey;
ALTER TABLE outbox ADD CONSTRAINT outbox_lane_fkey FOREIGN KEY (lane) REFERENCES queue_trigger_details ON DELETE SET NULL;
DROP SEQUENCE outbox_turn;
ALTER TABLE outbox DROP COLUMN turn, DROP COLUMN debounce_key, DROP COLUMN throttle_key, DROP COLUMN concurrency_key, DROP COLUMN ordering_key;
CREATE INDEX outbox_lane_turn ON outbox (lane, priority DESC, due_at, execution_id) WHERE lane IS NOT NULL;
CREATE INDEX outbox_lane_due ON outbox (lane, due_at) WHERE lane IS NOT NULL;
ALTER TABLE triggers DROP COLUMN flow;
CREATE VIEW queue_lanes AS
SELECT d.trigger_id,
       CASE WHEN NOT t.enabled THEN 0
            WHEN d.max_concurrency IS NULL THEN 1000000
            ELSE GREATEST(0, d.max_concurrency - (SELECT count(*) FROM queue_slots s WHERE s.trigger_id = d.trigger_id))
       END::int AS free
FROM queue_trigger_details d JOIN triggers t ON t.id = d.trigger_id;
