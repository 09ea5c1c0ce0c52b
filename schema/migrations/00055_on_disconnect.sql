-- +goose Up

-- What becomes of an execution whose waiting caller leaves: it goes on, or it is canceled.
ALTER TABLE http_trigger_details ADD COLUMN on_disconnect text NOT NULL DEFAULT 'continue' CHECK (on_disconnect IN ('continue', 'cancel'));

-- +goose Down
ALTER TABLE http_trigger_details DROP COLUMN on_disconnect;
