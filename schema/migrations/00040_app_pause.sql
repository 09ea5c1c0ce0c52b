-- +goose Up

-- Null = the app runs. While it is paused nothing of it leaves the outbox, and nothing is started.
ALTER TABLE apps ADD COLUMN paused_at timestamptz, ADD COLUMN paused_by text;
CREATE INDEX apps_paused ON apps (id) WHERE paused_at IS NOT NULL;

-- A row of a paused app that a claim has come across: it is out of the claims' index until the app is resumed, so that what waits there costs the others nothing.
ALTER TABLE outbox ADD COLUMN parked boolean NOT NULL DEFAULT false;
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (due_at) WHERE lane IS NULL AND NOT parked;

-- A lane of a paused app lets nothing out, as one of a disabled trigger.
CREATE OR REPLACE VIEW queue_lanes AS
SELECT d.trigger_id,
       CASE WHEN NOT t.enabled OR a.paused_at IS NOT NULL THEN 0
            WHEN d.max_concurrency IS NULL THEN 1000000
            ELSE GREATEST(0, d.max_concurrency - (SELECT count(*) FROM queue_slots s WHERE s.trigger_id = d.trigger_id))
       END::int AS free
FROM queue_trigger_details d JOIN triggers t ON t.id = d.trigger_id JOIN apps a ON a.id = t.app_id;

-- +goose Down
CREATE OR REPLACE VIEW queue_lanes AS
SELECT d.trigger_id,
       CASE WHEN NOT t.enabled THEN 0
            WHEN d.max_concurrency IS NULL THEN 1000000
            ELSE GREATEST(0, d.max_concurrency - (SELECT count(*) FROM queue_slots s WHERE s.trigger_id = d.trigger_id))
       END::int AS free
FROM queue_trigger_details d JOIN triggers t ON t.id = d.trigger_id;
DROP INDEX outbox_due;
ALTER TABLE outbox DROP COLUMN parked;
CREATE INDEX outbox_due ON outbox (due_at) WHERE lane IS NULL;
DROP INDEX apps_paused;
ALTER TABLE apps DROP COLUMN paused_by, DROP COLUMN paused_at;
