package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"time"

	"github.com/picloud/picloud/deployments/embedded/pgserver"
	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/secrets"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/schema"
)

// servingRole is the role of the private PostgreSQL that serves. Its password is made anew at every start.
const servingRole = "picloud_serving"

// databases are connection strings with passwords in them: never log them.
type databases struct {
	owner    string // of PiCloud's database, as the role that owns its schema
	picloud  string // the same database, as the role that serves
	temporal string // of a database from which Temporal's own are made
}

// separate says whether the role that serves is not the one that owns the schema.
func (d databases) separate() bool { return d.owner != d.picloud }

// role is the name of the role that serves.
func (d databases) role() (string, error) {
	u, err := url.Parse(d.picloud)
	if err != nil || u.User.Username() == "" {
		return "", errors.New("DATABASE_URL must be a URL that names its role, postgres://role:password@host/database, where PICLOUD_MIGRATION_DATABASE_URL is set")
	}
	return u.User.Username(), nil
}

// startPostgres starts the private PostgreSQL, unless DATABASE_URL names another.
func (i *instance) startPostgres(ctx context.Context) (databases, error) {
	if serving := i.config.DatabaseURL; serving != "" {
		owner := i.config.MigrationURL
		if owner == "" {
			owner = serving
		}
		return databases{owner: owner, picloud: serving, temporal: owner}, nil
	}
	pg, err := pgserver.Start(ctx, pgserver.Options{DataDir: filepath.Join(i.config.DataDir, "postgres"), Log: i.log})
	if err != nil {
		return databases{}, fmt.Errorf("start postgres: %w", err)
	}
	stopping := make(chan struct{})
	i.onStop("postgres", func(ctx context.Context) error { close(stopping); return pg.Stop(ctx) })
	go func() {
		select {
		case <-pg.Exited():
			i.fail(errors.New("postgres ended by itself: its log is in the data folder"))
		case <-stopping:
		}
	}()
	if err := pg.EnsureDatabase(ctx, "picloud"); err != nil {
		return databases{}, err
	}
	owner := pg.URL("picloud")
	password := rand.Text()
	if err := schema.EnsureRole(ctx, owner, servingRole, password); err != nil {
		return databases{}, err
	}
	serving, err := url.Parse(owner)
	if err != nil {
		return databases{}, fmt.Errorf("parse url of the private postgres: %w", err)
	}
	serving.User = url.UserPassword(servingRole, password)
	return databases{owner: owner, picloud: serving.String(), temporal: pg.URL("postgres")}, nil
}

// openStore opens the database as its role needs it: up to date and opened by the instance's key, which is the control plane's to see to and the others' to wait for.
func (i *instance) openStore(ctx context.Context, d databases) (*store.Store, error) {
	prepare := i.awaitSchema
	if i.role.controls {
		prepare = i.migrate
	}
	if err := prepare(ctx, d); err != nil {
		return nil, err
	}
	keys, err := secrets.Open(keySource(i.config))
	if err != nil {
		return nil, err
	}
	data, err := store.Open(context.WithoutCancel(ctx), d.picloud, store.Options{
		MaxConnections: databaseConnections(), Retry: i.config.RetryPolicy(), MaxDepth: i.config.MaxTriggerDepth, Budget: i.config.Budget(),
		ExecutionDays: i.config.Retention.ExecutionDays, DeadLetterDays: i.config.Retention.DeadLetterDays, UnresolvedLetterDays: i.config.Retention.UnresolvedLetterDays,
		AbandonedExecDays: i.config.Retention.AbandonedExecutionsDays, Sealer: keys, Log: i.log,
	})
	if err != nil {
		return nil, err
	}
	i.onStop("store", func(context.Context) error { data.Close(); return nil })
	if !i.role.controls {
		return data, i.awaitInstanceKey(ctx, data, keys)
	}
	if err := i.adoptInstanceKey(ctx, data, keys); err != nil {
		return nil, err
	}
	if err := data.PutBootstrapKey(ctx, auth.Digest(i.key)); err != nil {
		return nil, err
	}
	return data, data.MaintainPartitions(ctx)
}

// migrate brings the database up to date, and gives the role that serves its rights.
func (i *instance) migrate(ctx context.Context, d databases) error {
	applied, err := schema.Migrate(ctx, d.owner)
	if err != nil {
		return err
	}
	if applied > 0 {
		i.log.WithField("migrations", applied).Info("brought the database up to date")
	}
	if !d.separate() {
		return nil
	}
	role, err := d.role()
	if err != nil {
		return err
	}
	return schema.Grant(ctx, d.owner, role)
}

// How long a process waits for the manager of its cluster, and how often it looks.
const (
	managerWait = 2 * time.Minute
	managerPoll = 500 * time.Millisecond
)

// awaitSchema waits until the manager has brought the database up to date.
func (i *instance) awaitSchema(ctx context.Context, d databases) error {
	return i.awaitManager(ctx, "to bring the database up to date", func(ctx context.Context) (bool, error) { return schema.Current(ctx, d.picloud) })
}

// awaitManager waits for what the manager of the cluster does at its start.
func (i *instance) awaitManager(ctx context.Context, forWhat string, done func(ctx context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, managerWait)
	defer cancel()
	for said := false; ; said = true {
		ok, err := done(ctx)
		if ok && err == nil {
			return nil
		}
		if !said {
			i.log.Infof("waiting for the manager %s", forWhat)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait %s for the manager %s: is picloud manager up? %w", managerWait, forWhat, errors.Join(ctx.Err(), err))
		case <-time.After(managerPoll):
		}
	}
}

// databaseConnections is enough for the scripts that run at a time and for the API, and leaves most of a default PostgreSQL to Temporal.
func databaseConnections() int { return min(16+4*runtime.GOMAXPROCS(0), 64) }
