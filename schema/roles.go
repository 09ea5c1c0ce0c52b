package schema

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed grants.sql
var grants string

// appendOnly are the tables whose rows the serving role may add and read, and neither change nor delete.
var appendOnly = []string{"goose_db_version", "audit_log"}

// EnsureRole makes the role that serves, with that password, or gives it the password when it is there. url is the owner's; it needs CREATEROLE.
func EnsureRole(ctx context.Context, url, role, password string) error {
	return withConn(ctx, url, func(conn *pgx.Conn) error {
		name := pgx.Identifier{role}.Sanitize()
		// Two processes may come here at once: the one that is late finds the role.
		_, err := conn.Exec(ctx, `DO $$ BEGIN CREATE ROLE `+name+` LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`)
		if err != nil {
			return fmt.Errorf("create role %s: %w", role, err)
		}
		var literal string
		if err := conn.QueryRow(ctx, `SELECT quote_literal($1::text)`, password).Scan(&literal); err != nil {
			return fmt.Errorf("quote password: %w", err)
		}
		if _, err := conn.Exec(ctx, `ALTER ROLE `+name+` LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD `+literal); err != nil {
			return fmt.Errorf("set password of role %s: %w", role, err)
		}
		return nil
	})
}

// Grant lets role serve the migrated database at url, whose role owns the schema: rows of all tables, no change of the schema. It may be repeated, and must be after every migration.
func Grant(ctx context.Context, url, role string) error {
	tables := make([]string, len(appendOnly))
	for i, table := range appendOnly {
		tables[i] = pgx.Identifier{table}.Sanitize()
	}
	sql := strings.NewReplacer(":role", pgx.Identifier{role}.Sanitize(), ":append_only", strings.Join(tables, ", ")).Replace(grants)
	return withConn(ctx, url, func(conn *pgx.Conn) error {
		// One simple query is one transaction. Two at once would update the same rows of the catalogue: one waits for the other.
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('picloud grants'));\n"+sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("grant rights to role %s: %w", role, err)
		}
		return nil
	})
}

func withConn(ctx context.Context, url string, fn func(conn *pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the server forgets the connection anyway
	return fn(conn)
}
