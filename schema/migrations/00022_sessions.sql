-- +goose Up

-- A person who has signed in: the browser's cookie holds the token, the row its SHA-256.
CREATE TABLE sessions (
    digest       bytea PRIMARY KEY,
    principal_id uuid NOT NULL REFERENCES principals,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_by_principal ON sessions (principal_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- +goose Down
DROP TABLE sessions;
