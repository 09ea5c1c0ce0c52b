-- +goose Up

-- Where the app's scripts may fetch from (picloud.ParseFetchRules); empty = every public host.
ALTER TABLE apps ADD COLUMN fetch_allow text[] NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE apps DROP COLUMN fetch_allow;
