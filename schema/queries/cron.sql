-- name: CronTriggerList :many
-- The cron triggers of all apps, or the one that is asked for.
SELECT t.id, a.slug AS app, t.name, t.enabled, c.schedule, c.timezone, c.overlap, c.catchup_window_ms, c.jitter_ms
FROM triggers t JOIN cron_trigger_details c ON c.trigger_id = t.id JOIN apps a ON a.id = t.app_id
WHERE sqlc.narg(id)::uuid IS NULL OR t.id = sqlc.narg(id)::uuid
ORDER BY t.id;

-- name: CronTriggerOpen :one
-- All that the firing of a tick needs.
SELECT t.app_id, a.slug AS app, t.script_id, s.name AS script, s.active_version AS version, t.name AS trigger, t.retry, t.max_depth, t.registered_by_principal, t.filter, v.limits, c.schedule
FROM triggers t
JOIN cron_trigger_details c ON c.trigger_id = t.id
JOIN apps a ON a.id = t.app_id
JOIN scripts s ON s.id = t.script_id
LEFT JOIN script_versions v ON v.script_id = s.id AND v.version = s.active_version
WHERE t.id = @id AND t.enabled AND a.paused_at IS NULL;
