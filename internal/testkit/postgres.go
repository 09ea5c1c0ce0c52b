package testkit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/ory/dockertest/v3"
	"github.com/ory/dockertest/v3/docker"
	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/deployments/embedded/pgserver"
)

const (
	// postgresStartTimeout includes pulling an image or fetching a server.
	postgresStartTimeout = 3 * time.Minute
	databaseTimeout      = time.Minute
	// containerLife ends a container whose test process was killed.
	containerLife = 20 * time.Minute
)

// postgres is the server that the tests of this process share.
type postgres struct {
	url   *url.URL
	admin *pgxpool.Pool
	// strategy ends a CREATE DATABASE. Copying files is three times as fast as writing them to the log (30 against 100 ms), where
	// the checkpoints around it cost nothing.
	strategy string
}

var (
	sharedPostgres once[*postgres]
	ownPostgres    once[string]
)

// DatabaseURL is the connection string of a fresh, empty database on a real PostgreSQL, for this test alone; it is dropped,
// connections and all, when the test ends. The server is the one of DATABASE_URL (whose role must be allowed to create
// databases and roles), else a container where a Docker engine answers, else a private cluster from the machine's own binaries.
func DatabaseURL(t testing.TB) string {
	t.Helper()
	return sharedPostgres.get(t, startPostgres).create(t, "template0")
}

// templates are the template databases of this process, by name.
var templates struct {
	mu     sync.Mutex
	byName map[string]*once[string]
}

// DatabaseFromTemplate is DatabaseURL for a database with content. The first request for a name in a test process makes a
// template and has build fill it (migrations, say); every test gets a copy, which costs some 40 ms instead of a build.
// build must close its connections before it returns: a database in use can not be copied.
func DatabaseFromTemplate(t testing.TB, name string, build func(ctx context.Context, url string) error) string {
	t.Helper()
	server := sharedPostgres.get(t, startPostgres)
	templates.mu.Lock()
	if templates.byName == nil {
		templates.byName = map[string]*once[string]{}
	}
	template := templates.byName[name]
	if template == nil {
		template = new(once[string])
		templates.byName[name] = template
	}
	templates.mu.Unlock()
	return server.create(t, template.get(t, func() (string, error) { return server.template(name, build) }))
}

// create makes a database from template for the time of the test.
func (p *postgres) create(t testing.TB, template string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	name := "picloud_test_" + randomName()
	if err := p.createDatabase(ctx, name, template); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
		defer cancel()
		if err := p.dropDatabase(ctx, name); err != nil {
			t.Errorf("testkit: %v", err)
		}
	})
	return p.urlOf(name)
}

// template builds a template database and closes it to connections.
func (p *postgres) template(name string, build func(ctx context.Context, url string) error) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	database := "picloud_template_" + randomName()
	if err := p.createDatabase(ctx, database, "template0"); err != nil {
		return "", err
	}
	atEnd(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
		defer cancel()
		return p.dropDatabase(ctx, database)
	})
	if err := build(ctx, p.urlOf(database)); err != nil {
		return "", fmt.Errorf("build template database %q: %w", name, err)
	}
	if _, err := p.admin.Exec(ctx, "ALTER DATABASE "+pgx.Identifier{database}.Sanitize()+" ALLOW_CONNECTIONS false"); err != nil {
		return "", fmt.Errorf("close template database %q: %w", name, err)
	}
	return database, nil
}

func (p *postgres) createDatabase(ctx context.Context, name, template string) error {
	sql := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE " + pgx.Identifier{template}.Sanitize() + p.strategy
	if _, err := p.admin.Exec(ctx, sql); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

func (p *postgres) dropDatabase(ctx context.Context, name string) error {
	if _, err := p.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	return nil
}

// urlOf is the connection string of another database of the server.
func (p *postgres) urlOf(database string) string {
	u := *p.url
	u.Path = "/" + database
	return u.String()
}

func randomName() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// startPostgres finds or starts the server.
func startPostgres() (*postgres, error) {
	if given := os.Getenv("DATABASE_URL"); given != "" {
		return connectPostgres(given)
	}
	address, err := ownPostgres.make(startOwnPostgres)
	if err != nil {
		return nil, err
	}
	return connectPostgres(address)
}

// startOwnPostgres starts a server that no other process uses.
func startOwnPostgres() (string, error) {
	if address, err := startContainer(); err == nil {
		return address, nil
	}
	return startCluster()
}

func connectPostgres(address string) (*postgres, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme == "" {
		return nil, errors.New("parse DATABASE_URL: it must be of the form postgres://…") // without it: there is a password in it
	}
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("parse database url: %w", err)
	}
	config.MaxConns = 2
	admin, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("connect to postgres: %w", err)
	}
	atEnd(func() error { admin.Close(); return nil })
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	var version int
	var fsync bool
	row := admin.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('fsync')::bool`)
	if err := row.Scan(&version, &fsync); err != nil {
		return nil, fmt.Errorf("connect to postgres: %w", err)
	}
	p := &postgres{url: parsed, admin: admin}
	if version >= 150000 && !fsync {
		p.strategy = " STRATEGY file_copy"
	}
	return p, nil
}

// startCluster runs a private cluster that flushes nothing to disk.
func startCluster() (string, error) {
	folder, err := tempFolder()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), postgresStartTimeout)
	defer cancel()
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := pgserver.Start(ctx, pgserver.Options{DataDir: filepath.Join(folder, "postgres"), Unsafe: true, Log: log})
	if err != nil {
		return "", fmt.Errorf("start postgres: %w", err)
	}
	atEnd(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
		defer cancel()
		return server.Stop(ctx)
	})
	return server.URL("postgres"), nil
}

// startContainer runs PostgreSQL in Docker; an error where no engine answers.
func startContainer() (string, error) {
	pool, err := dockertest.NewPool("")
	if err != nil {
		return "", fmt.Errorf("find docker: %w", err)
	}
	if err := pool.Client.Ping(); err != nil {
		return "", fmt.Errorf("call docker: %w", err)
	}
	password := randomName()
	container, err := pool.RunWithOptions(&dockertest.RunOptions{
		Repository: "postgres",
		Tag:        "17-alpine",
		Env:        []string{"POSTGRES_PASSWORD=" + password, "POSTGRES_INITDB_ARGS=--locale=C --encoding=UTF8 --no-sync"},
		Cmd: []string{
			"postgres", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=400",
			"-c", "max_locks_per_transaction=256", "-c", "jit=off",
		},
	}, func(host *docker.HostConfig) {
		host.AutoRemove = true
		host.RestartPolicy = docker.RestartPolicy{Name: "no"}
	})
	if err != nil {
		return "", fmt.Errorf("run postgres container: %w", err)
	}
	atEnd(func() error { return pool.Purge(container) })
	_ = container.Expire(uint(containerLife.Seconds()))
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", password), Host: container.GetHostPort("5432/tcp"),
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
	pool.MaxWait = postgresStartTimeout
	err = pool.Retry(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
		defer cancel()
		conn, err := pgx.Connect(ctx, address.String())
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	if err != nil {
		return "", fmt.Errorf("wait for postgres container: %w", err)
	}
	return address.String(), nil
}
