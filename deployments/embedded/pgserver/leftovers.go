package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// leftoverPatience bounds the wait for a predecessor's server. It was told to stop by the kernel when its owner died, so
// what remains of it is one checkpoint.
const leftoverPatience = 2 * time.Minute

// stopLeftovers returns once no process of a former server on dataDir is alive, and no false postmaster.pid bars the way.
// A live postmaster is asked for a fast shutdown; nothing is ever killed: two servers on one cluster destroy it, a
// killed one loses only time. Call it with the folder's lock held: whatever runs here has lost its owner.
func stopLeftovers(ctx context.Context, dataDir string, log logrus.FieldLogger) error {
	ctx, cancel := context.WithTimeout(ctx, leftoverPatience)
	defer cancel()
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	told := false
	for {
		pids := processesIn(dataDir)
		postmaster := postmasterPID(dataDir)
		if len(pids) == 0 {
			return dropFalsePIDFile(dataDir, postmaster, log)
		}
		for _, pid := range pids {
			if pid == postmaster && !told {
				told = true
				log.WithField("pid", pid).Info("stopping the postgres that a killed process left behind")
				_ = syscall.Kill(pid, syscall.SIGINT)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the former postgres (pids %v) to end: %w", pids, ctx.Err())
		case <-ticker.C:
		}
	}
}

// processesIn lists the live processes whose working folder is dataDir: the postmaster and its backends, each of which
// has changed into it. Empty where there is no /proc; there PostgreSQL's own check of postmaster.pid decides.
func processesIn(dataDir string) []int {
	resolved, err := filepath.EvalSymlinks(dataDir)
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if cwd, err := os.Readlink(filepath.Join("/proc", entry.Name(), "cwd")); err == nil && cwd == resolved {
			pids = append(pids, pid)
		}
	}
	return pids
}

// postmasterPID is the first line of postmaster.pid, 0 when there is none.
func postmasterPID(dataDir string) int {
	content, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid")) //nolint:gosec // G304: below the data folder
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return pid
}

// dropFalsePIDFile removes a postmaster.pid whose number belongs to an unrelated process, or to a dead one that nobody has
// collected: PostgreSQL would take that for a live server and refuse. One whose number is free PostgreSQL replaces itself. Only called when no process works in dataDir.
func dropFalsePIDFile(dataDir string, pid int, log logrus.FieldLogger) error {
	if _, err := os.Stat("/proc/self"); pid == 0 || err != nil {
		return nil //nolint:nilerr // without /proc, or without a number, there is nothing to decide by
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err != nil {
		return nil //nolint:nilerr // the number is free
	}
	log.WithField("pid", pid).Info("removing the stale postmaster.pid: no server runs under that number")
	if err := os.Remove(filepath.Join(dataDir, "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale postmaster.pid: %w", err)
	}
	return nil
}
