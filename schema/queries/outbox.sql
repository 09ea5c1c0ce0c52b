-- name: OutboxInsert :exec
INSERT INTO outbox (execution_id, app_id, script_id, version, trigger_id, kind, event_id, what, root_id, parent_id, depth, replay_of, principal, lane, ordering_key, turn)
SELECT @execution_id, @app_id, @script_id, @version, @trigger_id, @kind, @event_id, @what, @root_id, @parent_id, @depth, @replay_of, @principal,
       (SELECT t.id FROM triggers t WHERE t.id = sqlc.narg(lane)::uuid AND t.flow IS NULL), @ordering_key::text, CASE WHEN @ordering_key::text <> '' THEN nextval('outbox_turn') END;

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
-- What waits for no lane: the oldest of every app, then the second oldest of every app, and so on, so that no app waits for the backlog of another. The apps are found by jumping from one to the
-- next in the index outbox_due_by_app; nothing is taken of those that are left out.
WITH RECURSIVE app AS (
    (SELECT o.app_id FROM outbox o WHERE o.lane IS NULL AND NOT o.parked ORDER BY o.app_id LIMIT 1)
    UNION ALL
    SELECT n.app_id FROM app p, LATERAL (
        SELECT o.app_id FROM outbox o WHERE o.lane IS NULL AND NOT o.parked AND o.app_id > p.app_id ORDER BY o.app_id LIMIT 1
    ) AS n
), ranked AS (
    SELECT o.execution_id, row_number() OVER (PARTITION BY p.app_id ORDER BY o.due_at) AS n
    FROM app p, LATERAL (
        SELECT w.execution_id, w.due_at FROM outbox w WHERE w.app_id = p.app_id AND w.lane IS NULL AND NOT w.parked AND w.due_at <= now()
        ORDER BY w.due_at LIMIT @max::int
    ) AS o
    WHERE p.app_id <> ALL (sqlc.arg(but)::uuid[]) AND NOT EXISTS (SELECT FROM apps a WHERE a.id = p.app_id AND a.paused_at IS NOT NULL)
), due AS (
    SELECT o.execution_id, o.due_at FROM ranked r JOIN outbox o ON o.execution_id = r.execution_id
    WHERE o.lane IS NULL AND NOT o.parked AND o.due_at <= now()
    ORDER BY r.n, o.due_at LIMIT @max::int FOR UPDATE OF o SKIP LOCKED
), claimed AS (
    UPDATE outbox o SET due_at = now() + sqlc.arg(lease_ms)::bigint * interval '1 millisecond', claims = claims + 1, claimed_by = @process
    FROM due WHERE o.execution_id = due.execution_id
    RETURNING o.*, due.due_at AS was_due
)
SELECT c.execution_id, c.app_id, c.script_id, c.trigger_id, c.kind, c.event_id, c.what, c.root_id, c.parent_id, c.depth, c.replay_of, c.handles, c.principal, c.created_at,
       COALESCE(a.slug, '')::text AS app, COALESCE(s.name, '')::text AS script, COALESCE(c.version, s.active_version, 0)::int AS version,
       COALESCE(t.name, '')::text AS trigger, t.retry, v.limits, t.flow, c.lane, c.priority, c.was_due, (c.filter IS NOT NULL)::boolean AS filtered,
       (c.unbatched OR d.batch_size IS NOT NULL)::boolean AS batched, t.max_depth, c.tried, c.cut, COALESCE(b.effects, 0)::bigint AS tree_effects, COALESCE(b.cpu_us, 0)::bigint AS tree_cpu_us,
       (COALESCE(t.cycle = 'deny', false) AND c.replay_of IS NULL AND EXISTS (SELECT FROM execution_path(c.parent_id) up WHERE up.trigger_id = c.trigger_id))::boolean AS denied
FROM claimed c
LEFT JOIN apps a ON a.id = c.app_id
LEFT JOIN scripts s ON s.id = c.script_id
LEFT JOIN script_versions v ON v.script_id = s.id AND v.version = COALESCE(c.version, s.active_version)
LEFT JOIN triggers t ON t.id = c.trigger_id
LEFT JOIN queue_trigger_details d ON d.trigger_id = t.id
LEFT JOIN root_budgets b ON b.root_id = c.root_id
ORDER BY c.was_due, c.execution_id;

-- name: OutboxFiltered :many
-- Of the given firings those that have a filter to pass, with their events.
SELECT o.execution_id, o.filter, sqlc.embed(e) FROM outbox o JOIN events e ON e.id = o.event_id WHERE o.execution_id = ANY (@execution_ids::uuid[]) AND o.filter IS NOT NULL;

-- name: OutboxSift :exec
-- Tells firings what their filters said: those that are refused go, with the slots and starts that their claim took; those that passed come due, and so do those whose filters have no value, which keep them.
WITH refused AS (
    DELETE FROM outbox WHERE execution_id = ANY (@refused::uuid[]) AND filter IS NOT NULL RETURNING execution_id
), freed AS (
    DELETE FROM lane_slots s USING refused r WHERE s.execution_id = r.execution_id
), unstarted AS (
    DELETE FROM lane_starts s USING refused r WHERE s.execution_id = r.execution_id
)
UPDATE outbox o SET filter = CASE WHEN o.execution_id = ANY (@passed::uuid[]) THEN NULL ELSE o.filter END,
                    due_at = CASE WHEN o.claims = 0 THEN o.due_at - filter_hold(o.filter) ELSE o.due_at END
WHERE o.execution_id = ANY (@passed::uuid[] || @failed::uuid[]) AND o.filter IS NOT NULL;

