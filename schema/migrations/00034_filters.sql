-- +goose Up

ALTER TABLE triggers ADD COLUMN filter text; -- CEL, see internal/filter; null = none

-- The filter that a firing has still to pass; null = none, or passed. It is evaluated by whoever made the row, in the next statement; should that one die in between, by the
-- dispatcher that claims the row. So that the two do not meet, such a row comes due filter_hold later than it should, until it has passed.
ALTER TABLE outbox ADD COLUMN filter text;

CREATE FUNCTION filter_hold(filter text) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN filter IS NULL THEN interval '0' ELSE interval '10 seconds' END;

-- +goose Down
DROP FUNCTION filter_hold;
ALTER TABLE outbox DROP COLUMN filter;
ALTER TABLE triggers DROP COLUMN filter;
