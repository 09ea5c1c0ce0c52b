-- name: RootBudgetCut :one
-- Whether the execution is the one whose dead letter stands for all that is cut of its tree: the first that asks is.
WITH first AS (
    UPDATE root_budgets b SET cut_by = sqlc.arg(execution_id)::uuid
    WHERE b.root_id = sqlc.arg(root_id)::uuid AND (b.cut_by IS NULL OR b.cut_by = sqlc.arg(execution_id)::uuid) RETURNING b.root_id
)
SELECT (EXISTS (SELECT FROM first) OR NOT EXISTS (SELECT FROM root_budgets g WHERE g.root_id = sqlc.arg(root_id)::uuid))::boolean AS first;

-- name: RootBudgetGet :one
SELECT executions, effects, cpu_us FROM root_budgets WHERE root_id = @root_id AND app_id = @app_id;

-- name: RootBudgetDeleteOld :execrows
DELETE FROM root_budgets WHERE created_at < now() - sqlc.arg(keep_days)::int * interval '1 day';

-- name: ExecutionPath :many
-- The path down to an execution with that parent, the root's first.
SELECT p.trigger::text AS trigger, p.script::text AS script, p.source::text AS source, p.subject::text AS subject FROM execution_path(@parent_id::uuid) p;

-- name: OutboxCharge :exec
-- Counts firings that have passed their filters; those over the budget are cut.
SELECT tree_charge(@execution_ids::uuid[], false);
