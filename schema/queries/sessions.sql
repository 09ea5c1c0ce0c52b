-- name: SessionInsert :exec
-- Those that are over go at the same time.
WITH over AS (DELETE FROM sessions WHERE expires_at < now())
INSERT INTO sessions (digest, principal_id, api_key_id, expires_at) VALUES (@digest, @principal_id, sqlc.narg(api_key_id)::uuid, @expires_at);

-- name: SessionDelete :exec
DELETE FROM sessions WHERE digest = @digest;

-- name: SessionDeleteAll :exec
-- Ends all sessions of a principal.
DELETE FROM sessions WHERE principal_id = @principal_id;

-- name: SessionCredentials :many
-- The session with that digest, with the key that began it, if any, its principal and the roles that it has, as parallel arrays.
SELECT s.digest, s.expires_at, k.id AS key_id, k.prefix, k.scopes, k.created_at AS key_created_at, k.expires_at AS key_expires_at, k.last_used_at, ka.slug AS key_app, p.id AS principal_id, p.kind, p.name, p.instance_admin, p.disabled,
       COALESCE((SELECT array_agg(a.slug ORDER BY a.slug) FROM app_members m JOIN apps a ON a.id = m.app_id WHERE m.principal_id = p.id), '{}')::text[] AS apps,
       COALESCE((SELECT array_agg(m.role ORDER BY a.slug) FROM app_members m JOIN apps a ON a.id = m.app_id WHERE m.principal_id = p.id), '{}')::text[] AS roles
FROM sessions s JOIN principals p ON p.id = s.principal_id LEFT JOIN api_keys k ON k.id = s.api_key_id LEFT JOIN apps ka ON ka.id = k.app_id
WHERE s.digest = @digest AND s.expires_at > now() AND p.deleted_at IS NULL;