-- name: OutboxDeleteMany :exec
DELETE FROM outbox WHERE execution_id = ANY (@execution_ids::uuid[]);

-- name: OutboxRescheduleMany :exec
UPDATE outbox SET due_at = now() + sqlc.arg(delay_ms)::bigint * interval '1 millisecond', claimed_by = NULL WHERE execution_id = ANY (@execution_ids::uuid[]);

-- name: OutboxReclaim :execrows
-- Ends the claims of other processes that are no more: their locks are free (presence.go). One that claims and does not attend yet loses claims that it still works on, which costs a start in vain.
WITH gone AS MATERIALIZED (
    SELECT p.process FROM (SELECT DISTINCT w.claimed_by AS process FROM outbox w WHERE w.claimed_by IS NOT NULL AND w.claimed_by <> @own) AS p
    WHERE pg_try_advisory_xact_lock(process_lock(p.process))
)
UPDATE outbox o SET due_at = LEAST(o.due_at, now()), claimed_by = NULL FROM gone WHERE o.claimed_by = gone.process;

-- name: OutboxNextDue :one
-- A lane in which nothing may go does not count: giving a slot back wakes the dispatchers.
SELECT GREATEST(0, extract(epoch FROM min(due_at) - now()) * 1000)::float8 AS in_ms, count(*) > 0 AS waiting FROM (
    (SELECT o.due_at FROM outbox o WHERE o.lane IS NULL AND NOT o.parked AND NOT EXISTS (SELECT FROM apps a WHERE a.id = o.app_id AND a.paused_at IS NOT NULL)
     ORDER BY o.due_at LIMIT 1)
    UNION ALL
    SELECT GREATEST(first.due_at, CASE WHEN k.throttle_room <= 0 THEN k.opens_at END)
    FROM lane_keys k, LATERAL (
        (SELECT o.due_at FROM outbox o
         WHERE k.ordering_key = '' AND o.lane = k.lane AND NOT o.unbatched AND o.concurrency_key = k.concurrency_key AND o.throttle_key = k.throttle_key AND o.ordering_key = ''
           AND NOT EXISTS (SELECT FROM lane_slots s WHERE s.execution_id = o.execution_id)
         ORDER BY o.due_at LIMIT 1)
        UNION ALL
        (SELECT head.due_at FROM (
            SELECT o.due_at, o.lane, o.concurrency_key, o.throttle_key, o.unbatched FROM outbox o
            WHERE o.trigger_id = k.lane AND o.ordering_key = k.ordering_key AND o.ordering_key <> '' ORDER BY o.turn LIMIT 1
         ) AS head WHERE head.lane = k.lane AND NOT head.unbatched AND head.concurrency_key = k.concurrency_key AND head.throttle_key = k.throttle_key)
    ) AS first
    WHERE k.lane_room > 0 AND k.key_room > 0 AND k.order_room > 0 AND NOT EXISTS (SELECT FROM apps a WHERE a.id = k.app_id AND a.paused_at IS NOT NULL)
    UNION ALL
    SELECT CASE WHEN count(*) >= w.batch_size OR bool_or(w.filter IS NOT NULL) THEN min(w.due_at) ELSE min(w.ripe_at) END FROM batch_waiting w
    GROUP BY w.trigger_id, w.batch_size, w.ordering_key, CASE WHEN w.ordering_key = '' THEN w.tried END, CASE WHEN w.ordering_key = '' THEN w.replay_of END
    UNION ALL
    (SELECT later.due_at FROM batch_lanes l, LATERAL (SELECT o.due_at FROM outbox o WHERE o.lane = l.trigger_id AND o.unbatched AND o.due_at > now() ORDER BY o.due_at LIMIT 1) AS later
     WHERE l.room > 0)
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

-- name: OutboxCancelMany :one
-- Takes firings out and ends their executions as canceled, those of handlers excepted: their letters want to hear of it. What a dispatcher is at work on is left to it.
WITH chosen AS (
    SELECT o.execution_id, COALESCE(s.name, '') AS script, COALESCE(o.version, s.active_version, 0) AS present_version, COALESCE(t.name, '') AS trigger
    FROM outbox o LEFT JOIN scripts s ON s.id = o.script_id LEFT JOIN triggers t ON t.id = o.trigger_id
    WHERE o.app_id = @app_id AND o.handles IS NULL
      AND (sqlc.narg(root)::uuid IS NULL OR o.root_id = sqlc.narg(root)::uuid)
      AND (sqlc.narg(since)::timestamptz IS NULL OR o.execution_id >= uuid_v7_floor(sqlc.narg(since)::timestamptz))
      AND (@kind::text = '' OR o.kind = @kind)
      AND (@script::text = '' OR s.name = @script)
      AND (@trigger::text = '' OR t.name = @trigger OR t.id::text = @trigger)
    ORDER BY o.execution_id LIMIT @max FOR UPDATE OF o SKIP LOCKED
), taken AS (
    DELETE FROM outbox o USING chosen c WHERE o.execution_id = c.execution_id RETURNING o.*
), freed AS (
    DELETE FROM lane_slots s USING taken t WHERE s.execution_id = t.execution_id
), ended AS (
    INSERT INTO executions (id, app_id, status, script, version, trigger_id, trigger, kind, event_id, attempts, depth, root_id, parent_id, replay_of, principal, queued_at, started_at, finished_at)
    SELECT t.execution_id, t.app_id, 'canceled', c.script, c.present_version, t.trigger_id, c.trigger, t.kind, t.event_id, 0, t.depth, t.root_id, t.parent_id, t.replay_of, t.principal,
           t.created_at, t.created_at, clock_timestamp()
    FROM taken t JOIN chosen c ON c.execution_id = t.execution_id
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM taken;
