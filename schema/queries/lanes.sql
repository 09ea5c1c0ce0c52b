-- name: LaneLock :exec
-- One claim from the lanes at a time, in the whole cluster: else two would count the same slots as free. The claim is a later statement of the transaction: its snapshot is younger.
SELECT pg_advisory_xact_lock(hashtextextended('picloud.lanes', 0));

-- name: LaneDue :one
-- Whether a claim from the lanes may find something.
SELECT EXISTS (SELECT FROM outbox WHERE lane IS NOT NULL AND due_at <= now());

-- name: LaneClaim :many
-- What waits in lanes: for every combination of keys the next firings by priority and age, or the first in the order of an ordering key, as many as each bound of the lane lets go.
-- Nothing is taken of the apps that are left out. They take slots. Those that took theirs in a claim whose dispatcher died or could not start them come again. The caller holds the lock of LaneLock.
WITH candidate AS (
    SELECT o.execution_id, o.app_id, o.priority, o.due_at, k.lane, k.concurrency_key, k.throttle_key, k.lane_room, k.key_room, k.throttle_room
    FROM lane_keys k, LATERAL (
        (SELECT w.execution_id, w.app_id, w.priority, w.due_at FROM outbox w
         WHERE k.ordering_key = '' AND w.lane = k.lane AND w.concurrency_key = k.concurrency_key AND w.throttle_key = k.throttle_key AND w.ordering_key = '' AND w.due_at <= now() AND NOT w.unbatched
           AND NOT EXISTS (SELECT FROM lane_slots s WHERE s.execution_id = w.execution_id)
         ORDER BY w.priority DESC, w.due_at, w.execution_id LIMIT LEAST(k.lane_room, k.key_room, k.throttle_room, @max::int))
        UNION ALL
        (SELECT head.execution_id, head.app_id, head.priority, head.due_at FROM (
            SELECT w.* FROM outbox w WHERE w.trigger_id = k.lane AND w.ordering_key = k.ordering_key AND w.ordering_key <> '' ORDER BY w.turn LIMIT 1
         ) AS head WHERE head.lane = k.lane AND NOT head.unbatched AND head.concurrency_key = k.concurrency_key AND head.throttle_key = k.throttle_key AND head.due_at <= now())
    ) AS o
    WHERE k.lane_room > 0 AND k.key_room > 0 AND k.order_room > 0 AND k.throttle_room > 0 AND k.app_id <> ALL (sqlc.arg(but)::uuid[])
      AND NOT EXISTS (SELECT FROM apps a WHERE a.id = k.app_id AND a.paused_at IS NOT NULL)
), by_throttle AS (
    SELECT *, row_number() OVER (PARTITION BY lane, throttle_key ORDER BY priority DESC, due_at, execution_id) AS n FROM candidate
), by_key AS (
    SELECT t.execution_id, t.app_id, t.priority, t.due_at, t.lane, t.lane_room, t.key_room,
           row_number() OVER (PARTITION BY t.lane, t.concurrency_key ORDER BY t.priority DESC, t.due_at, t.execution_id) AS n
    FROM by_throttle t WHERE t.n <= t.throttle_room
), by_lane AS (
    SELECT t.execution_id, t.app_id, t.priority, t.due_at, t.lane_room, row_number() OVER (PARTITION BY t.lane ORDER BY t.priority DESC, t.due_at, t.execution_id) AS n
    FROM by_key t WHERE t.n <= t.key_room
), by_app AS (
    SELECT t.execution_id, row_number() OVER (PARTITION BY t.app_id ORDER BY t.priority DESC, t.due_at, t.execution_id) AS n FROM by_lane t WHERE t.n <= t.lane_room
), again AS (
    SELECT o.execution_id FROM lane_slots s JOIN outbox o ON o.execution_id = s.execution_id WHERE o.lane IS NOT NULL AND NOT o.unbatched AND o.due_at <= now() AND o.app_id <> ALL (sqlc.arg(but)::uuid[])
      AND NOT EXISTS (SELECT FROM apps a WHERE a.id = o.app_id AND a.paused_at IS NOT NULL)
    LIMIT @max::int
), due AS (
    (SELECT t.execution_id FROM by_app t ORDER BY t.n LIMIT @max::int) UNION SELECT execution_id FROM again
), claimed AS (
    UPDATE outbox o SET due_at = now() + sqlc.arg(lease_ms)::bigint * interval '1 millisecond', claims = claims + 1, claimed_by = @process
    FROM due WHERE o.execution_id = due.execution_id
    RETURNING o.*
), slot AS (
    INSERT INTO lane_slots (execution_id, trigger_id, app_id, ordering_key, concurrency_key)
    SELECT execution_id, lane, app_id, ordering_key, concurrency_key FROM claimed
    ON CONFLICT (execution_id) DO NOTHING
), start AS (
    INSERT INTO lane_starts (execution_id, trigger_id, throttle_key)
    SELECT c.execution_id, c.lane, c.throttle_key FROM claimed c JOIN triggers t ON t.id = c.lane WHERE t.flow #> '{throttle}' IS NOT NULL
    ON CONFLICT (execution_id) DO NOTHING
)
SELECT c.execution_id, c.app_id, c.script_id, c.trigger_id, c.kind, c.event_id, c.what, c.root_id, c.parent_id, c.depth, c.replay_of, c.handles, c.principal, c.created_at,
       COALESCE(a.slug, '')::text AS app, COALESCE(s.name, '')::text AS script, COALESCE(c.version, s.active_version, 0)::int AS version,
       COALESCE(t.name, '')::text AS trigger, t.retry, v.limits, t.flow, c.lane, c.priority, c.due_at AS was_due, (c.filter IS NOT NULL)::boolean AS filtered,
       (c.unbatched OR d.batch_size IS NOT NULL)::boolean AS batched, t.max_depth, c.tried, c.cut, COALESCE(b.effects, 0)::bigint AS tree_effects, COALESCE(b.cpu_us, 0)::bigint AS tree_cpu_us,
       (COALESCE(t.cycle = 'deny', false) AND c.replay_of IS NULL AND EXISTS (SELECT FROM execution_path(c.parent_id) up WHERE up.trigger_id = c.trigger_id))::boolean AS denied
