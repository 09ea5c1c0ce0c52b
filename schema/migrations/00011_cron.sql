-- +goose Up

CREATE TABLE cron_trigger_details (
    trigger_id        uuid PRIMARY KEY REFERENCES triggers ON DELETE CASCADE,
    schedule          text NOT NULL, -- as it was given
    timezone          text NOT NULL, -- IANA name; '' = UTC
    overlap           text NOT NULL CHECK (overlap IN ('skip', 'buffer_one', 'allow_all', 'cancel_other')),
    catchup_window_ms bigint NOT NULL,
    jitter_ms         bigint NOT NULL
);

-- +goose Down
DROP TABLE cron_trigger_details;
