-- +goose Up

CREATE TABLE pubsub_trigger_details (
    trigger_id uuid PRIMARY KEY REFERENCES triggers ON DELETE CASCADE,
    topic      text NOT NULL -- glob
);

-- +goose Down
DROP TABLE pubsub_trigger_details;
