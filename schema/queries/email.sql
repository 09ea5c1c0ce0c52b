-- name: EmailMailboxFind :one
-- Whether there is the app, and whether some enabled trigger of it takes mail for the local part.
SELECT EXISTS (SELECT FROM apps a WHERE a.slug = @app_slug) AS has_app,
       EXISTS (SELECT FROM apps a JOIN triggers t ON t.app_id = a.id AND t.kind = 'email' AND t.enabled JOIN email_trigger_details d ON d.trigger_id = t.id
               WHERE a.slug = @app_slug AND glob_match(lower(d.address), lower(@local::text))) AS takes;

-- name: EmailReceiveMany :many
-- Takes one mail for some mailboxes: in one statement it finds the email triggers that their local parts match, writes one event a mailbox and one outbox row a trigger.
WITH mailbox AS MATERIALIZED (
    SELECT unnest(@event_ids::uuid[]) AS event_id, unnest(@app_slugs::text[]) AS app_slug, unnest(@locals::text[]) AS local, unnest(@addresses::text[]) AS address, unnest(@traceparents::text[]) AS traceparent
), firing AS MATERIALIZED (
    SELECT m.event_id, m.app_slug, m.local, m.address, m.traceparent, a.id AS app_id, uuid_v7() AS execution_id, t.id AS trigger_id, t.script_id, t.registered_by_principal, t.filter
    FROM mailbox m
    JOIN apps a ON a.slug = m.app_slug
    JOIN triggers t ON t.app_id = a.id AND t.kind = 'email' AND t.enabled
    JOIN email_trigger_details d ON d.trigger_id = t.id
    WHERE glob_match(lower(d.address), lower(m.local))
), event AS (
    INSERT INTO events (id, app_id, type, source, subject, time, data, root_id, parent_id, depth, traceparent)
    SELECT DISTINCT ON (f.event_id) f.event_id, f.app_id, 'picloud.email.received', '/apps/' || f.app_slug || '/email/' || f.local, f.address, now(), sqlc.arg(data)::text::json,
           COALESCE(sqlc.narg(root_id)::uuid, f.event_id), sqlc.narg(parent_id)::uuid, @depth::int, f.traceparent
    FROM firing f
), queued AS (
    INSERT INTO outbox (execution_id, app_id, script_id, trigger_id, kind, event_id, what, root_id, parent_id, depth, principal, filter, due_at)
    SELECT f.execution_id, f.app_id, f.script_id, f.trigger_id, 'email', f.event_id, left('email to ' || f.address, 160),
           COALESCE(sqlc.narg(root_id)::uuid, f.event_id), sqlc.narg(parent_id)::uuid, @depth::int, f.registered_by_principal, f.filter, now() + filter_hold(f.filter)
    FROM firing f
)
SELECT f.event_id::text AS event_id, f.execution_id::text AS execution_id, (f.filter IS NOT NULL)::boolean AS filtered FROM firing f ORDER BY f.execution_id;

-- name: MailSendMany :exec
-- Queues the mails of a run: one event and one outbox row each. Their hand-over runs no script; script and version are those that sent them.
WITH mail AS MATERIALIZED (
    SELECT unnest(@event_ids::uuid[]) AS event_id, unnest(@execution_ids::uuid[]) AS execution_id, unnest(@subjects::text[]) AS subject, unnest(@bodies::text[])::json AS data
), event AS (
    INSERT INTO events (id, app_id, type, source, subject, time, data, root_id, parent_id, depth, traceparent)
    SELECT m.event_id, @app_id, 'picloud.mail.outgoing', @source::text, m.subject, now(), m.data, @root_id, @parent_id::uuid, @depth::int, @traceparent::text
    FROM mail m
)
INSERT INTO outbox (execution_id, app_id, script_id, version, kind, event_id, what, root_id, parent_id, depth, principal)
SELECT m.execution_id, @app_id, @script_id, sqlc.arg(version)::int, 'mail', m.event_id, left('mail to ' || m.subject, 160), @root_id, @parent_id::uuid, @depth::int, @principal
FROM mail m;
