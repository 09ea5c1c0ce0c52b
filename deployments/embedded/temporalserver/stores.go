package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/iancoleman/strcase"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // registers the plugin that mainPlugin names
	v12 "go.temporal.io/server/schema/postgresql/v12"
	"go.temporal.io/server/tools/common/schema"
	toolssql "go.temporal.io/server/tools/sql"
	"golang.org/x/sync/errgroup"
)

// The databases, by the names that Temporal's own tools expect.
const (
	mainDatabase       = "temporal"
	visibilityDatabase = "temporal_visibility"
)

// Connections of each of the four services to each database, at most. History is the one that uses them.
const (
	mainConnections       = 20
	visibilityConnections = 8
	connectionIdle        = 5 * time.Minute
	connectionLife        = time.Hour
)

// ownerLock is the advisory lock, in the main database, that the one in-process server on it holds.
const ownerLock = 0x7069636c6f7564

// ownerPatience bounds the wait for the lock: PostgreSQL takes a moment to notice that a killed owner is gone.
const ownerPatience = 5 * time.Second

// ErrInUse says that another process runs a Temporal server on the same databases.
var ErrInUse = errors.New("temporal databases are in use by another process")

// stores are the two databases, as Temporal's configuration wants them.
type stores struct {
	base             *pgx.ConnConfig
	main, visibility *config.SQL
}

func newStores(base *pgx.ConnConfig) stores {
	return stores{
		base:       base,
		main:       storeConfig(base, mainDatabase, mainConnections),
		visibility: storeConfig(base, visibilityDatabase, visibilityConnections),
	}
}

// storeConfig makes connections by a function, so that TLS and every other option of the URL hold, and no password gets
// into a configuration that Temporal may log. The address is for messages.
func storeConfig(base *pgx.ConnConfig, database string, connections int) *config.SQL {
	return &config.SQL{
		PluginName:   postgresql.PluginNamePGX,
		DatabaseName: database,
		ConnectAddr:  fmt.Sprintf("%s:%d", base.Host, base.Port),
		Connect: func(*config.SQL) (*sqlx.DB, error) {
			db := sqlx.NewDb(stdlib.OpenDB(*withDatabase(base, database), stdlib.OptionAfterConnect(durationsAreIntegers)), "pgx")
			db.SetMaxOpenConns(connections)
			db.SetMaxIdleConns(connections)
			db.SetConnMaxIdleTime(connectionIdle)
			db.SetConnMaxLifetime(connectionLife)
			db.MapperFunc(strcase.ToSnake) // Temporal's columns are its fields' names in snake case
			if err := db.Ping(); err != nil {
				return nil, errors.Join(err, db.Close())
			}
			return db, nil
		},
	}
}

// durationsAreIntegers makes pgx send a time.Duration as Temporal stores it: as a bigint, not as an interval.
func durationsAreIntegers(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterDefaultPgType(time.Duration(0), "int8")
	conn.TypeMap().RegisterDefaultPgType((*time.Duration)(nil), "int8")
	return nil
}

func withDatabase(base *pgx.ConnConfig, database string) *pgx.ConnConfig {
	c := base.Copy()
	c.Database = database
	return c
}

// ensureDatabases creates the databases that are missing.
func (s stores) ensureDatabases(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.base.Copy())
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost with it
	for _, name := range []string{mainDatabase, visibilityDatabase} {
		var exists bool
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil {
			return fmt.Errorf("look up database %s: %w", name, err)
		}
		if exists {
			continue
		}
		_, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
		var pgErr *pgconn.PgError
		if err != nil && (!errors.As(err, &pgErr) || pgErr.Code != "42P04") { // duplicate_database: another node was faster
			return fmt.Errorf("create database %s: %w", name, err)
		}
	}
	return nil
}

// own takes the databases for this process, for as long as the returned connection lives. Two servers that do not know of
// each other would each own every shard, and undo each other's work.
func (s stores) own(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, withDatabase(s.base, mainDatabase))
	if err != nil {
		return nil, fmt.Errorf("connect to database %s: %w", mainDatabase, err)
	}
	if _, err = conn.Exec(ctx, fmt.Sprintf(`SET lock_timeout = '%dms'`, ownerPatience.Milliseconds())); err == nil {
		_, err = conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, ownerLock)
	}
	if err == nil {
		return conn, nil
	}
	_ = conn.Close(context.WithoutCancel(ctx))
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "55P03" { // lock_not_available
		return nil, ErrInUse
	}
	return nil, fmt.Errorf("lock database %s: %w", mainDatabase, err)
}

// ensureSchemas brings both databases to the schema that this Temporal wants, from the files embedded in its module.
func (s stores) ensureSchemas(log *logger) error {
	var group errgroup.Group
	group.Go(func() error { return ensureSchema(s.main, "postgresql/v12/temporal", v12.Version, log) })
	group.Go(func() error {
		return ensureSchema(s.visibility, "postgresql/v12/visibility", v12.VisibilityVersion, log)
	})
	return group.Wait()
}

func ensureSchema(store *config.SQL, name, version string, log *logger) error {
	db, err := toolssql.NewConnection(store, log)
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", store.DatabaseName, err)
	}
	defer db.Close()
	current, err := db.ReadSchemaVersion()
	if err == nil && current == version {
		return nil
	}
	if err != nil { // no version table yet; any other reason fails the set-up too
		setup := schema.NewSetupSchemaTask(db, &schema.SetupConfig{InitialVersion: "0.0"}, log)
		if err := setup.Run(); err != nil {
			return fmt.Errorf("set up schema of %s: %w", store.DatabaseName, err)
		}
	}
	update := schema.NewUpdateSchemaTask(db, &schema.UpdateConfig{DBName: store.DatabaseName, SchemaName: name}, log)
	if err := update.Run(); err != nil {
		return fmt.Errorf("update schema of %s: %w", store.DatabaseName, err)
	}
	return nil
}
