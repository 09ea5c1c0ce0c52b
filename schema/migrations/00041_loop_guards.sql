-- +goose Up

-- Null = the instance's PICLOUD_MAX_TRIGGER_DEPTH.
ALTER TABLE triggers ADD COLUMN max_depth int CHECK (max_depth > 0);
-- 'deny': the trigger may not appear twice on one path from the root event down.
ALTER TABLE triggers ADD COLUMN cycle text NOT NULL DEFAULT 'allow' CHECK (cycle IN ('allow', 'deny'));

-- What the executions of one root event have used together. A tree of one execution has no row: the row comes with the first firing below it, or when the root fires several at once.
CREATE TABLE root_budgets (
    root_id    uuid PRIMARY KEY,
    app_id     uuid NOT NULL,
    executions bigint NOT NULL, -- fired so far; more than the budget: the difference was cut
    effects    bigint NOT NULL,
    cpu_us     bigint NOT NULL, -- of scripts, failed attempts included
    cut_by     uuid,            -- the execution whose dead letter stands for all that was cut
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX root_budgets_by_age ON root_budgets (created_at);

-- CPU time of the script in the run that ended the execution.
ALTER TABLE executions ADD COLUMN cpu_us bigint;

-- The first firing over the budget of executions: it is dispatched to be cut, all later ones are not kept.
ALTER TABLE outbox ADD COLUMN cut boolean NOT NULL DEFAULT false;

-- tree_charge counts firings against the budgets of their trees. The budget of executions is the setting picloud.root_max_executions of the connection ('' = no bound). Handlers of
-- dead letters are not counted: they are what is to run when all else is cut. A replay is asked for by a person: its tree gets a new budget. among says that the event fires others too.
-- +goose StatementBegin
CREATE FUNCTION tree_charge(ids uuid[], among boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    most bigint := NULLIF(current_setting('picloud.root_max_executions', true), '')::bigint;
    tree record;
    spent bigint;
    over bigint;
BEGIN
    FOR tree IN
        SELECT root_id, app_id, count(*) FILTER (WHERE replay_of IS NULL) AS fired, bool_or(replay_of IS NOT NULL) AS replayed,
               max(depth) AS depth, min(parent_id::text)::uuid AS parent_id
        FROM outbox WHERE execution_id = ANY (ids) AND kind <> 'dead_letter'
        GROUP BY root_id, app_id ORDER BY root_id
    LOOP
        IF tree.replayed THEN
            DELETE FROM root_budgets WHERE root_id = tree.root_id;
        END IF;
        CONTINUE WHEN tree.fired = 0;
        UPDATE root_budgets SET executions = executions + tree.fired WHERE root_id = tree.root_id RETURNING executions INTO spent;
        IF NOT FOUND THEN
            CONTINUE WHEN tree.depth = 1 AND tree.fired = 1 AND NOT among;
            INSERT INTO root_budgets AS b (root_id, app_id, executions, effects, cpu_us)
            SELECT tree.root_id, tree.app_id, tree.fired + CASE WHEN tree.depth > 1 THEN 1 ELSE 0 END, COALESCE(json_array_length(x.effects), 0), COALESCE(x.cpu_us, 0)
            FROM (SELECT 1) AS one LEFT JOIN executions x ON x.id = tree.parent_id
            ON CONFLICT (root_id) DO UPDATE SET executions = b.executions + tree.fired
            RETURNING executions INTO spent;
        END IF;
        over := LEAST(tree.fired, spent - most);
        CONTINUE WHEN most IS NULL OR over <= 0;
        WITH surplus AS (
            SELECT execution_id, row_number() OVER (ORDER BY execution_id DESC) AS nth
            FROM outbox WHERE execution_id = ANY (ids) AND root_id = tree.root_id AND kind <> 'dead_letter' AND replay_of IS NULL
        ), first AS (
            UPDATE outbox o SET cut = true, lane = NULL, due_at = now() FROM surplus s
            WHERE o.execution_id = s.execution_id AND s.nth = over AND spent - tree.fired <= most
        )
        DELETE FROM outbox o USING surplus s WHERE o.execution_id = s.execution_id AND (s.nth < over OR (s.nth = over AND spent - tree.fired > most));
    END LOOP;
END
$$;
-- +goose StatementEnd

-- outbox_charge counts firings where they are written, whoever writes them, in the same transaction. A filtered one counts when it has passed: see OutboxCharge. One firing of an event
-- from outside makes a tree of one, of which there is nothing to count.
-- +goose StatementBegin
CREATE FUNCTION outbox_charge() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ids uuid[];
    n bigint;
    deep boolean;
BEGIN
    SELECT array_agg(execution_id) FILTER (WHERE filter IS NULL), count(*), bool_or(depth > 1 OR replay_of IS NOT NULL) INTO ids, n, deep FROM written;
    IF ids IS NOT NULL AND (n > 1 OR deep) THEN
        PERFORM tree_charge(ids, n > cardinality(ids));
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER outbox_charge AFTER INSERT ON outbox REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION outbox_charge();

-- execution_path gives the executions above one, by its parent, the root's first, with their events; at most 1000, and what retention has dropped ends them.
-- +goose StatementBegin
CREATE FUNCTION execution_path(parent uuid) RETURNS TABLE (trigger_id uuid, trigger text, script text, source text, subject text)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up AS (
        SELECT x.parent_id, x.trigger_id, x.trigger, x.script, x.event_id, 1 AS distance FROM executions x WHERE x.id = parent
        UNION ALL
        SELECT x.parent_id, x.trigger_id, x.trigger, x.script, x.event_id, up.distance + 1 FROM up JOIN executions x ON x.id = up.parent_id WHERE up.distance < 1000
    )
    SELECT up.trigger_id, up.trigger, up.script, COALESCE(e.source, ''), COALESCE(e.subject, '')
    FROM up LEFT JOIN events e ON e.id = up.event_id ORDER BY up.distance DESC
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION execution_path;
DROP TRIGGER outbox_charge ON outbox;
DROP FUNCTION outbox_charge;
DROP FUNCTION tree_charge;
ALTER TABLE outbox DROP COLUMN cut;
ALTER TABLE executions DROP COLUMN cpu_us;
DROP TABLE root_budgets;
ALTER TABLE triggers DROP COLUMN cycle;
ALTER TABLE triggers DROP COLUMN max_depth;
