package testkit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
)

// The bounds of an instance's start and stop. A first start makes a database cluster.
const (
	instanceStartTimeout = 2 * time.Minute
	instanceStopTimeout  = 40 * time.Second
)

// Instance is a running `picloud up`: the whole program in a process of its own, on free ports.
type Instance struct {
	URL             string `json:"url"`
	TemporalAddress string `json:"temporal_address"`
	SMTPAddress     string `json:"smtp_address"`

	Key     string                      // the admin key
	DataDir string                      // its data folder: start another Instance on it after a Kill
	Client  *client.ClientWithResponses // shows Key
	PID     int
	Took    time.Duration // from the start of the process until it was ready

	cmd    *exec.Cmd
	exited chan error
	said   *lockedBuffer
	ended  bool
}

// Up runs `picloud up` until the test ends. Environment is NAME=value; PICLOUD_DATA_DIR is a new folder unless it is given.
func Up(t testing.TB, environment ...string) *Instance {
	t.Helper()
	return As(t, "up", environment...)
}

// As starts a role of a cluster, as Up does the whole.
func As(t testing.TB, role string, environment ...string) *Instance {
	t.Helper()
	i := launched(t, role, environment...)
	if i == nil {
		t.FailNow()
	}
	return i
}

// launched is As on any goroutine: nil where it has failed.
func launched(t testing.TB, role string, environment ...string) *Instance {
	t.Helper()
	i, err := launch(Binary(t), role, environment...)
	if err != nil {
		t.Errorf("testkit: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if !i.ended {
			if err := i.Stop(); err != nil {
				t.Errorf("testkit: %v", err)
			}
		}
		if t.Failed() {
			t.Logf("picloud %s said:\n%s", role, i.said)
		}
	})
	return i
}

// Launch runs `picloud up` of that binary; Stop or Kill it.
func Launch(binary string, environment ...string) (*Instance, error) {
	return launch(binary, "up", environment...)
}

func launch(binary, role string, environment ...string) (*Instance, error) {
	i := &Instance{exited: make(chan error, 1), said: new(lockedBuffer)}
	for _, v := range environment {
		if dir, ok := strings.CutPrefix(v, "PICLOUD_DATA_DIR="); ok {
			i.DataDir = dir
		}
	}
	if i.DataDir == "" {
		folder, err := tempFolder()
		if err != nil {
			return nil, err
		}
		i.DataDir = folder
	}
	// The program gets this environment and no other: nothing of the machine's own PiCloud.
	i.cmd = exec.Command(binary, role, "--json")
	i.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "DATABASE_URL=") || strings.HasPrefix(v, "TEMPORAL_") || strings.HasPrefix(v, "PICLOUD_")
	}), "PICLOUD_HTTP_ADDR=127.0.0.1:0", "PICLOUD_TEMPORAL_ADDR=127.0.0.1:0", "PICLOUD_SMTP_ADDR=127.0.0.1:0", "PICLOUD_DATA_DIR="+i.DataDir)
	i.cmd.Env = append(i.cmd.Env, environment...)
	i.cmd.Stderr = i.said
	stdout, output, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open picloud's stdout: %w", err)
	}
	defer stdout.Close() //nolint:errcheck // it prints one line
	i.cmd.Stdout = output
	began := time.Now()
	err = startOwned(i.cmd)
	_ = output.Close()
	if err != nil {
		return nil, fmt.Errorf("start picloud: %w", err)
	}
	i.PID = i.cmd.Process.Pid
	go func() { i.exited <- i.cmd.Wait(); close(i.exited) }()
	_ = stdout.SetReadDeadline(time.Now().Add(instanceStartTimeout))
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, i)
	}
	if err == nil {
		i.Took = time.Since(began)
		err = i.connect()
	}
	if err != nil {
		i.Kill()
		return nil, fmt.Errorf("start picloud: %w: %s", err, i.said)
	}
	return i, nil
}

func (i *Instance) connect() error {
	key, err := os.ReadFile(filepath.Join(i.DataDir, "admin-key"))
	if err != nil && !errors.Is(err, os.ErrNotExist) { // the key came by the environment
		return fmt.Errorf("read key: %w", err)
	}
	i.Key = strings.TrimSpace(string(key))
	if i.Client, err = client.New(i.URL, i.Key); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	return nil
}

// Metrics are what /metrics answers to who shows key: the status and the text.
func (i *Instance) Metrics(t testing.TB, key string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL+"/metrics", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body)
}

// Stop ends the program as Ctrl-C does, and says when it does not end well and in time.
func (i *Instance) Stop() error {
	i.ended = true
	_ = i.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(instanceStopTimeout)
	defer timer.Stop()
	select {
	case err := <-i.exited:
		if err != nil {
			return fmt.Errorf("stop picloud: %w: %s", err, i.said)
		}
		return nil
	case <-timer.C:
		_ = i.cmd.Process.Signal(syscall.SIGQUIT) // Go prints where everything hangs
		<-i.exited                                //nolint:errcheck // killed: it has no other end
		return errors.New("stop picloud: not in time: " + i.said.String())
	}
}

// Kill ends the program by SIGKILL.
func (i *Instance) Kill() {
	i.ended = true
	_ = i.cmd.Process.Kill()
	<-i.exited //nolint:errcheck // killed: it has no other end
}

// Said gives all that the program wrote on stderr so far.
func (i *Instance) Said() string { return i.said.String() }

// startOwned starts cmd so that it is told to stop when this process dies, however it dies. The kernel sends the signal at the death of the thread that
// started the child: that thread is kept.
func startOwned(cmd *exec.Cmd) error {
	cmd.SysProcAttr = ownedProcess()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- cmd.Start()
		select {}
	}()
	return <-started
}
