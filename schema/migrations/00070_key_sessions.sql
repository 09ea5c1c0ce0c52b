-- +goose Up

-- A session that an API key began has the key's rights, and ends with it.
ALTER TABLE sessions ADD COLUMN api_key_id uuid REFERENCES api_keys ON DELETE CASCADE;
CREATE INDEX sessions_by_api_key ON sessions (api_key_id);

-- +goose Down
ALTER TABLE sessions DROP COLUMN api_key_id;
