-- name: PartitionsCreate :exec
SELECT partitions_create(@parent::text, (now() AT TIME ZONE 'UTC')::date - 1, @days::int);

-- name: PartitionsDrop :one
SELECT partitions_drop(@parent::text, (now() AT TIME ZONE 'UTC')::date - sqlc.arg(keep_days)::int)::int AS dropped;

-- name: DeadLetterDeleteResolved :execrows
DELETE FROM dead_letters WHERE resolution IS NOT NULL AND created_at < now() - sqlc.arg(keep_days)::int * interval '1 day';

-- name: AbandonedExecutionDeleteOld :execrows
DELETE FROM abandoned_executions WHERE abandoned_at < now() - sqlc.arg(keep_days)::int * interval '1 day';

-- name: IdempotencyKeyDeleteOld :execrows
DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours';
