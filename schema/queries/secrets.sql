-- name: InstanceKeyGet :one
SELECT * FROM instance_key;

-- name: InstanceKeyHold :one
-- The key that seals now; it cannot change before the transaction ends.
SELECT key_id FROM instance_key FOR SHARE;

-- name: InstanceKeyInsert :execrows
INSERT INTO instance_key (key_id, proof) VALUES (@key_id, @proof) ON CONFLICT (one) DO NOTHING;

-- name: InstanceKeyReplace :execrows
UPDATE instance_key SET key_id = @key_id, proof = @proof, changed_at = now() WHERE key_id = @before;

-- name: SecretApp :one
-- Locks the app's row: its secrets are counted and added to one after the other.
SELECT (SELECT count(*) FROM secrets s WHERE s.app_id = a.id) AS secrets FROM apps a WHERE a.id = @app_id FOR NO KEY UPDATE;

-- name: SecretUpdate :one
-- Gives when the value before was set, and this one.
WITH before AS (
    SELECT b.updated_at FROM secrets b WHERE b.app_id = @app_id AND b.name = @name FOR UPDATE
)
UPDATE secrets s SET sealed = @sealed, key_id = @key_id, updated_at = now() FROM before WHERE s.app_id = @app_id AND s.name = @name
RETURNING before.updated_at AS was_updated_at, s.updated_at;

-- name: SecretInsert :one
INSERT INTO secrets (app_id, name, sealed, key_id) VALUES (@app_id, @name, @sealed, @key_id) RETURNING updated_at;

-- name: SecretGet :one
SELECT sealed FROM secrets WHERE app_id = @app_id AND name = @name;

-- name: SecretList :many
SELECT name, created_at, updated_at FROM secrets WHERE app_id = @app_id AND name > @after::text ORDER BY name LIMIT @max;

-- name: SecretDelete :execrows
DELETE FROM secrets WHERE app_id = @app_id AND name = @name;

-- name: SecretSealedByOthers :many
SELECT app_id, name, sealed FROM secrets WHERE key_id <> @key_id ORDER BY app_id, name LIMIT @max FOR UPDATE;

-- name: SecretReseal :exec
UPDATE secrets SET sealed = @sealed, key_id = @key_id WHERE app_id = @app_id AND name = @name;

-- name: InstanceKeyLock :one
-- Held by one rotation at a time, until its connection ends or gives it back.
SELECT pg_try_advisory_lock(hashtext('picloud instance key')) AS locked;

-- name: InstanceKeyUnlock :exec
SELECT pg_advisory_unlock(hashtext('picloud instance key'));
