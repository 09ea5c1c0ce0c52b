-- name: ChainEnded :many
-- The ended executions of a tree, the oldest first, with what fired them and the letters that they left.
SELECT x.id, x.status, x.script, x.version, x.trigger, x.kind, x.event_id, x.depth, x.parent_id, x.replay_of, x.principal, x.queued_at, x.started_at, x.finished_at,
       COALESCE(e.source, '')::text AS source, COALESCE(e.subject, '')::text AS subject, d.id AS dead_letter_id
FROM executions x LEFT JOIN events e ON e.id = x.event_id LEFT JOIN dead_letters d ON d.execution_id = x.id
WHERE x.root_id = @root_id AND x.app_id = @app_id
ORDER BY x.id LIMIT @max;

-- name: ChainQueued :many
SELECT o.execution_id, o.trigger_id, o.kind, o.event_id, o.depth, o.parent_id, o.replay_of, o.principal, o.created_at,
       COALESCE(e.source, '')::text AS source, COALESCE(e.subject, '')::text AS subject,
       COALESCE(s.name, '')::text AS script, COALESCE(o.version, s.active_version, 0)::int AS version, COALESCE(t.name, '')::text AS trigger
FROM outbox o LEFT JOIN events e ON e.id = o.event_id LEFT JOIN scripts s ON s.id = o.script_id LEFT JOIN triggers t ON t.id = o.trigger_id
WHERE o.app_id = @app_id AND o.root_id = @root_id
ORDER BY o.execution_id LIMIT @max;

-- name: ChainEvents :many
SELECT e.id, e.source, e.subject FROM events e WHERE e.app_id = @app_id AND e.id = ANY (@ids::uuid[]);
