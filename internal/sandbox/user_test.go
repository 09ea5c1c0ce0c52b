package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/testkit"
)

// Where the server is root, its children are not: no thread of theirs has a user, group or capability of root's.
func TestChildrenOfRootAreNotRoot(t *testing.T) {
	// Not parallel: it looks at every child of this process.
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("this is not root on Linux")
	}
	b := newBench(t, 1)
	require.Equal(t, "1", b.value("return 1"))
	var threads []string
	for _, pid := range children(t) {
		found, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		require.NoError(t, err)
		threads = append(threads, found...)
	}
	seen := 0
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "Seccomp:\t2") {
			continue // it has ended, or is not ready
		}
		seen++
		require.Regexp(t, `(?m)^Uid:(\t64206){4}$`, string(text))
		require.Regexp(t, `(?m)^Gid:(\t64206){4}$`, string(text))
		require.Regexp(t, `(?m)^Groups:\s*$`, string(text))
		require.Regexp(t, `(?m)^CapPrm:\t0+$`, string(text))
		require.Regexp(t, `(?m)^CapEff:\t0+$`, string(text))
	}
	require.Positive(t, seen)
}

// A child does not outlive a server that is killed, though it has changed its user and is within a run.
func TestChildrenEndWithTheirServer(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child's life to its parent's")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	server := exec.Command(self, "server")
	out, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, server.Process.Kill())
	_ = server.Wait()
	pids := strings.Fields(line)
	require.NotEmpty(t, pids)
	for _, pid := range pids {
		testkit.Until(t, time.Minute, "the child is gone", func() bool {
			text, err := os.ReadFile("/proc/" + pid + "/stat")
			return err != nil || strings.Contains(string(text), ") Z ")
		})
	}
}

// serveUntilKilled runs a script that never ends, and names its children once it runs.
func serveUntilKilled() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	kv := &memoryKV{gate: func(context.Context) { // what nobody awaits is sent by the watchdog, once the loop has begun
		var pids []string
		files, _ := filepath.Glob("/proc/self/task/*/children")
		for _, file := range files {
			text, _ := os.ReadFile(file)
			pids = append(pids, strings.Fields(string(text))...)
		}
		_, _ = fmt.Fprintln(os.Stdout, strings.Join(pids, " "))
	}}
	forever := picloud.Limits{Wall: time.Hour, CPU: time.Hour}
	pool, err := sandbox.New(sandbox.Options{Command: []string{self, "sandbox-child"}, Size: 1, KV: kv, Ceiling: forever, Log: silent()})
	if err != nil {
		panic(err)
	}
	program, err := pool.Compile(context.Background(), "forever", picloud.JavaScript, `export default (e, ctx) => { ctx.kv.get("a", "b"); for (;;) {} }`)
	if err != nil {
		panic(err)
	}
	run := attempt(program)
	run.Limits = forever
	_, err = pool.Run(context.Background(), run)
	panic(err)
}
