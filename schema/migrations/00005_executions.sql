-- +goose Up

-- Events and executions are partitioned by day on their UUIDv7 key. The default partition takes what has no day yet, so that no insert ever fails.
CREATE TABLE events (
    id           uuid NOT NULL PRIMARY KEY,
    app_id       uuid NOT NULL,
    type         text NOT NULL,
    source       text NOT NULL,
    subject      text NOT NULL,
    time         timestamptz NOT NULL,
    content_type text NOT NULL DEFAULT 'application/json',
    data         json,
    root_id      uuid NOT NULL,
    parent_id    uuid, -- the execution whose effect the event is
    depth        int NOT NULL,
    traceparent  text NOT NULL DEFAULT '',
    replay_of    uuid
) PARTITION BY RANGE (id);
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- The one async dispatch substrate: a row is a firing that is due and whose workflow is not started yet. The row is written in the transaction of
-- the change that fires, and deleted when Temporal has the workflow. A claim is a lease: it moves due_at into the future.
CREATE TABLE outbox (
    execution_id uuid PRIMARY KEY,
    app_id       uuid NOT NULL,
    script_id    uuid NOT NULL,
    version      int, -- null = the one that is active when the row is claimed
    trigger_id   uuid,
    kind         text NOT NULL,
    event_id     uuid NOT NULL,
    what         text NOT NULL, -- for people: 'kv orders/42 created'
    root_id      uuid NOT NULL,
    parent_id    uuid,
    depth        int NOT NULL,
    replay_of    uuid,
    principal    text NOT NULL,
    due_at       timestamptz NOT NULL DEFAULT now(),
    claims       int NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_due ON outbox (due_at);
CREATE INDEX outbox_by_app ON outbox (app_id, execution_id);

-- Append-only: ONE row an execution, written at its end.
CREATE TABLE executions (
    id          uuid NOT NULL PRIMARY KEY,
    app_id      uuid NOT NULL,
    status      text NOT NULL CHECK (status IN ('succeeded', 'failed', 'dead_lettered', 'canceled')),
    script      text NOT NULL,
    version     int  NOT NULL,
    trigger_id  uuid,
    trigger     text NOT NULL,
    kind        text NOT NULL,
    event_id    uuid NOT NULL,
    result      json, -- picloud.Result
    error       json, -- picloud.ScriptError
    logs        json, -- []picloud.LogLine
    effects     json, -- []picloud.Effect
    attempts    int  NOT NULL,
    depth       int  NOT NULL,
    root_id     uuid NOT NULL,
    parent_id   uuid,
    replay_of   uuid,
    principal   text NOT NULL,
    queued_at   timestamptz NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL
) PARTITION BY RANGE (id);
CREATE TABLE executions_default PARTITION OF executions DEFAULT;
CREATE INDEX executions_by_app ON executions (app_id, id);
CREATE INDEX executions_by_root ON executions (root_id, id);

-- A row a failed attempt.
CREATE TABLE execution_attempts (
    execution_id   uuid NOT NULL,
    attempt        int  NOT NULL,
    error          json NOT NULL, -- picloud.ScriptError
    logs           json,
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz NOT NULL,
    retry_after_ms bigint NOT NULL, -- until the next attempt; 0 = there is none
    PRIMARY KEY (execution_id, attempt)
) PARTITION BY RANGE (execution_id);
CREATE TABLE execution_attempts_default PARTITION OF execution_attempts DEFAULT;

-- A key of the header Idempotency-Key stands for the first execution that carried it.
CREATE TABLE idempotency_keys (
    app_id       uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    key          text NOT NULL,
    execution_id uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Forensic: a run finished, and the caller's inbox was gone.
CREATE TABLE abandoned_executions (
    execution_id uuid PRIMARY KEY,
    app_id       uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    script       text NOT NULL,
    trigger      text NOT NULL,
    status       text NOT NULL,
    result       json,
    error        json,
    abandoned_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX abandoned_executions_by_app ON abandoned_executions (app_id, execution_id);

-- +goose Down
DROP TABLE abandoned_executions, idempotency_keys, execution_attempts, executions, outbox, events;
