-- name: TriggerInsert :one
INSERT INTO triggers (app_id, name, kind, script_id, enabled, retry, filter, flow, max_depth, cycle, registered_by_principal)
SELECT @app_id, @name, @kind, s.id, @enabled, @retry, @filter, @flow, @max_depth, @cycle, @registered_by_principal
FROM scripts s WHERE s.app_id = @app_id AND s.name = @script
RETURNING *;

-- name: TriggerUpdate :one
UPDATE triggers t SET name = @name, script_id = s.id, enabled = @enabled, retry = @retry, filter = @filter, flow = @flow, max_depth = @max_depth, cycle = @cycle, registered_by_principal = @registered_by_principal,
                      disabled_reason = @disabled_reason, updated_at = now()
FROM scripts s
WHERE t.id = @id AND t.app_id = @app_id AND s.app_id = @app_id AND s.name = @script
RETURNING t.*;

-- name: TriggerGet :one
SELECT sqlc.embed(t), s.name AS script,
       h.methods AS http_methods, h.path AS http_path, h.mode AS http_mode, h.auth AS http_auth, h.signature AS http_signature, h.secret AS http_secret, h.tolerance_ms AS http_tolerance_ms, h.cors AS http_cors,
       h.on_disconnect AS http_on_disconnect,
       k.collection AS kv_collection, k.operations AS kv_operations, k.key AS kv_key,
       p.topic AS pubsub_topic,
       l.script AS letter_script, l.trigger AS letter_trigger, l.reasons AS letter_reasons,
       c.schedule AS cron_schedule, c.timezone AS cron_timezone, c.overlap AS cron_overlap, c.catchup_window_ms AS cron_catchup_window_ms, c.jitter_ms AS cron_jitter_ms,
       q.queue, q.max_concurrency AS queue_max_concurrency, q.batch_size AS queue_batch_size, q.batch_window_ms AS queue_batch_window_ms,
       e.address AS email_address
FROM triggers t
JOIN scripts s ON s.id = t.script_id
LEFT JOIN http_trigger_details h ON h.trigger_id = t.id
LEFT JOIN kv_trigger_details k ON k.trigger_id = t.id
LEFT JOIN pubsub_trigger_details p ON p.trigger_id = t.id
LEFT JOIN dead_letter_trigger_details l ON l.trigger_id = t.id
LEFT JOIN cron_trigger_details c ON c.trigger_id = t.id
LEFT JOIN queue_trigger_details q ON q.trigger_id = t.id
LEFT JOIN email_trigger_details e ON e.trigger_id = t.id
WHERE t.app_id = @app_id AND t.id = @id;

-- name: TriggerList :many
SELECT sqlc.embed(t), s.name AS script,
       h.methods AS http_methods, h.path AS http_path, h.mode AS http_mode, h.auth AS http_auth, h.signature AS http_signature, h.secret AS http_secret, h.tolerance_ms AS http_tolerance_ms, h.cors AS http_cors,
       h.on_disconnect AS http_on_disconnect,
       k.collection AS kv_collection, k.operations AS kv_operations, k.key AS kv_key,
       p.topic AS pubsub_topic,
       l.script AS letter_script, l.trigger AS letter_trigger, l.reasons AS letter_reasons,
       c.schedule AS cron_schedule, c.timezone AS cron_timezone, c.overlap AS cron_overlap, c.catchup_window_ms AS cron_catchup_window_ms, c.jitter_ms AS cron_jitter_ms,
       q.queue, q.max_concurrency AS queue_max_concurrency, q.batch_size AS queue_batch_size, q.batch_window_ms AS queue_batch_window_ms,
       e.address AS email_address
FROM triggers t
JOIN scripts s ON s.id = t.script_id
LEFT JOIN http_trigger_details h ON h.trigger_id = t.id
LEFT JOIN kv_trigger_details k ON k.trigger_id = t.id
LEFT JOIN pubsub_trigger_details p ON p.trigger_id = t.id
LEFT JOIN dead_letter_trigger_details l ON l.trigger_id = t.id
LEFT JOIN cron_trigger_details c ON c.trigger_id = t.id
LEFT JOIN queue_trigger_details q ON q.trigger_id = t.id
LEFT JOIN email_trigger_details e ON e.trigger_id = t.id
WHERE t.app_id = @app_id
  AND (@kind::text = '' OR t.kind = @kind)
  AND (@script::text = '' OR s.name = @script)
  AND (sqlc.narg(after)::uuid IS NULL OR t.id > sqlc.narg(after)::uuid)
  AND (NOT @enabled_only::boolean OR t.enabled)
