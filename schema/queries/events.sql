-- name: EventInsert :exec
INSERT INTO events (id, app_id, type, source, subject, time, content_type, data, root_id, parent_id, depth, traceparent, replay_of, partition_key)
VALUES (@id, @app_id, @type, @source, @subject, @time, @content_type, @data, @root_id, @parent_id, @depth, @traceparent, @replay_of, @partition_key)
ON CONFLICT (id) DO NOTHING;

-- name: EventGet :one
SELECT * FROM events WHERE id = @id AND app_id = @app_id;

-- name: EventListByID :many
SELECT * FROM events WHERE id = ANY (@ids::uuid[]);
