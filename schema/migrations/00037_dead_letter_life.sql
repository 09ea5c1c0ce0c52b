-- +goose Up

-- The letter whose replay left this one.
ALTER TABLE dead_letters ADD COLUMN replay_of uuid;
-- What the groups count, without a look at the letters themselves: those are wide.
CREATE INDEX dead_letters_causes ON dead_letters (app_id, fingerprint, id) INCLUDE (created_at, resolution, script, reason, trigger, trigger_id);

-- +goose Down
DROP INDEX dead_letters_causes;
ALTER TABLE dead_letters DROP COLUMN replay_of;
