package testkit

import (
	"path/filepath"
	"sync"
	"testing"
)

// Cluster is a running cluster of one node: a process a role.
type Cluster struct {
	Manager, Orchestrator, Executor *Instance

	Shared []string // the environment of every process: for another As
}

// NewCluster starts the three at once, on an empty database and in a Temporal namespace that is not there yet, and stops them at the end of the test.
func NewCluster(t testing.TB, environment ...string) *Cluster {
	t.Helper()
	c := &Cluster{Shared: append([]string{
		"DATABASE_URL=" + DatabaseURL(t), "TEMPORAL_ADDRESS=" + Temporal(t), "TEMPORAL_NAMESPACE=" + Unique("cluster"),
		"PICLOUD_INSTANCE_KEY_FILE=" + filepath.Join(t.TempDir(), "instance-key"), // the manager makes it
	}, environment...)}
	var starting sync.WaitGroup
	for role, process := range map[string]**Instance{"manager": &c.Manager, "orchestrator": &c.Orchestrator, "executor": &c.Executor} {
		starting.Go(func() { *process = launched(t, role, c.Shared...) })
	}
	starting.Wait()
	if c.Manager == nil || c.Orchestrator == nil || c.Executor == nil {
		t.FailNow() // launched has said why
	}
	return c
}
