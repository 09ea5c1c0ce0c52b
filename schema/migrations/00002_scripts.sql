-- +goose Up

CREATE TABLE apps (
    id         uuid PRIMARY KEY DEFAULT uuid_v7(),
    slug       text NOT NULL COLLATE "C" UNIQUE,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE scripts (
    id             uuid PRIMARY KEY DEFAULT uuid_v7(),
    app_id         uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    name           text NOT NULL COLLATE "C",
    active_version int  NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (app_id, name)
);

-- A version never changes: no UPDATE is made on this table.
CREATE TABLE script_versions (
    script_id      uuid NOT NULL REFERENCES scripts ON DELETE CASCADE,
    version        int  NOT NULL CHECK (version > 0),
    language       text NOT NULL CHECK (language IN ('ts', 'js')),
    source         text NOT NULL,
    sha256         text NOT NULL, -- of language, limits and source
    code           bytea NOT NULL,
    source_map     bytea NOT NULL,
    program_sha256 text NOT NULL, -- of code
    limits         jsonb NOT NULL, -- picloud.Limits
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (script_id, version),
    UNIQUE (script_id, sha256)
);

-- +goose Down
DROP TABLE script_versions, scripts, apps;
