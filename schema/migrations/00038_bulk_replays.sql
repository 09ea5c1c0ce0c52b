-- +goose Up

-- A row a bulk replay: what was asked for, and how far it is. Every page of letters is one transaction with its progress here.
CREATE TABLE bulk_replays (
    id              uuid PRIMARY KEY, -- newer than the letters that it takes
    app_id          uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    request         json NOT NULL, -- picloud.BulkRequest
    principal       text NOT NULL,
    idempotency_key text,
    status          text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'canceled')),
    total           bigint NOT NULL,
    replayed        bigint NOT NULL DEFAULT 0,
    skipped         bigint NOT NULL DEFAULT 0,
    report          json, -- picloud.BulkReport of a dry run
    after           uuid, -- the last letter that was looked at
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    UNIQUE (app_id, idempotency_key),
    CHECK ((status = 'running') = (finished_at IS NULL))
);
CREATE INDEX bulk_replays_by_app ON bulk_replays (app_id, id);
CREATE INDEX bulk_replays_running ON bulk_replays (id) WHERE status = 'running';

-- +goose Down
DROP TABLE bulk_replays;
