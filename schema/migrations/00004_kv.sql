-- +goose Up

-- Versions grow over the whole table and never come back: a key that is made again is another version (no ABA).
CREATE SEQUENCE kv_version;

CREATE TABLE kv (
    app_id     uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    collection text NOT NULL COLLATE "C",
    key        text NOT NULL COLLATE "C",
    value      json NOT NULL, -- json, not jsonb: the text as it was written
    version    bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, collection, key)
);

-- +goose Down
DROP TABLE kv;
DROP SEQUENCE kv_version;
