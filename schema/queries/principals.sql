-- name: PrincipalInsert :one
INSERT INTO principals (kind, name, email, instance_admin, disabled, password_hash) VALUES (@kind, @name, @email, @instance_admin, @disabled, @password_hash) RETURNING *;

-- name: PrincipalGet :one
-- By id or by name.
SELECT * FROM principals WHERE (id::text = @id::text OR name = @id::text) AND deleted_at IS NULL;

-- name: PrincipalPersonByEmail :one
SELECT * FROM principals WHERE email = @email::text AND kind = 'person' AND deleted_at IS NULL;

-- name: PrincipalLock :one
SELECT * FROM principals WHERE (id::text = @id::text OR name = @id::text) AND deleted_at IS NULL FOR UPDATE;

-- name: PrincipalList :many
SELECT * FROM principals WHERE name > @after::text AND deleted_at IS NULL ORDER BY name LIMIT @max;

-- name: PrincipalUpdate :one
UPDATE principals SET email = @email, instance_admin = @instance_admin, disabled = @disabled, password_hash = @password_hash WHERE id = @id RETURNING *;

-- name: PrincipalDelete :exec
-- Its name and its e-mail's row stay; the e-mail is free again.
WITH keys AS (DELETE FROM api_keys WHERE principal_id = @id), members AS (DELETE FROM app_members WHERE principal_id = @id)
UPDATE principals SET deleted_at = now(), disabled = true, instance_admin = false, email = NULL, password_hash = NULL WHERE principals.id = @id;

-- name: PrincipalAdminsLock :exec
-- One change of who is an admin at a time: else two could each take the other's rights.
SELECT pg_advisory_xact_lock(hashtextextended('picloud.admins', 0));

-- name: PrincipalCountAdmins :one
SELECT count(*) FROM principals WHERE instance_admin AND NOT disabled AND deleted_at IS NULL;

-- name: PrincipalStopTriggers :many
-- Disables the triggers of a principal that may not act any more.
UPDATE triggers SET enabled = false, disabled_reason = @reason, updated_at = now()
WHERE registered_by_principal = @principal AND enabled
RETURNING id, kind, name, (SELECT slug FROM apps WHERE apps.id = triggers.app_id)::text AS app;

-- name: MemberPut :one
INSERT INTO app_members (app_id, principal_id, role) VALUES (@app_id, @principal_id, @role)
ON CONFLICT (principal_id, app_id) DO UPDATE SET role = EXCLUDED.role
RETURNING *;

-- name: MemberGet :one
SELECT m.role FROM app_members m WHERE m.app_id = @app_id AND m.principal_id = @principal_id;

-- name: MemberDelete :execrows
DELETE FROM app_members WHERE app_id = @app_id AND principal_id = @principal_id;

-- name: MemberList :many
SELECT p.name, p.kind, m.role, m.created_at FROM app_members m JOIN principals p ON p.id = m.principal_id
WHERE m.app_id = @app_id AND p.name > @after::text ORDER BY p.name LIMIT @max;

-- name: MembershipList :many
SELECT a.slug, m.role FROM app_members m JOIN apps a ON a.id = m.app_id WHERE m.principal_id = @principal_id ORDER BY a.slug;

-- name: PrincipalGrant :one
-- What an execution may do that runs as the principal.
SELECT p.instance_admin, p.disabled, COALESCE(m.role, '')::text AS role
FROM principals p LEFT JOIN app_members m ON m.principal_id = p.id AND m.app_id = @app_id
WHERE p.name = @principal AND p.deleted_at IS NULL;
