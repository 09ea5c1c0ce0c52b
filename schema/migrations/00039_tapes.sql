-- +goose Up

-- What a failed attempt got from the outside: picloud.Tape. The last one of a dead letter is kept with it, since attempts are dropped earlier.
ALTER TABLE execution_attempts ADD COLUMN tape json;
CREATE TABLE dead_letter_tapes (
    dead_letter_id uuid PRIMARY KEY REFERENCES dead_letters ON DELETE CASCADE,
    attempt        int NOT NULL,
    clock          timestamptz,
    seed           bigint,
    tape           json NOT NULL
);

-- How many unresolved letters of an app were dropped past their retention.
CREATE TABLE dead_letters_dropped (
    app_id  uuid PRIMARY KEY REFERENCES apps ON DELETE CASCADE,
    letters bigint NOT NULL,
    last_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE dead_letters_dropped;
DROP TABLE dead_letter_tapes;
ALTER TABLE execution_attempts DROP COLUMN tape;
