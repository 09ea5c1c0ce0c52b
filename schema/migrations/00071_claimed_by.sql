-- +goose Up

-- The process that has claimed a firing: where it is no more, the claim ends before its lease does.
ALTER TABLE outbox ADD COLUMN claimed_by text;
CREATE INDEX outbox_claimed ON outbox (claimed_by) WHERE claimed_by IS NOT NULL;

-- The key of the advisory lock that a process holds while it lives.
CREATE FUNCTION process_lock(process text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended('picloud process ' || process, 0);

-- +goose Down
DROP FUNCTION process_lock;
ALTER TABLE outbox DROP COLUMN claimed_by;
