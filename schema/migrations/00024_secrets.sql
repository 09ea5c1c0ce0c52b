-- +goose Up

-- Values are sealed by the instance's key (internal/secrets), each bound to its app and name.
CREATE TABLE secrets (
    app_id     uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    name       text NOT NULL COLLATE "C",
    sealed     bytea NOT NULL,
    key_id     bigint NOT NULL, -- of the key that sealed it
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, name)
);
CREATE INDEX secrets_by_key ON secrets (key_id);

-- The key that seals now, with a known text that it sealed: an instance with another key is told at its start.
CREATE TABLE instance_key (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    key_id     bigint NOT NULL,
    proof      bytea NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE instance_key, secrets;
