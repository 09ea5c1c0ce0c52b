-- name: OutboxInsert :exec
INSERT INTO outbox (execution_id, app_id, script_id, version, trigger_id, kind, event_id, what, root_id, parent_id, depth, replay_of, principal, lane)
SELECT @execution_id, @app_id, @script_id, @version, @trigger_id, @kind, @event_id, @what, @root_id, @parent_id, @depth, @replay_of, @principal,
       (SELECT d.trigger_id FROM queue_trigger_details d WHERE d.trigger_id = sqlc.narg(lane)::uuid);

-- name: OutboxPark :exec
-- Takes what is due of paused apps out of the way of the claims. The lock on the app keeps its resumption from missing a row that is parked at the same moment.
WITH paused AS MATERIALIZED (
    SELECT id FROM apps WHERE paused_at IS NOT NULL FOR SHARE
), due AS (
    SELECT o.execution_id FROM outbox o JOIN paused p ON p.id = o.app_id
    WHERE o.lane IS NULL AND NOT o.parked AND o.due_at <= now() LIMIT @max FOR UPDATE OF o SKIP LOCKED
)
UPDATE outbox o SET parked = true FROM due WHERE o.execution_id = due.execution_id;

-- name: OutboxUnpark :exec
UPDATE outbox SET parked = false WHERE app_id = @app_id AND parked;

-- name: OutboxClaimDue :many
-- What waits for no lane.
WITH due AS (
    SELECT execution_id FROM outbox o WHERE lane IS NULL AND NOT parked AND due_at <= now()
      AND NOT EXISTS (SELECT FROM apps a WHERE a.id = o.app_id AND a.paused_at IS NOT NULL)
    ORDER BY due_at LIMIT @max FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE outbox o SET due_at = now() + sqlc.arg(lease_ms)::bigint * interval '1 millisecond', claims = claims + 1
    FROM due WHERE o.execution_id = due.execution_id
    RETURNING o.*
)
SELECT c.execution_id, c.app_id, c.script_id, c.trigger_id, c.kind, c.event_id, c.what, c.root_id, c.parent_id, c.depth, c.replay_of, c.handles, c.principal, c.created_at,
       COALESCE(a.slug, '')::text AS app, COALESCE(s.name, '')::text AS script, COALESCE(c.version, s.active_version, 0)::int AS version,
       COALESCE(t.name, '')::text AS trigger, t.retry, v.limits
FROM claimed c
LEFT JOIN apps a ON a.id = c.app_id
LEFT JOIN scripts s ON s.id = c.script_id
LEFT JOIN script_versions v ON v.script_id = s.id AND v.version = COALESCE(c.version, s.active_version)
LEFT JOIN triggers t ON t.id = c.trigger_id
ORDER BY c.execution_id;

-- name: OutboxClaimLanes :many
-- What waits in lanes: the next firings of each lane by priority and age, as many as have a free slot, which they take; and those that took theirs in a claim whose dispatcher
-- died or could not start them. The caller holds the lock of QueueLock, taken in an earlier statement.
WITH turn AS (
    SELECT o.execution_id, o.app_id, o.lane
    FROM queue_lanes l, LATERAL (
        SELECT w.execution_id, w.app_id, w.lane FROM outbox w
        WHERE w.lane = l.trigger_id AND w.due_at <= now() AND NOT EXISTS (SELECT FROM queue_slots s WHERE s.execution_id = w.execution_id)
        ORDER BY w.priority DESC, w.due_at, w.execution_id LIMIT LEAST(l.free, @max::int) FOR UPDATE SKIP LOCKED
    ) AS o
    WHERE l.free > 0
    LIMIT @max::int
), slot AS (
    INSERT INTO queue_slots (execution_id, trigger_id, app_id) SELECT execution_id, lane, app_id FROM turn
), again AS (
    SELECT o.execution_id FROM queue_slots s JOIN outbox o ON o.execution_id = s.execution_id
    WHERE o.lane IS NOT NULL AND o.due_at <= now() AND NOT EXISTS (SELECT FROM apps a WHERE a.id = o.app_id AND a.paused_at IS NOT NULL)
    LIMIT @max::int FOR UPDATE OF o SKIP LOCKED
), due AS (
    SELECT execution_id FROM turn UNION SELECT execution_id FROM again
), claimed AS (
    UPDATE outbox o SET due_at = now() + sqlc.arg(lease_ms)::bigint * interval '1 millisecond', claims = claims + 1
    FROM due WHERE o.execution_id = due.execution_id
    RETURNING o.*
)
SELECT c.execution_id, c.app_id, c.script_id, c.trigger_id, c.kind, c.event_id, c.what, c.root_id, c.parent_id, c.depth, c.replay_of, c.handles, c.principal, c.created_at,
       COALESCE(a.slug, '')::text AS app, COALESCE(s.name, '')::text AS script, COALESCE(c.version, s.active_version, 0)::int AS version,
       COALESCE(t.name, '')::text AS trigger, t.retry, v.limits
