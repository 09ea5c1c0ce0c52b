-- +goose Up

CREATE TABLE dead_letters (
    id                  uuid PRIMARY KEY,
    app_id              uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    execution_id        uuid NOT NULL UNIQUE,
    script_id           uuid NOT NULL,
    script              text NOT NULL,
    version             int  NOT NULL,
    trigger_id          uuid,
    trigger             text NOT NULL,
    kind                text NOT NULL,
    reason              text NOT NULL,
    error               json NOT NULL, -- picloud.ScriptError
    event               json NOT NULL, -- picloud.Event, whole: it outlives the partition of events
    attempts            int  NOT NULL,
    depth               int  NOT NULL,
    root_id             uuid NOT NULL,
    parent_id           uuid,
    fingerprint         text NOT NULL,
    principal           text NOT NULL,
    resolution          text CHECK (resolution IN ('replayed', 'ignored', 'handled_by_script', 'handler_failed')),
    resolved_at         timestamptz,
    resolved_by         text,
    note                text,
    replay_execution_id uuid,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CHECK ((resolution IS NULL) = (resolved_at IS NULL))
);
CREATE INDEX dead_letters_by_app ON dead_letters (app_id, id);
CREATE INDEX dead_letters_unresolved ON dead_letters (app_id, id) WHERE resolution IS NULL;

-- +goose Down
DROP TABLE dead_letters;
