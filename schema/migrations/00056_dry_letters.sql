-- +goose Up

-- What a dry run of many letters found of each: a row a letter, written with the page that it is part of.
CREATE TABLE bulk_dry_letters (
    bulk_replay_id uuid NOT NULL REFERENCES bulk_replays ON DELETE CASCADE,
    dead_letter_id uuid NOT NULL, -- the letter may be dropped before
    outcome        text NOT NULL CHECK (outcome IN ('pass', 'fail', 'skipped')),
    error          json, -- picloud.ScriptError: why it would fail, or could not be run
    effects        json, -- []picloud.EffectDiff, as many as there was room for
    effects_total  int NOT NULL,
    changed_keys   json, -- []string: "collection/key" of those that have changed since the letter died
    PRIMARY KEY (bulk_replay_id, dead_letter_id)
);

-- +goose Down
DROP TABLE bulk_dry_letters;
