-- +goose Up

CREATE TABLE queue_trigger_details (
    trigger_id      uuid PRIMARY KEY REFERENCES triggers ON DELETE CASCADE,
    queue           text NOT NULL, -- exact name
    max_concurrency int CHECK (max_concurrency > 0) -- null = no bound
);
CREATE INDEX queue_trigger_details_by_queue ON queue_trigger_details (queue);

-- The queue trigger whose turn a firing waits for; null = it waits for nobody, as all other kinds. A trigger that goes leaves its firings behind, to run at once.
ALTER TABLE outbox ADD COLUMN lane uuid REFERENCES queue_trigger_details ON DELETE SET NULL;
ALTER TABLE outbox ADD COLUMN priority smallint NOT NULL DEFAULT 0; -- within a lane: higher first
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (due_at) WHERE lane IS NULL;
CREATE INDEX outbox_lane_turn ON outbox (lane, priority DESC, due_at, execution_id) WHERE lane IS NOT NULL;
CREATE INDEX outbox_lane_due ON outbox (lane, due_at) WHERE lane IS NOT NULL;

-- A row an execution that has left its lane and not ended: it is taken by the claim and given back in the transaction that ends the execution. max_concurrency bounds them.
CREATE TABLE queue_slots (
    execution_id uuid PRIMARY KEY,
    trigger_id   uuid NOT NULL REFERENCES queue_trigger_details ON DELETE CASCADE,
    app_id       uuid NOT NULL,
    taken_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX queue_slots_by_trigger ON queue_slots (trigger_id);

-- The lanes with the number of executions that may leave each of them now.
CREATE VIEW queue_lanes AS
SELECT d.trigger_id,
       CASE WHEN NOT t.enabled THEN 0
            WHEN d.max_concurrency IS NULL THEN 1000000
            ELSE GREATEST(0, d.max_concurrency - (SELECT count(*) FROM queue_slots s WHERE s.trigger_id = d.trigger_id))
       END::int AS free
FROM queue_trigger_details d JOIN triggers t ON t.id = d.trigger_id;

-- +goose Down
DROP VIEW queue_lanes;
DROP TABLE queue_slots;
DROP INDEX outbox_lane_due, outbox_lane_turn, outbox_due;
CREATE INDEX outbox_due ON outbox (due_at);
ALTER TABLE outbox DROP COLUMN priority;
ALTER TABLE outbox DROP COLUMN lane;
DROP TABLE queue_trigger_details;