FROM claimed c
LEFT JOIN apps a ON a.id = c.app_id
LEFT JOIN scripts s ON s.id = c.script_id
LEFT JOIN script_versions v ON v.script_id = s.id AND v.version = COALESCE(c.version, s.active_version)
LEFT JOIN triggers t ON t.id = c.trigger_id
ORDER BY c.priority DESC, c.execution_id;

-- name: OutboxDeleteMany :exec
DELETE FROM outbox WHERE execution_id = ANY (@execution_ids::uuid[]);

-- name: OutboxRescheduleMany :exec
UPDATE outbox SET due_at = now() + sqlc.arg(delay_ms)::bigint * interval '1 millisecond' WHERE execution_id = ANY (@execution_ids::uuid[]);

-- name: OutboxNextDue :one
-- A lane without a free slot does not count: giving one back wakes the dispatchers.
SELECT GREATEST(0, extract(epoch FROM min(due_at) - now()) * 1000)::float8 AS in_ms, count(*) > 0 AS waiting FROM (
    (SELECT o.due_at FROM outbox o WHERE o.lane IS NULL AND NOT o.parked AND NOT EXISTS (SELECT FROM apps a WHERE a.id = o.app_id AND a.paused_at IS NOT NULL)
     ORDER BY o.due_at LIMIT 1)
    UNION ALL
    SELECT first.due_at FROM queue_lanes l, LATERAL (SELECT o.due_at FROM outbox o WHERE o.lane = l.trigger_id ORDER BY o.due_at LIMIT 1) AS first WHERE l.free > 0
) AS next;

-- name: OutboxGet :one
SELECT o.execution_id, o.app_id, o.trigger_id, o.kind, o.event_id, o.root_id, o.parent_id, o.depth, o.replay_of, o.principal, o.created_at,
       COALESCE(s.name, '')::text AS script, COALESCE(o.version, s.active_version, 0)::int AS version, COALESCE(t.name, '')::text AS trigger
FROM outbox o LEFT JOIN scripts s ON s.id = o.script_id LEFT JOIN triggers t ON t.id = o.trigger_id
WHERE o.app_id = @app_id AND o.execution_id = @execution_id;

-- name: OutboxList :many
SELECT o.execution_id, o.app_id, o.trigger_id, o.kind, o.event_id, o.root_id, o.parent_id, o.depth, o.replay_of, o.principal, o.created_at,
       COALESCE(s.name, '')::text AS script, COALESCE(o.version, s.active_version, 0)::int AS version, COALESCE(t.name, '')::text AS trigger
FROM outbox o LEFT JOIN scripts s ON s.id = o.script_id LEFT JOIN triggers t ON t.id = o.trigger_id
WHERE o.app_id = @app_id
  AND (sqlc.narg(before)::uuid IS NULL OR o.execution_id < sqlc.narg(before)::uuid)
  AND (sqlc.narg(root)::uuid IS NULL OR o.root_id = sqlc.narg(root)::uuid)
  AND (sqlc.narg(since)::timestamptz IS NULL OR o.execution_id >= uuid_v7_floor(sqlc.narg(since)::timestamptz))
  AND (@kind::text = '' OR o.kind = @kind)
  AND (@script::text = '' OR s.name = @script)
  AND (@trigger::text = '' OR t.name = @trigger OR t.id::text = @trigger)
ORDER BY o.execution_id DESC LIMIT @max;

-- name: OutboxTake :one
-- Takes one firing out, with the names that its execution's row wants.
WITH taken AS (
    DELETE FROM outbox o WHERE o.app_id = @app_id AND o.execution_id = @execution_id
    RETURNING o.*
)
SELECT t.*, COALESCE(s.name, '')::text AS script, COALESCE(t.version, s.active_version, 0)::int AS present_version, COALESCE(g.name, '')::text AS trigger
FROM taken t LEFT JOIN scripts s ON s.id = t.script_id LEFT JOIN triggers g ON g.id = t.trigger_id;
