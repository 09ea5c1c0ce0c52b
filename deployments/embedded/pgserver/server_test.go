package pgserver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/deployments/embedded/pgserver"
	"github.com/picloud/picloud/internal/testkit"
)

// ownerVariable makes this test binary a process that owns a server on the folder it names.
const ownerVariable = "PGSERVER_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerVariable); dir != "" {
		os.Exit(own(dir))
	}
	os.Exit(m.Run())
}

// owned is what an owner process prints once its server answers.
type owned struct {
	URL string
	PID int
}

// own starts a server, says so on stdout, and holds it until stdin ends. It does not hear Ctrl-C.
func own(dir string) int {
	signal.Ignore(syscall.SIGINT)
	s, err := pgserver.Start(context.Background(), pgserver.Options{DataDir: dir, Log: silent()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(owned{URL: s.URL("postgres"), PID: s.PID()}); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(context.Background()); err != nil {
		return 1
	}
	return 0
}

// startOwner runs own in a process of its own, in a process group of its own.
func startOwner(t *testing.T, dir string) (*exec.Cmd, owned) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerVariable+"="+dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(t, err)
	var o owned
	require.NoError(t, json.Unmarshal(line, &o))
	return cmd, o
}

func silent() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// folder is a data folder whose parent is closed to everyone else, as PiCloud's own is.
func folder(t *testing.T) string {
	t.Helper()
	parent, err := os.MkdirTemp("", "picloud-pgserver-*")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	return filepath.Join(parent, "postgres")
}

func start(t *testing.T, dir string) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), pgserver.Options{DataDir: dir, Log: silent()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

func execSQL(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // a test connection
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// alive says whether the process runs. One that has ended and waits for init to collect it does not.
func alive(pid int) bool {
	_, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	return err == nil
}

func countRows(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // a test connection
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM kept`).Scan(&n))
	return n
}

func TestDataSurvivesAStop(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := start(t, dir)
	require.NoError(t, s.EnsureDatabase(t.Context(), "app"))
	require.NoError(t, s.EnsureDatabase(t.Context(), "app"), "a second time changes nothing")
	execSQL(t, s.URL("app"), `CREATE TABLE kept AS SELECT generate_series(1, 3)`)
	url := s.URL("app")
	require.NoError(t, s.Stop(t.Context()))
	<-s.Exited()

	before := time.Now()
	s = start(t, dir)
	t.Logf("second start: %s", time.Since(before))
	require.Less(t, time.Since(before), 5*time.Second, "an existing cluster starts fast (0.2 s on an idle machine)")
	require.Equal(t, url, s.URL("app"), "port and password are remembered")
	require.Equal(t, 3, countRows(t, url))
}

func TestServerIsClosedToOthers(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := start(t, dir)
	_, err := pgx.Connect(t.Context(), strings.Replace(s.URL("postgres"), "picloud:", "picloud:x", 1))
	require.ErrorContains(t, err, "password authentication failed")

	info, err := os.Stat(filepath.Join(dir, "password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	left, err := filepath.Glob(filepath.Join(dir, "initdb-*"))
	require.NoError(t, err)
	require.Empty(t, left, "the file that told initdb the password is gone")

	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // a test connection
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on", "jit": "off",
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "server_encoding": "UTF8", "lc_collate": "C",
		"max_locks_per_transaction": "256", "logging_collector": "on",
	} {
		var got string
		require.NoError(t, conn.QueryRow(t.Context(), "SHOW "+setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}
}

func TestFolderHasOneOwner(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := start(t, dir)
	_, err := pgserver.Start(t.Context(), pgserver.Options{DataDir: dir, Log: silent()})
	require.ErrorIs(t, err, pgserver.ErrInUse)
	execSQL(t, s.URL("postgres"), `SELECT 1`)
}

func TestTakenPortIsReplaced(t *testing.T) {
	t.Parallel()
	dir, other := folder(t), start(t, folder(t))
	require.NoError(t, start(t, dir).Stop(t.Context()))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "port"), []byte(strconv.Itoa(other.Port())), 0o600))
	s := start(t, dir)
	require.NotEqual(t, other.Port(), s.Port())

	require.NoError(t, s.Stop(t.Context()))
	_, err := pgserver.Start(t.Context(), pgserver.Options{DataDir: dir, Port: other.Port(), Log: silent()})
	require.ErrorContains(t, err, "port is taken", "a port that was asked for is not replaced")
}

func TestKilledOwnerLeavesNoOrphanAndLosesNothing(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	cmd, o := startOwner(t, dir)
	execSQL(t, o.URL, `CREATE TABLE kept AS SELECT generate_series(1, 3)`)

	require.NoError(t, cmd.Process.Kill())
	// At once, while the former server may still be shutting down.
	s := start(t, dir)
	require.Equal(t, 3, countRows(t, s.URL("postgres")))
	require.NotEqual(t, o.PID, s.PID())
	require.False(t, alive(o.PID), "the former server is gone")
}

func TestOrphanEndsByItself(t *testing.T) {
	t.Parallel()
	cmd, o := startOwner(t, folder(t))
	require.NoError(t, cmd.Process.Kill())
	testkit.Until(t, 20*time.Second, "the server ends after its owner", func() bool {
		return !alive(o.PID)
	})
}

func TestKilledServerRecovers(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := start(t, dir)
	execSQL(t, s.URL("postgres"), `CREATE TABLE kept AS SELECT generate_series(1, 3)`)
	require.NoError(t, syscall.Kill(s.PID(), syscall.SIGKILL))
	<-s.Exited()
	require.NoError(t, s.Stop(t.Context()), "stopping what has ended is no error")

	s = start(t, dir)
	require.Equal(t, 3, countRows(t, s.URL("postgres")))
}

func TestPidOfAnotherProgramIsNotAServer(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	s := start(t, dir)
	pidFile := filepath.Join(dir, "cluster", "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	require.NoError(t, s.Stop(t.Context()))
	_, rest, _ := strings.Cut(string(content), "\n")
	// This process lives and is no server: PostgreSQL by itself would refuse to start next to it.
	require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o644))
	start(t, dir)
}

func TestCtrlCReachesOnlyTheOwner(t *testing.T) {
	t.Parallel()
	cmd, o := startOwner(t, folder(t))
	group, err := syscall.Getpgid(o.PID)
	require.NoError(t, err)
	require.Equal(t, o.PID, group, "the server leads a process group of its own")
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
	execSQL(t, o.URL, `SELECT 1`)
}

func TestUnreachableFolderIsNamed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as someone else")
	}
	outer := filepath.Dir(folder(t))
	require.NoError(t, os.MkdirAll(filepath.Join(outer, "data"), 0o700))
	_, err := pgserver.Start(t.Context(), pgserver.Options{DataDir: filepath.Join(outer, "data", "postgres"), Log: silent()})
	require.ErrorContains(t, err, "cannot pass through "+outer+" ")
	info, err := os.Stat(outer)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "folders further up are left alone")
}