FROM claimed c
LEFT JOIN apps a ON a.id = c.app_id
LEFT JOIN scripts s ON s.id = c.script_id
LEFT JOIN script_versions v ON v.script_id = s.id AND v.version = COALESCE(c.version, s.active_version)
LEFT JOIN triggers t ON t.id = c.trigger_id
LEFT JOIN queue_trigger_details d ON d.trigger_id = t.id
LEFT JOIN root_budgets b ON b.root_id = c.root_id
ORDER BY c.priority DESC, c.execution_id;

-- name: LaneSlotRelease :execrows
DELETE FROM lane_slots WHERE execution_id = @execution_id;

-- name: LaneSlotReleaseEnded :exec
-- Frees the slots of executions that had ended before they were claimed another time.
DELETE FROM lane_slots s USING executions x WHERE s.execution_id = ANY (@execution_ids::uuid[]) AND x.id = s.execution_id;

-- name: LaneSlotListSilent :many
-- The slots of executions whose workflows were started some time ago, after the given one: whoever frees what is left over asks the engine about them.
SELECT s.execution_id, s.app_id FROM lane_slots s
WHERE s.taken_at < now() - sqlc.arg(age_ms)::bigint * interval '1 millisecond' AND (sqlc.narg(after)::uuid IS NULL OR s.execution_id > sqlc.narg(after)::uuid)
  AND NOT EXISTS (SELECT FROM outbox o WHERE o.execution_id = s.execution_id)
ORDER BY s.execution_id LIMIT @max;

-- name: LaneAdmit :exec
-- Puts claimed firings into the lanes of their triggers, those that are still there.
UPDATE outbox o SET lane = t.id, due_at = a.due_at, priority = a.priority, concurrency_key = a.concurrency_key, throttle_key = a.throttle_key,
       debounce_key = NULLIF(a.debounce_key, ''), claims = 0, claimed_by = NULL
FROM (SELECT unnest(@execution_ids::uuid[]) AS execution_id, unnest(@due_ats::timestamptz[]) AS due_at, unnest(@priorities::smallint[]) AS priority,
             unnest(@concurrency_keys::text[]) AS concurrency_key, unnest(@throttle_keys::text[]) AS throttle_key, unnest(@debounce_keys::text[]) AS debounce_key) AS a,
     triggers t
WHERE o.execution_id = a.execution_id AND t.id = o.trigger_id;

-- name: LaneListDebounced :many
-- The firings that wait in lanes for the quiet that an arrival ends.
SELECT o.execution_id, a.lane::text AS lane, a.key::text AS debounce_key, o.due_at
FROM (SELECT unnest(@lanes::uuid[]) AS lane, unnest(@keys::text[]) AS key, unnest(@arrivals::timestamptz[]) AS arrival) AS a
JOIN outbox o ON o.lane = a.lane AND o.debounce_key = a.key
WHERE o.due_at > a.arrival AND NOT EXISTS (SELECT FROM lane_slots s WHERE s.execution_id = o.execution_id);

-- name: LaneDrop :exec
-- Ends waiting firings whose place another one has taken: each leaves its execution, so that they can be seen and counted.
WITH fate AS (
    SELECT unnest(@execution_ids::uuid[]) AS execution_id, unnest(@successors::uuid[]) AS successor
), dropped AS (
    DELETE FROM outbox o USING fate WHERE o.execution_id = fate.execution_id RETURNING o.*
)
INSERT INTO executions (id, app_id, status, script, version, trigger_id, trigger, kind, event_id, error, attempts, depth, root_id, parent_id, replay_of, principal,
                        queued_at, started_at, finished_at)
SELECT d.execution_id, d.app_id, 'canceled', COALESCE(s.name, ''), COALESCE(d.version, s.active_version, 0), d.trigger_id, COALESCE(t.name, ''), d.kind, d.event_id,
       json_build_object('reason', 'debounced', 'type', 'Debounced', 'message', 'a later event took its place: execution ' || fate.successor::text),
       0, d.depth, d.root_id, d.parent_id, d.replay_of, d.principal, d.created_at, d.created_at, clock_timestamp()
FROM dropped d JOIN fate ON fate.execution_id = d.execution_id LEFT JOIN scripts s ON s.id = d.script_id LEFT JOIN triggers t ON t.id = d.trigger_id
ON CONFLICT (id) DO NOTHING;
