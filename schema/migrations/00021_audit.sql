-- +goose Up

CREATE TABLE audit_log (
    id          uuid PRIMARY KEY DEFAULT uuid_v7(),
    at          timestamptz NOT NULL DEFAULT now(),
    principal   text NOT NULL,
    key_id      uuid,
    action      text NOT NULL,
    app         text NOT NULL,
    target_kind text NOT NULL,
    target_id   text NOT NULL,
    before      json,
    after       json,
    ip          text NOT NULL,
    request_id  text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('done', 'denied'))
);
CREATE INDEX audit_log_by_app ON audit_log (app, id);
CREATE INDEX audit_log_by_principal ON audit_log (principal, id);

-- Append-only for everybody, the owner too. A role that serves without owning the tables gets no right to change it either.
-- +goose StatementBegin
CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM PUBLIC;

-- +goose Down
DROP TABLE audit_log;
DROP FUNCTION audit_log_refuse;
