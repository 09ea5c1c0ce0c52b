-- name: BulkReplayInsert :one
-- The letters that it takes are counted at once. Nothing is inserted where the key has been used.
WITH new AS (SELECT uuid_v7() AS id)
INSERT INTO bulk_replays (id, app_id, request, principal, idempotency_key, report, total)
SELECT new.id, @app_id, @request, @principal, sqlc.narg(idempotency_key), sqlc.narg(report), CASE WHEN @by_ids::boolean THEN @ids_count::bigint ELSE (
    SELECT count(*) FROM dead_letters l
    WHERE l.app_id = @app_id AND l.id < new.id AND l.resolution IS NOT DISTINCT FROM sqlc.narg(resolution)::text
      AND (@script::text = '' OR l.script = @script)
      AND (@trigger::text = '' OR l.trigger = @trigger OR l.trigger_id::text = @trigger)
      AND (@reason::text = '' OR l.reason = @reason)
      AND (@fingerprint::text = '' OR l.fingerprint = @fingerprint)
      AND (sqlc.narg(since)::timestamptz IS NULL OR l.id >= uuid_v7_floor(sqlc.narg(since)::timestamptz))
      AND (sqlc.narg(until)::timestamptz IS NULL OR l.id < uuid_v7_floor(sqlc.narg(until)::timestamptz))
) END
FROM new
ON CONFLICT (app_id, idempotency_key) DO NOTHING
RETURNING id;

-- name: BulkReplayLetters :many
-- The next letters of a bulk replay, locked until the transaction ends.
SELECT * FROM dead_letters l
WHERE l.app_id = @app_id AND l.id < @before AND (sqlc.narg(after)::uuid IS NULL OR l.id > sqlc.narg(after)::uuid)
  AND l.resolution IS NOT DISTINCT FROM sqlc.narg(resolution)::text
  AND (NOT @by_ids::boolean OR l.id = ANY (@ids::uuid[]))
  AND (@script::text = '' OR l.script = @script)
  AND (@trigger::text = '' OR l.trigger = @trigger OR l.trigger_id::text = @trigger)
  AND (@reason::text = '' OR l.reason = @reason)
  AND (@fingerprint::text = '' OR l.fingerprint = @fingerprint)
  AND (sqlc.narg(since)::timestamptz IS NULL OR l.id >= uuid_v7_floor(sqlc.narg(since)::timestamptz))
  AND (sqlc.narg(until)::timestamptz IS NULL OR l.id < uuid_v7_floor(sqlc.narg(until)::timestamptz))
ORDER BY l.id LIMIT @max FOR UPDATE;

-- name: BulkReplayGet :one
SELECT sqlc.embed(b), a.slug AS app FROM bulk_replays b JOIN apps a ON a.id = b.app_id WHERE b.app_id = @app_id AND b.id = @id;

-- name: BulkReplayByKey :one
SELECT sqlc.embed(b), a.slug AS app FROM bulk_replays b JOIN apps a ON a.id = b.app_id WHERE b.app_id = @app_id AND b.idempotency_key = @idempotency_key;

-- name: BulkReplayLock :one
SELECT sqlc.embed(b), a.slug AS app FROM bulk_replays b JOIN apps a ON a.id = b.app_id WHERE b.id = @id FOR UPDATE OF b;

-- name: BulkReplayList :many
SELECT sqlc.embed(b), a.slug AS app FROM bulk_replays b JOIN apps a ON a.id = b.app_id
WHERE b.app_id = @app_id AND (sqlc.narg(before)::uuid IS NULL OR b.id < sqlc.narg(before)::uuid)
ORDER BY b.id DESC LIMIT @max;

-- name: BulkReplayListRunning :many
SELECT sqlc.embed(b), a.slug AS app FROM bulk_replays b JOIN apps a ON a.id = b.app_id WHERE b.status = 'running' ORDER BY b.id LIMIT 1000;

-- name: BulkReplayProgress :exec
-- The end of a page. What a completed one did not find any more was resolved by others.
UPDATE bulk_replays SET
    total = GREATEST(total, sqlc.arg(replayed)::bigint + sqlc.arg(skipped)::bigint), replayed = sqlc.arg(replayed)::bigint,
    skipped = CASE WHEN sqlc.arg(status)::text = 'completed' THEN GREATEST(sqlc.arg(skipped)::bigint, total - sqlc.arg(replayed)::bigint) ELSE sqlc.arg(skipped)::bigint END,
    report = sqlc.narg(report), after = sqlc.narg(after), status = sqlc.arg(status)::text,
    finished_at = CASE WHEN sqlc.arg(status)::text = 'running' THEN NULL ELSE now() END
WHERE id = @id;

-- name: BulkReplayCancel :exec
UPDATE bulk_replays SET status = 'canceled', finished_at = now() WHERE id = @id AND status = 'running';

-- name: BulkReplayDeleteOld :execrows
DELETE FROM bulk_replays WHERE finished_at < now() - sqlc.arg(keep_days)::int * interval '1 day';

-- name: BulkDryLetterInsert :exec
INSERT INTO bulk_dry_letters (bulk_replay_id, dead_letter_id, outcome, error, effects, effects_total, changed_keys)
VALUES (@bulk_replay_id, @dead_letter_id, @outcome, @error, @effects, @effects_total, @changed_keys);

-- name: BulkDryLetterList :many
SELECT * FROM bulk_dry_letters
WHERE bulk_replay_id = @bulk_replay_id AND (@outcome::text = '' OR outcome = @outcome) AND (NOT @changed::boolean OR changed_keys IS NOT NULL)
  AND (sqlc.narg(after)::uuid IS NULL OR dead_letter_id > sqlc.narg(after)::uuid)
ORDER BY dead_letter_id LIMIT @max;
