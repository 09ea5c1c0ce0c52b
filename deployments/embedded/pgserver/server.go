// Package pgserver runs a private PostgreSQL cluster as a child process: the database of a PiCloud that was given none.
//
// The server binaries are the machine's own (or fetched, see Options.FetchURL); the cluster lives in one folder and
// belongs to one running PiCloud at a time. The package knows nothing of what is stored in it.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sirupsen/logrus"
)

const (
	// superuser is the only role that initdb makes.
	superuser = "picloud"
	// maintenanceDatabase exists in every cluster; databases are created from it.
	maintenanceDatabase = "postgres"
	// probeInterval is the pause between two looks at a condition of the server.
	probeInterval = 15 * time.Millisecond
	// quitGrace bounds the wait for a server that was told to quit at once.
	quitGrace = 5 * time.Second
	// lockPatience bounds the wait for a folder that another process holds.
	lockPatience = time.Second
)

// ErrInUse says that another live process runs a server on the same folder.
var ErrInUse = errors.New("data folder is in use by another process")

// Options say where the cluster lives and how it runs.
type Options struct {
	// DataDir holds everything: the cluster itself (cluster/), its password, port, configuration and, when they had to be
	// fetched, the server binaries. Made when missing. It is opened to 0711 where the server runs as another user.
	DataDir string
	// Port to listen on, on 127.0.0.1. 0 takes the one of the last start while it is free, else any free one.
	Port int
	// Log gets what the operator should know: initdb, recovery, a stopped predecessor. Required.
	Log logrus.FieldLogger
	// Unsafe turns off every flush to disk. A crash of the machine then loses the cluster: tests only.
	Unsafe bool
	// FetchURL is the Maven repository that server binaries are fetched from where the machine has none. Empty: Maven Central.
	FetchURL string
}

// Server is a running PostgreSQL server. Its methods are safe for concurrent use.
type Server struct {
	dir      string
	port     int
	password string
	child    *child
	lock     *os.File
	log      logrus.FieldLogger

	stopOnce sync.Once
	stopErr  error
}

// Start makes the cluster if the folder has none, and returns once the server answers a real connection. The wait ends with
// ctx (crash recovery of a large cluster may take minutes); ctx has no meaning after that. A server that a killed
// predecessor left behind is shut down first. The error wraps ErrInUse when a live process owns the folder.
func Start(ctx context.Context, opts Options) (*Server, error) {
	dir, err := filepath.Abs(opts.DataDir)
	if err != nil {
		return nil, fmt.Errorf("resolve postgres folder: %w", err)
	}
	run, err := pickAccount()
	if err != nil {
		return nil, err
	}
	if err := run.prepareFolder(dir, opts.Log); err != nil {
		return nil, err
	}
	lock, err := lockFolder(ctx, dir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, dir, run, opts)
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	s.lock = lock
	return s, nil
}

func start(ctx context.Context, dir string, run account, opts Options) (*Server, error) {
	c := cluster{dir: dir, run: run, unsafe: opts.Unsafe, log: opts.Log}
	bin, err := findBinaries(ctx, dir, c.majorVersion(), opts)
	if err != nil {
		return nil, err
	}
	c.bin = bin
	password, err := c.ensure(ctx)
	if err != nil {
		return nil, err
	}
	if err := stopLeftovers(ctx, c.dataDir(), opts.Log); err != nil {
		return nil, err
	}
	if err := c.writeConfiguration(); err != nil {
		return nil, err
	}
	// A free port may be taken between the look and the bind: with a port of our own choice, choose again.
	for attempt := 1; ; attempt++ {
		port, err := c.choosePort(opts.Port, attempt > 1)
		if err != nil {
			return nil, err
		}
		s, err := launch(ctx, c, port, password)
		if err == nil {
			return s, c.rememberPort(port)
		}
		if opts.Port != 0 || attempt == 3 || !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
}

// launch runs the server on port and waits until it takes connections.
func launch(ctx context.Context, c cluster, port int, password string) (*Server, error) {
	logOffset := c.logSize()
	ch, err := startChild(c.serverCommand(port))
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	s := &Server{dir: c.dir, port: port, password: password, child: ch, log: c.log}
	if err := s.waitReady(ctx); err != nil {
		said := ch.output() + c.logSince(logOffset)
		s.kill()
		if portTaken(said) {
			return nil, fmt.Errorf("listen on 127.0.0.1:%d: %w", port, errPortTaken)
		}
		return nil, fmt.Errorf("wait for postgres: %w: %s", err, lastLines(said, 12))
	}
	return s, nil
}

// URL is the connection string of a database of this server, with the password in it: never log it.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     "127.0.0.1:" + strconv.Itoa(s.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is the port on 127.0.0.1 that the server listens on.
func (s *Server) Port() int { return s.port }

// PID is the process id of the postmaster.
func (s *Server) PID() int { return s.child.pid }

// Exited is closed when the server process has ended, asked for or not.
func (s *Server) Exited() <-chan struct{} { return s.child.exited }

// EnsureDatabase creates a database when the server has none of that name.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL(maintenanceDatabase))
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the server forgets the connection anyway
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil {
		return fmt.Errorf("look up database %q: %w", name, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("create database %q: %w", name, err)
	}
	return nil
}

// Stop shuts the server down: open transactions are rolled back, connections closed, a checkpoint written. When ctx ends
// first, the server is told to quit at once (nothing committed is lost; the next start recovers) and ctx's error is returned.
// Further calls return the first one's result.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { s.stopErr = s.stop(ctx) })
	return s.stopErr
}

func (s *Server) stop(ctx context.Context) error {
	defer s.lock.Close() //nolint:errcheck // closing is what releases the folder
	s.child.signal(syscall.SIGINT)
	select {
	case <-s.child.exited:
		return nil
	case <-ctx.Done():
		s.kill()
		return fmt.Errorf("stop postgres: %w", ctx.Err())
	}
}

// kill ends the server without a shutdown checkpoint: SIGQUIT, and SIGKILL when that is not heard.
func (s *Server) kill() {
	s.child.signal(syscall.SIGQUIT)
	timer := time.NewTimer(quitGrace)
	defer timer.Stop()
	select {
	case <-s.child.exited:
	case <-timer.C:
		s.child.signal(syscall.SIGKILL)
		<-s.child.exited
	}
}

// waitReady returns nil when a connection with our own password succeeds: nobody else's server can be taken for ours.
func (s *Server) waitReady(ctx context.Context) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.URL(maintenanceDatabase))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.child.exited:
			return errors.New("the server ended")
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// lockFolder takes the folder for this process. The kernel gives it back when the process ends, however it ends; a moment
// after, for one that was just killed, hence the patience.
func lockFolder(ctx context.Context, dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // G304: below the data folder
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, ErrInUse)
		case <-ticker.C:
		}
	}
}
