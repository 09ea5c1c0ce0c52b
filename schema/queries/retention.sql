-- name: PartitionsCreate :exec
SELECT partitions_create(@parent::text, (now() AT TIME ZONE 'UTC')::date - 1, @days::int);

-- name: PartitionsDrop :one
SELECT partitions_drop(@parent::text, (now() AT TIME ZONE 'UTC')::date - sqlc.arg(keep_days)::int)::int AS dropped;

-- name: DeadLetterDeleteResolved :execrows
DELETE FROM dead_letters WHERE resolution IS NOT NULL AND resolved_at < now() - sqlc.arg(keep_days)::int * interval '1 day';

-- name: DeadLetterDropUnresolved :many
-- Deletes the unresolved letters that nobody has looked after for so long, and counts them, by app.
WITH gone AS (
    DELETE FROM dead_letters l WHERE l.resolution IS NULL AND l.created_at < now() - sqlc.arg(keep_days)::int * interval '1 day'
    RETURNING l.app_id
), counted AS (
    SELECT g.app_id, count(*) AS letters FROM gone g GROUP BY g.app_id
), kept AS (
    INSERT INTO dead_letters_dropped AS d (app_id, letters) SELECT c.app_id, c.letters FROM counted c
    ON CONFLICT (app_id) DO UPDATE SET letters = d.letters + EXCLUDED.letters, last_at = now()
)
SELECT a.slug, c.letters FROM counted c JOIN apps a ON a.id = c.app_id;

-- name: AbandonedExecutionDeleteOld :execrows
DELETE FROM abandoned_executions WHERE abandoned_at < now() - sqlc.arg(keep_days)::int * interval '1 day';

-- name: IdempotencyKeyDeleteOld :execrows
DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours';
