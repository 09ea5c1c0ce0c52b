-- name: AuditInsert :exec
INSERT INTO audit_log (principal, key_id, action, app, target_kind, target_id, before, after, ip, request_id, outcome)
VALUES (@principal, sqlc.narg(key_id)::uuid, @action, @app, @target_kind, @target_id, @before, @after, @ip, @request_id, @outcome);

-- name: AuditList :many
SELECT * FROM audit_log
WHERE (sqlc.narg(before_id)::uuid IS NULL OR id < sqlc.narg(before_id)::uuid)
  AND (@app::text = '' OR app = @app)
  AND (@principal::text = '' OR principal = @principal)
  AND (@action::text = '' OR action = @action)
  AND (@outcome::text = '' OR outcome = @outcome)
  AND (sqlc.narg(since)::timestamptz IS NULL OR at >= sqlc.narg(since)::timestamptz)
  AND (sqlc.narg(until)::timestamptz IS NULL OR at < sqlc.narg(until)::timestamptz)
ORDER BY id DESC LIMIT @max;
