-- +goose Up

-- What a run is repeated with: where its clock began, and the seed of its Math.random. Null where no script ran.
ALTER TABLE executions ADD COLUMN clock timestamptz, ADD COLUMN seed bigint;
ALTER TABLE execution_attempts ADD COLUMN clock timestamptz, ADD COLUMN seed bigint;

-- +goose Down
ALTER TABLE executions DROP COLUMN clock, DROP COLUMN seed;
ALTER TABLE execution_attempts DROP COLUMN clock, DROP COLUMN seed;
