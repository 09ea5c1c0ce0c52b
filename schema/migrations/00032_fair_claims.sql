-- +goose Up

-- Claims take turns among the apps.
CREATE INDEX outbox_due_by_app ON outbox (app_id, due_at) WHERE lane IS NULL;

-- +goose Down
DROP INDEX outbox_due_by_app;
