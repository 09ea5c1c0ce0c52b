// Package schema holds PiCloud's database schema: the migrations, and the queries that sqlc turns into internal/store/sqlc.
package schema

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrate brings the database at url (a PostgreSQL URL) to the newest version and gives the number of migrations that it applied. Several processes
// may call it at once: a session lock lets one at a time through.
func Migrate(ctx context.Context, url string) (applied int, err error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return 0, fmt.Errorf("make migration lock: %w", err)
	}
	err = withMigrations(url, func(_ *sql.DB, migrations *goose.Provider) error {
		results, err := migrations.Up(ctx)
		applied = len(results)
		return err
	}, goose.WithSessionLocker(locker))
	if err != nil {
		return 0, fmt.Errorf("migrate database: %w", err)
	}
	return applied, nil
}

// Current says whether the database at url is at the newest version that this program knows, or beyond. It changes nothing; a database that was never
// migrated is an error.
func Current(ctx context.Context, url string) (current bool, err error) {
	err = withMigrations(url, func(db *sql.DB, migrations *goose.Provider) error {
		versions, err := database.NewStore(goose.DialectPostgres, goose.DefaultTablename)
		if err != nil {
			return err
		}
		at, err := versions.GetLatestVersion(ctx, db)
		sources := migrations.ListSources()
		current = at >= sources[len(sources)-1].Version
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read version of database: %w", err)
	}
	return current, nil
}

func withMigrations(url string, do func(*sql.DB, *goose.Provider) error, options ...goose.ProviderOption) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer func() { _ = db.Close() }()
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations, options...)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	return do(db, provider)
}
