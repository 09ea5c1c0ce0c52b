-- +goose Up

-- Null = the app runs. While it is paused nothing of it leaves the outbox, and nothing is started.
ALTER TABLE apps ADD COLUMN paused_at timestamptz, ADD COLUMN paused_by text;
CREATE INDEX apps_paused ON apps (id) WHERE paused_at IS NOT NULL;

-- A row of a paused app that a claim has come across: it is out of the claims' index until the app is resumed, so that what waits there costs the others nothing.
ALTER TABLE outbox ADD COLUMN parked boolean NOT NULL DEFAULT false;
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (due_at) WHERE lane IS NULL AND NOT parked;

-- +goose Down
DROP INDEX outbox_due;
ALTER TABLE outbox DROP COLUMN parked;
CREATE INDEX outbox_due ON outbox (due_at) WHERE lane IS NULL;
DROP INDEX apps_paused;
ALTER TABLE apps DROP COLUMN paused_by, DROP COLUMN paused_at;
