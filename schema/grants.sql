-- What the role that serves may do: rows, and nothing of the schema. It is run after every migration, with the role's name in place of :role.
-- The daily partitions are made and dropped by functions that run as the owner (partitions_create, partitions_drop).
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :role;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :role;
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO :role;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO :role;
-- The tables that are only ever added to.
REVOKE UPDATE, DELETE ON :append_only FROM :role;
