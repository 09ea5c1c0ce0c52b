-- name: MetricsOutbox :one
-- What waits: due (any dispatcher may claim it), later (delays, leases, retries), lane (queues and flow control), parked (paused apps). Plain reads: they lock nothing.
SELECT count(*) FILTER (WHERE lane IS NULL AND NOT parked AND due_at <= now()) AS due,
       count(*) FILTER (WHERE lane IS NULL AND NOT parked AND due_at > now()) AS later,
       count(*) FILTER (WHERE lane IS NOT NULL AND NOT parked) AS lane,
       count(*) FILTER (WHERE parked) AS parked,
       COALESCE(extract(epoch FROM now() - min(due_at) FILTER (WHERE lane IS NULL AND NOT parked AND due_at <= now())), 0)::float8 AS oldest_due_seconds
FROM outbox;

-- name: MetricsDeadLetters :many
-- The apps with the most unresolved letters.
SELECT a.slug, count(*) AS unresolved FROM dead_letters d JOIN apps a ON a.id = d.app_id WHERE d.resolution IS NULL
GROUP BY a.slug ORDER BY count(*) DESC, a.slug LIMIT @max;

-- name: MetricsQueues :many
-- The queues with the most messages, with the age of their oldest one that is due. A message that several triggers take counts for each.
SELECT a.slug, d.queue, count(*) AS messages, COALESCE(extract(epoch FROM now() - min(o.due_at) FILTER (WHERE o.due_at <= now())), 0)::float8 AS oldest_due_seconds
FROM outbox o JOIN queue_trigger_details d ON d.trigger_id = o.trigger_id JOIN apps a ON a.id = o.app_id
GROUP BY a.slug, d.queue ORDER BY count(*) DESC, a.slug, d.queue LIMIT @max;
