package testkit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	engineStartTimeout = 2 * time.Minute
	engineStopTimeout  = 30 * time.Second
	namespaceTimeout   = 30 * time.Second
	testRetention      = 24 * time.Hour
)

var (
	testBinary   once[string]
	sharedEngine once[*Engine]
)

// Temporal is the address of a real Temporal server: the one of TEMPORAL_ADDRESS, else one that runs beside the tests in a
// process of its own (picloud engine). The tests of a process share it. Fixed task queues or ids want a namespace
// from TemporalNamespace; where they are free, names from Unique are the cheaper way to keep tests apart.
func Temporal(t testing.TB) string {
	t.Helper()
	if address := os.Getenv("TEMPORAL_ADDRESS"); address != "" {
		return address
	}
	binary := Binary(t)
	return sharedEngine.get(t, func() (*Engine, error) {
		// Not the server of DATABASE_URL: other test processes use it too, and a Temporal wants its databases for itself.
		database, err := ownPostgres.make(startOwnPostgres)
		if err != nil {
			return nil, err
		}
		e, err := startEngine(binary, "--postgres-url", database, "--unsafe")
		if err == nil {
			atEnd(e.stop)
		}
		return e, err
	}).TemporalAddress
}

// TemporalNamespace registers a namespace for this test alone, has prepare make it ready (search attributes, say; nil:
// nothing) and returns its name. On a server that outlives the tests it is deleted when the test ends.
func TemporalNamespace(t testing.TB, prepare func(ctx context.Context, c client.Client, namespace string) error) string {
	t.Helper()
	namespace := Unique("test")
	c, err := client.NewLazyClient(client.Options{HostPort: Temporal(t), Namespace: namespace, Logger: SilentTemporalLogger()})
	if err != nil {
		t.Fatalf("testkit: make temporal client: %v", err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(context.Background(), namespaceTimeout)
	defer cancel()
	// No look whether it exists: Temporal would remember for a second that it does not.
	if _, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        namespace,
		WorkflowExecutionRetentionPeriod: durationpb.New(testRetention),
	}); err != nil {
		t.Fatalf("testkit: register namespace: %v", err)
	}
	if os.Getenv("TEMPORAL_ADDRESS") != "" {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), namespaceTimeout)
			defer cancel()
			_, _ = c.OperatorService().DeleteNamespace(ctx, &operatorservice.DeleteNamespaceRequest{Namespace: namespace})
		})
	}
	if prepare != nil {
		if err := prepare(ctx, c, namespace); err != nil {
			t.Fatalf("testkit: prepare namespace: %v", err)
		}
	}
	return namespace
}

// Unique is prefix and some random digits: a name that no other test uses.
func Unique(prefix string) string { return prefix + "-" + randomName() }

// SilentTemporalLogger drops what a client or worker of the SDK logs.
func SilentTemporalLogger() log.Logger { return log.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// Engine is a running picloud engine: a PostgreSQL and a Temporal in a process beside the tests.
type Engine struct {
	// DatabaseURL is a maintenance database of its PostgreSQL; TemporalAddress is the host:port of Temporal's frontend.
	DatabaseURL     string `json:"database_url"`
	TemporalAddress string `json:"temporal_address"`

	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan error
	said   *lockedBuffer

	stopOnce sync.Once
	stopErr  error
}

// StartEngine runs picloud engine with the flags, for tests that stop and start it themselves. It is stopped at the latest
// when the test ends.
func StartEngine(t testing.TB, flags ...string) *Engine {
	t.Helper()
	e, err := startEngine(Binary(t), flags...)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(func() { e.Stop(t) })
	return e
}

// EngineError runs picloud engine with flags with which it must not start, and returns what it said.
func EngineError(t testing.TB, flags ...string) error {
	t.Helper()
	e, err := startEngine(Binary(t), flags...)
	if err == nil {
		e.Stop(t)
		t.Fatalf("testkit: engine started with %q", flags)
	}
	return err
}

// Stop ends the engine as its end of stdin does, and fails the test when it does not end well.
func (e *Engine) Stop(t testing.TB) {
	t.Helper()
	if err := e.stop(); err != nil {
		t.Errorf("testkit: %v", err)
	}
}

// Kill ends the engine by SIGKILL. A later Stop is no error.
func (e *Engine) Kill() {
	e.stopOnce.Do(func() {
		_ = e.cmd.Process.Kill()
		<-e.exited //nolint:errcheck // killed: it has no other end
	})
}

func startEngine(binary string, flags ...string) (*Engine, error) {
	e := &Engine{cmd: exec.Command(binary, append([]string{"engine"}, flags...)...), exited: make(chan error, 1), said: new(lockedBuffer)}
	e.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "DATABASE_URL=") || strings.HasPrefix(v, "TEMPORAL_") || strings.HasPrefix(v, "PICLOUD_")
	})
	e.cmd.Stderr = e.said
	stdin, err := e.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open engine's stdin: %w", err)
	}
	e.stdin = stdin
	// A pipe of our own: Wait would close that of StdoutPipe under the reader.
	stdout, output, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open engine's stdout: %w", err)
	}
	defer stdout.Close() //nolint:errcheck // the engine prints one line
	e.cmd.Stdout = output
	err = e.cmd.Start()
	_ = output.Close()
	if err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	go func() { e.exited <- e.cmd.Wait(); close(e.exited) }()

	_ = stdout.SetReadDeadline(time.Now().Add(engineStartTimeout))
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, e)
	}
	if err != nil {
		e.Kill()
		return nil, fmt.Errorf("start engine: %w: %s", err, e.said)
	}
	return e, nil
}

func (e *Engine) stop() error {
	e.stopOnce.Do(func() {
		_ = e.stdin.Close()
		timer := time.NewTimer(engineStopTimeout)
		defer timer.Stop()
		select {
		case err := <-e.exited:
			if err != nil {
				e.stopErr = fmt.Errorf("stop engine: %w: %s", err, e.said)
			}
		case <-timer.C:
			_ = e.cmd.Process.Signal(syscall.SIGQUIT) // Go prints where everything hangs
			<-e.exited                                //nolint:errcheck // killed: it has no other end
			e.stopErr = fmt.Errorf("stop engine: not within %s: %s", engineStopTimeout, e.said)
		}
	})
	return e.stopErr
}

// Binary is the path of a picloud program: that of PICLOUD_TEST_BIN, else one built from this module. The build goes into the
// user's cache folder, where Go rebuilds it only after a change, for all test processes.
func Binary(t testing.TB) string {
	t.Helper()
	return testBinary.get(t, func() (string, error) {
		if path := os.Getenv("PICLOUD_TEST_BIN"); path != "" {
			return filepath.Abs(path)
		}
		return build()
	})
}

func build() (string, error) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find module: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache folder: %w", err)
	}
	folder := filepath.Join(cache, "picloud-testkit")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("open build lock: %w", err)
	}
	defer lock.Close() //nolint:errcheck // closing unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock build: %w", err)
	}
	binary := filepath.Join(folder, "picloud")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/picloud")
	cmd.Dir = strings.TrimSpace(string(module))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build picloud: %w", err), errors.New(string(out)))
	}
	return binary, nil
}

// lockedBuffer is a bytes.Buffer for a process's stderr.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
