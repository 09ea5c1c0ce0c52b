-- +goose Up

-- When the row begins to count. The end of an execution whose caller waits in another process goes there by the workflow's result, and that process takes the row away when it has come: what is
-- still there at this time was awaited by nobody, since the process is dead or the caller has left.
ALTER TABLE abandoned_executions ADD COLUMN counts_at timestamptz NOT NULL DEFAULT now();

-- +goose Down
ALTER TABLE abandoned_executions DROP COLUMN counts_at;
