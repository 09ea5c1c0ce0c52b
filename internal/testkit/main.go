// Package testkit gives tests the real things: a PostgreSQL, a Temporal, and a way to wait for what they do. Each is started
// at the first request in a test process, shared by its tests, and stopped by Main. It links no Temporal server.
package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// folderPrefix begins the names of testkit's temporary folders; the process id of their owner follows.
const folderPrefix = "picloud-testkit-"

// Main runs the tests, stops what they started, and exits. It is the body of a TestMain:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// Without it nothing outlives the test process either (what was started watches its owner), except a temporary folder,
// which a later test process removes.
func Main(m *testing.M) {
	code := m.Run()
	if err := finish(); err != nil {
		fmt.Fprintln(os.Stderr, "testkit:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// closers are what Main calls, the last one first.
var closers struct {
	mu    sync.Mutex
	calls []func() error
}

// atEnd has Main call f after the tests.
func atEnd(f func() error) {
	closers.mu.Lock()
	defer closers.mu.Unlock()
	closers.calls = append(closers.calls, f)
}

// finish calls everything that was handed to atEnd, and returns the first error.
func finish() (first error) {
	closers.mu.Lock()
	defer closers.mu.Unlock()
	for i := len(closers.calls) - 1; i >= 0; i-- {
		if err := closers.calls[i](); err != nil && first == nil {
			first = err
		}
	}
	closers.calls = nil
	return first
}

// tempFolder makes a folder that Main removes. Those of test processes that were killed are removed on the way.
func tempFolder() (string, error) {
	sweep()
	folder, err := os.MkdirTemp("", folderPrefix+strconv.Itoa(os.Getpid())+"-*")
	if err != nil {
		return "", fmt.Errorf("make temporary folder: %w", err)
	}
	atEnd(func() error { return os.RemoveAll(folder) })
	return folder, nil
}

// sweep removes the folders of test processes that are gone.
func sweep() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*-*"))
	for _, folder := range folders {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), folderPrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(folder)
		}
	}
}

// once is a value that is made at the first request; every later one gets the same value or the same error.
type once[T any] struct {
	sync.Once
	value T
	err   error
}

// make returns the value, made by f at the first call.
func (o *once[T]) make(f func() (T, error)) (T, error) {
	o.Do(func() { o.value, o.err = f() })
	return o.value, o.err
}

// get is make for a test, which fails with the error.
func (o *once[T]) get(t testing.TB, f func() (T, error)) T {
	t.Helper()
	value, err := o.make(f)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	return value
}

// Finish stops what was started, for programs that are no tests.
func Finish() { _ = finish() }
