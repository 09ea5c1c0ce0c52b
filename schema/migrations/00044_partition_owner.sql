-- +goose Up

-- The role that serves has no right to change the schema. The two functions that make and drop daily partitions run as their owner instead, for the three
-- tables that have them, and touch nothing of the last day.
-- +goose StatementBegin
CREATE FUNCTION partitions_check(parent text) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF parent NOT IN ('events', 'executions', 'execution_attempts') THEN
        RAISE EXCEPTION 'table % has no daily partitions', parent;
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION partitions_create(parent text, first date, days int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    day date;
BEGIN
    PERFORM partitions_check(parent);
    FOR day IN SELECT first + n FROM generate_series(0, days - 1) AS n LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || to_char(day, '_YYYYMMDD'), parent,
            uuid_v7_floor(day::timestamp AT TIME ZONE 'UTC'), uuid_v7_floor((day + 1)::timestamp AT TIME ZONE 'UTC'));
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION partitions_drop(parent text, before date) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    child text;
    dropped int := 0;
    bound date := LEAST(before, (now() AT TIME ZONE 'UTC')::date - 1);
BEGIN
    PERFORM partitions_check(parent);
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass
          AND c.relname ~ ('^' || parent || '_[0-9]{8}$')
          AND c.relname < parent || to_char(bound, '_YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION partitions_create, partitions_drop FROM PUBLIC;

-- +goose Down
ALTER FUNCTION partitions_create SECURITY INVOKER;
ALTER FUNCTION partitions_create RESET search_path;
ALTER FUNCTION partitions_drop SECURITY INVOKER;
ALTER FUNCTION partitions_drop RESET search_path;
GRANT EXECUTE ON FUNCTION partitions_create, partitions_drop TO PUBLIC;
DROP FUNCTION partitions_check;
