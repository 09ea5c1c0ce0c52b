-- +goose Up

CREATE TABLE email_trigger_details (
    trigger_id uuid PRIMARY KEY REFERENCES triggers ON DELETE CASCADE,
    address    text NOT NULL -- glob on the local part, whatever its case
);

-- +goose Down
DROP TABLE email_trigger_details;
