-- +goose Up

-- A batch is one execution of many messages. batch_size null = every message is an execution of its own.
ALTER TABLE queue_trigger_details ADD COLUMN batch_size int CHECK (batch_size BETWEEN 1 AND 500), ADD COLUMN batch_window_ms bigint NOT NULL DEFAULT 0;

-- Set while the firing is a message that waits to become part of a batch.
ALTER TABLE outbox ADD COLUMN unbatched boolean NOT NULL DEFAULT false;
ALTER TABLE outbox ADD COLUMN tried int NOT NULL DEFAULT 0; -- attempts that were made for the firing before it was made

-- Which execution a message has become part of, by the id of the execution that its sender was told.
CREATE TABLE batch_messages (
    execution_id uuid NOT NULL PRIMARY KEY,
    app_id       uuid NOT NULL,
    batch_id     uuid NOT NULL -- the batch's execution
);

-- +goose Down
DROP TABLE batch_messages;
ALTER TABLE outbox DROP COLUMN tried, DROP COLUMN unbatched;
ALTER TABLE queue_trigger_details DROP COLUMN batch_window_ms, DROP COLUMN batch_size;
