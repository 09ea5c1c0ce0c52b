-- +goose Up

-- A name is never given twice: the row of a deleted principal stays.
CREATE TABLE principals (
    id             uuid PRIMARY KEY DEFAULT uuid_v7(),
    kind           text NOT NULL CHECK (kind IN ('person', 'service')),
    name           text NOT NULL COLLATE "C" UNIQUE,
    email          text COLLATE "C" UNIQUE, -- lower case
    instance_admin boolean NOT NULL DEFAULT false,
    disabled       boolean NOT NULL DEFAULT false,
    password_hash  text, -- argon2id
    created_at     timestamptz NOT NULL DEFAULT now(),
    deleted_at     timestamptz
);
INSERT INTO principals (kind, name, instance_admin) VALUES ('person', 'admin', true);
INSERT INTO principals (kind, name) SELECT DISTINCT 'service', registered_by_principal FROM triggers ON CONFLICT DO NOTHING;

CREATE TABLE app_members (
    app_id       uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    principal_id uuid NOT NULL REFERENCES principals,
    role         text NOT NULL CHECK (role IN ('viewer', 'developer', 'app_admin')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal_id, app_id)
);
CREATE INDEX app_members_by_app ON app_members (app_id);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY DEFAULT uuid_v7(),
    principal_id uuid NOT NULL REFERENCES principals,
    prefix       text NOT NULL COLLATE "C" UNIQUE, -- 'bootstrap' is the key of the configuration
    digest       bytea NOT NULL,                   -- SHA-256 of the whole key
    app_id       uuid REFERENCES apps ON DELETE CASCADE,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_by_principal ON api_keys (principal_id, id);
CREATE INDEX api_keys_by_app ON api_keys (app_id) WHERE app_id IS NOT NULL;

ALTER TABLE triggers ADD CONSTRAINT triggers_registered_by_principal_fkey FOREIGN KEY (registered_by_principal) REFERENCES principals (name);
ALTER TABLE triggers ADD COLUMN disabled_reason text NOT NULL DEFAULT ''; -- why the platform disabled it; '' = it did not
CREATE INDEX triggers_by_principal ON triggers (registered_by_principal);

-- +goose Down
ALTER TABLE triggers DROP COLUMN disabled_reason, DROP CONSTRAINT triggers_registered_by_principal_fkey;
DROP INDEX triggers_by_principal;
DROP TABLE api_keys, app_members, principals;