ORDER BY t.id LIMIT @max;

-- name: TriggerDelete :execrows
DELETE FROM triggers WHERE app_id = @app_id AND id = @id;

-- name: TriggerHTTPPut :exec
INSERT INTO http_trigger_details (trigger_id, methods, path, mode, auth, signature, secret, tolerance_ms, cors, shape, on_disconnect)
VALUES (@trigger_id, @methods, @path, @mode, @auth, @signature, @secret, @tolerance_ms, @cors, @shape, @on_disconnect)
ON CONFLICT (trigger_id) DO UPDATE SET methods = EXCLUDED.methods, path = EXCLUDED.path, mode = EXCLUDED.mode, auth = EXCLUDED.auth, signature = EXCLUDED.signature,
                                       secret = EXCLUDED.secret, tolerance_ms = EXCLUDED.tolerance_ms, cors = EXCLUDED.cors, shape = EXCLUDED.shape,
                                       on_disconnect = EXCLUDED.on_disconnect;

-- name: TriggerHTTPLock :exec
-- Locks the script of a trigger: its http triggers are compared and written one after the other.
SELECT s.id FROM scripts s WHERE s.id = (SELECT t.script_id FROM triggers t WHERE t.id = @trigger_id) FOR NO KEY UPDATE;

-- name: TriggerHTTPRival :one
-- Another enabled trigger of the same script that covers the same paths and one of the same methods.
SELECT t.name FROM triggers t JOIN http_trigger_details h ON h.trigger_id = t.id
WHERE t.script_id = (SELECT m.script_id FROM triggers m WHERE m.id = @trigger_id) AND t.id <> @trigger_id AND t.enabled AND h.shape = @shape
  AND (h.methods && sqlc.arg(methods)::text[] OR h.methods = '{}' AND sqlc.arg(methods)::text[] = '{}')
ORDER BY t.id LIMIT 1;

-- name: TriggerKVPut :exec
INSERT INTO kv_trigger_details (trigger_id, collection, operations, key) VALUES (@trigger_id, @collection, @operations, @key)
ON CONFLICT (trigger_id) DO UPDATE SET collection = EXCLUDED.collection, operations = EXCLUDED.operations, key = EXCLUDED.key;

-- name: TriggerPubSubPut :exec
INSERT INTO pubsub_trigger_details (trigger_id, topic) VALUES (@trigger_id, @topic)
ON CONFLICT (trigger_id) DO UPDATE SET topic = EXCLUDED.topic;

-- name: TriggerDeadLetterPut :exec
INSERT INTO dead_letter_trigger_details (trigger_id, script, trigger, reasons) VALUES (@trigger_id, @script, @trigger, @reasons)
ON CONFLICT (trigger_id) DO UPDATE SET script = EXCLUDED.script, trigger = EXCLUDED.trigger, reasons = EXCLUDED.reasons;

-- name: TriggerCronPut :exec
INSERT INTO cron_trigger_details (trigger_id, schedule, timezone, overlap, catchup_window_ms, jitter_ms)
VALUES (@trigger_id, @schedule, @timezone, @overlap, @catchup_window_ms, @jitter_ms)
ON CONFLICT (trigger_id) DO UPDATE SET schedule = EXCLUDED.schedule, timezone = EXCLUDED.timezone, overlap = EXCLUDED.overlap,
                                       catchup_window_ms = EXCLUDED.catchup_window_ms, jitter_ms = EXCLUDED.jitter_ms;

-- name: TriggerQueuePut :exec
INSERT INTO queue_trigger_details (trigger_id, queue, max_concurrency, batch_size, batch_window_ms) VALUES (@trigger_id, @queue, @max_concurrency, @batch_size, @batch_window_ms)
ON CONFLICT (trigger_id) DO UPDATE SET queue = EXCLUDED.queue, max_concurrency = EXCLUDED.max_concurrency, batch_size = EXCLUDED.batch_size, batch_window_ms = EXCLUDED.batch_window_ms;

-- name: TriggerEmailPut :exec
INSERT INTO email_trigger_details (trigger_id, address) VALUES (@trigger_id, @address)
ON CONFLICT (trigger_id) DO UPDATE SET address = EXCLUDED.address;
