package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of the times in /proc/<pid>/stat: USER_HZ, 100 a second on every Linux that Go runs on. Source: proc(5), sysconf(3).
const clockTick = 10 * time.Millisecond

// cpuOf gives the CPU time that the processes and all that they have started have used so far, by name. Unlike a rate it does not depend on what else the
// machine does.
func cpuOf(pids ...int) (map[string]time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	type process struct {
		name string
		cpu  time.Duration
	}
	all, children := map[int]process{}, map[int][]int{}
	for _, file := range stats {
		text, err := os.ReadFile(file) //nolint:gosec // G304: a file of /proc
		if err != nil {
			continue // it has ended
		}
		head, rest, ok := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		pidText, name, named := strings.Cut(head, " (")
		pid, err := strconv.Atoi(pidText)
		if !ok || !named || err != nil || len(fields) < 15 {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		var ticks int64
		for _, f := range fields[11:15] { // utime, stime, and those of children that have ended
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks += n
		}
		if command, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline")); err == nil && strings.Contains(string(command), "sandbox-child") {
			name = "sandbox"
		}
		all[pid] = process{name, time.Duration(ticks) * clockTick}
		children[parent] = append(children[parent], pid)
	}
	used := map[string]time.Duration{}
	for next := pids; len(next) > 0; next = next[1:] {
		p := all[next[0]]
		used[p.name] += p.cpu
		next = append(next, children[next[0]]...)
	}
	return used, nil
}
