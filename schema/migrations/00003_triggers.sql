-- +goose Up

-- One parent table with what all kinds have, one detail table a kind.
CREATE TABLE triggers (
    id                      uuid PRIMARY KEY DEFAULT uuid_v7(),
    app_id                  uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    name                    text NOT NULL COLLATE "C",
    kind                    text NOT NULL CHECK (kind IN ('http', 'kv', 'cron', 'pubsub', 'queue', 'email', 'dead_letter')),
    script_id               uuid NOT NULL REFERENCES scripts,
    enabled                 boolean NOT NULL DEFAULT true,
    retry                   jsonb, -- picloud.RetryPolicy; null = the instance's defaults
    registered_by_principal text NOT NULL,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    UNIQUE (app_id, name)
);
CREATE INDEX triggers_by_script ON triggers (script_id);
CREATE INDEX triggers_enabled_by_kind ON triggers (app_id, kind) WHERE enabled;

CREATE TABLE http_trigger_details (
    trigger_id uuid PRIMARY KEY REFERENCES triggers ON DELETE CASCADE,
    methods    text[] NOT NULL DEFAULT '{}', -- empty = all
    path       text NOT NULL DEFAULT '',     -- '' = all
    mode       text NOT NULL CHECK (mode IN ('sync', 'async')),
    auth       text NOT NULL CHECK (auth IN ('key', 'none', 'webhook'))
);

CREATE TABLE kv_trigger_details (
    trigger_id uuid PRIMARY KEY REFERENCES triggers ON DELETE CASCADE,
    collection text NOT NULL,                -- glob
    operations text[] NOT NULL DEFAULT '{}', -- of created, updated, deleted; empty = all
    key        text NOT NULL DEFAULT '*'     -- glob
);

-- +goose Down
DROP TABLE kv_trigger_details, http_trigger_details, triggers;
