-- +goose Up

CREATE TABLE dead_letter_trigger_details (
    trigger_id uuid PRIMARY KEY REFERENCES triggers ON DELETE CASCADE,
    script     text NOT NULL DEFAULT '*',    -- glob on the name of the script that failed
    trigger    text NOT NULL DEFAULT '*',    -- glob on the name of the trigger that fired it; '' for a direct call
    reasons    text[] NOT NULL DEFAULT '{}'  -- empty = all
);

-- The dead letter that a firing handles.
ALTER TABLE outbox ADD COLUMN handles uuid;

-- How many handlers were fired for a letter, and how many of them have failed for good: when all have, the letter is 'handler_failed'.
ALTER TABLE dead_letters ADD COLUMN handlers int NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN handlers_failed int NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE dead_letters DROP COLUMN handlers_failed;
ALTER TABLE dead_letters DROP COLUMN handlers;
ALTER TABLE outbox DROP COLUMN handles;
DROP TABLE dead_letter_trigger_details;
