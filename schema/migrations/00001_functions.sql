-- +goose Up

-- uuid_v7 makes a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. PostgreSQL has its own from version 18 on.
-- +goose StatementBegin
CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
            52, 1), 53, 1),
        'hex')::uuid
$$;
-- +goose StatementEnd

-- uuid_v7_floor gives the smallest UUIDv7 of an instant: a bound for ranges of ids by time.
-- +goose StatementBegin
CREATE FUNCTION uuid_v7_floor(instant timestamptz) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM instant) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;
-- +goose StatementEnd

-- glob_match is picloud.Glob.Match: '*', a prefix with one trailing star, or an exact name.
-- +goose StatementBegin
CREATE FUNCTION glob_match(pattern text, name text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN right(pattern, 1) = '*' THEN starts_with(name, left(pattern, -1)) ELSE name = pattern END
$$;
-- +goose StatementEnd

-- partitions_create makes the daily partitions of parent for [first, first + days) that are not there yet. Their names are <parent>_YYYYMMDD (UTC).
-- +goose StatementBegin
CREATE FUNCTION partitions_create(parent text, first date, days int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    day date;
BEGIN
    FOR day IN SELECT first + n FROM generate_series(0, days - 1) AS n LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || to_char(day, '_YYYYMMDD'), parent,
            uuid_v7_floor(day::timestamp AT TIME ZONE 'UTC'), uuid_v7_floor((day + 1)::timestamp AT TIME ZONE 'UTC'));
    END LOOP;
END
$$;
-- +goose StatementEnd

-- partitions_drop drops the daily partitions of parent for days before the given one, and gives their number.
-- +goose StatementBegin
CREATE FUNCTION partitions_drop(parent text, before date) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    child text;
    dropped int := 0;
BEGIN
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass
          AND c.relname ~ ('^' || parent || '_[0-9]{8}$')
          AND c.relname < parent || to_char(before, '_YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION partitions_drop, partitions_create, glob_match, uuid_v7_floor, uuid_v7;
