-- name: KVGet :one
SELECT collection, key, value, version, updated_at FROM kv WHERE app_id = @app_id AND collection = @collection AND key = @key;

-- name: KVList :many
-- starts_with reads the whole collection; the range on key bounds it: no valid UTF-8 text sorts after prefix || U+10FFFF under "C".
SELECT collection, key, value, version, updated_at FROM kv
WHERE app_id = @app_id AND collection = @collection AND key > @after::text
  AND key >= @prefix::text AND key <= sqlc.arg(prefix)::text || U&'\+10FFFF' AND starts_with(key, @prefix::text)
ORDER BY key LIMIT @max;

-- name: KVListVersions :many
SELECT key, version FROM kv
WHERE app_id = @app_id AND collection = @collection AND key > @after::text
  AND key >= @prefix::text AND key <= sqlc.arg(prefix)::text || U&'\+10FFFF' AND starts_with(key, @prefix::text)
ORDER BY key LIMIT @max;

-- name: KVLock :exec
-- Takes the advisory locks of a transaction, in one global order, so that two transactions never wait for each other in a circle. A write locks its key
-- for itself and shares its collection; reading a key shares it; reading a list keeps everybody else from writing to the collection.
SELECT CASE WHEN l.exclusive THEN pg_advisory_xact_lock(l.id) ELSE pg_advisory_xact_lock_shared(l.id) END
FROM (SELECT id, bool_or(exclusive) AS exclusive
      FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@exclusives::boolean[]) AS exclusive) AS asked
      GROUP BY id ORDER BY id) AS l;

-- name: KVChangedSince :one
-- Whether any of the keys has another version than the one that was read (0 = not there).
SELECT EXISTS (
    SELECT FROM (SELECT unnest(@collections::text[]) AS collection, unnest(@keys::text[]) AS key, unnest(@versions::bigint[]) AS version) AS seen
    LEFT JOIN kv ON kv.app_id = @app_id AND kv.collection = seen.collection AND kv.key = seen.key
    WHERE COALESCE(kv.version, 0) <> seen.version
);

-- name: KVWriteMany :many
-- Sets (value given) or deletes (value empty) keys, each named at most once, and in the same statement finds the kv triggers that the changes match, writes
-- their events and one outbox row a trigger. The caller holds the locks of KVLock, taken in an earlier statement: this one's snapshot is younger.
WITH asked AS (
    SELECT unnest(@collections::text[]) COLLATE "C" AS collection, unnest(@keys::text[]) COLLATE "C" AS key, NULLIF(unnest(@new_values::text[]), '')::json AS value
), before AS MATERIALIZED (
    SELECT a.collection, a.key, a.value, kv.value AS old_value, kv.version AS old_version
    FROM asked a LEFT JOIN kv ON kv.app_id = @app_id AND kv.collection = a.collection AND kv.key = a.key
), put AS (
    INSERT INTO kv (app_id, collection, key, value, version)
    SELECT @app_id, collection, key, value, nextval('kv_version') FROM before WHERE value IS NOT NULL
    ON CONFLICT (app_id, collection, key) DO UPDATE SET value = EXCLUDED.value, version = EXCLUDED.version, updated_at = now()
    RETURNING collection, key, version
), deleted AS (
    DELETE FROM kv USING before b
    WHERE kv.app_id = @app_id AND kv.collection = b.collection AND kv.key = b.key AND b.value IS NULL
), change AS MATERIALIZED (
    SELECT b.collection, b.key, b.value, b.old_value, COALESCE(put.version, b.old_version) AS version, uuid_v7() AS event_id,
           CASE WHEN b.value IS NULL THEN 'deleted' WHEN b.old_version IS NULL THEN 'created' ELSE 'updated' END AS operation
    FROM before b LEFT JOIN put ON put.collection = b.collection AND put.key = b.key
    WHERE b.value IS NOT NULL OR b.old_version IS NOT NULL
), firing AS MATERIALIZED (
    SELECT c.event_id, uuid_v7() AS execution_id, t.id AS trigger_id, t.script_id, t.registered_by_principal, t.filter
    FROM change c
    JOIN triggers t ON t.app_id = @app_id AND t.kind = 'kv' AND t.enabled
    JOIN kv_trigger_details d ON d.trigger_id = t.id
    WHERE glob_match(d.collection, c.collection) AND glob_match(d.key, c.key)
      AND (d.operations = '{}' OR c.operation = ANY (d.operations))
), event AS (
    INSERT INTO events (id, app_id, type, source, subject, time, data, root_id, parent_id, depth, traceparent)
    SELECT c.event_id, @app_id, 'picloud.kv.' || c.operation, '/apps/' || @app_slug::text || '/kv/' || c.collection, c.key, now(),
           json_build_object('collection', c.collection, 'key', c.key, 'value', c.value, 'old_value', c.old_value, 'version', c.version),
           COALESCE(sqlc.narg(root_id)::uuid, c.event_id), sqlc.narg(parent_id)::uuid, @depth::int, @traceparent::text
    FROM change c WHERE c.event_id IN (SELECT event_id FROM firing)
), queued AS (
    INSERT INTO outbox (execution_id, app_id, script_id, trigger_id, kind, event_id, what, root_id, parent_id, depth, principal, filter, due_at)
    SELECT f.execution_id, @app_id, f.script_id, f.trigger_id, 'kv', f.event_id,
           left('kv ' || c.collection || '/' || c.key, 160) || ' ' || c.operation,
           COALESCE(sqlc.narg(root_id)::uuid, c.event_id), sqlc.narg(parent_id)::uuid, @depth::int, f.registered_by_principal,
           f.filter, now() + filter_hold(f.filter)
    FROM firing f JOIN change c USING (event_id)
)
SELECT c.collection::text AS collection, c.key::text AS key, c.version, c.operation::text AS operation, now()::timestamptz AS changed_at,
       ARRAY(SELECT f.execution_id::text FROM firing f WHERE f.event_id = c.event_id)::text[] AS executions,
       EXISTS (SELECT FROM firing f WHERE f.event_id = c.event_id AND f.filter IS NOT NULL) AS filtered
FROM change c;
