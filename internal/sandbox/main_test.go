package sandbox_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/child"
)

// The test binary is its own child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "sandbox-child":
			child.Main()
		case "server":
			serveUntilKilled()
		case "liar":
			lie(os.Args[2])
		}
	}
	os.Exit(m.Run())
}

// memoryKV is a KVReader of a map, which counts what is read at once.
type memoryKV struct {
	mu      sync.Mutex
	entries map[string]picloud.KVEntry // by collection/key
	err     error
	gate    func(context.Context) // called in every read, outside the lock
}

func (m *memoryKV) put(collection, key, value string, version int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[string]picloud.KVEntry{}
	}
	m.entries[collection+"/"+key] = picloud.KVEntry{Collection: collection, Key: key, Value: json.RawMessage(value), Version: version}
}

func (m *memoryKV) KVGet(ctx context.Context, _, collection, key string) (picloud.KVEntry, error) {
	if m.gate != nil {
		m.gate(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[collection+"/"+key], m.err
}

func (m *memoryKV) KVList(_ context.Context, _, collection, prefix string, page picloud.Page) (picloud.List[picloud.KVEntry], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var l picloud.List[picloud.KVEntry]
	for _, e := range m.entries {
		if e.Collection == collection && strings.HasPrefix(e.Key, prefix) && e.Key > page.Cursor {
			l.Items = append(l.Items, e)
		}
	}
	sort.Slice(l.Items, func(i, j int) bool { return l.Items[i].Key < l.Items[j].Key })
	if len(l.Items) > page.Limit {
		l.Items = l.Items[:page.Limit]
		l.Next = l.Items[page.Limit-1].Key
	}
	return l, m.err
}

// bench is a pool with its store.
type bench struct {
	testing.TB
	pool *sandbox.Pool
	kv   *memoryKV
}

func silent() logrus.FieldLogger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

func newBench(t testing.TB, size int) *bench {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	b := &bench{TB: t, kv: &memoryKV{}}
	b.pool, err = sandbox.New(sandbox.Options{Command: []string{self, "sandbox-child"}, Size: size, KV: b.kv, Log: silent(), Mail: picloud.MailRules{Domain: "localhost", Relay: true}})
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	return b
}

func (b *bench) compile(source string) picloud.Program {
	b.Helper()
	p, err := b.pool.Compile(b.Context(), "fulfil", picloud.TypeScript, source)
	require.NoError(b, err)
	return p
}

// attempt is a run of a program with an event about orders/42.
func attempt(p picloud.Program) picloud.Run {
	return picloud.Run{
		ExecutionID: "0190-exec", AppID: "app-1", App: "shop", Script: "fulfil", Version: 3, Program: p, Attempt: 2,
		Event: picloud.Event{
			SpecVersion: "1.0", ID: "0190-event", Source: "/apps/shop/kv/orders", Type: picloud.TypeKVCreated, Subject: "42",
			Time: time.Unix(1700000000, 0).UTC(), Data: json.RawMessage(`{"value":{"total":150},"n":1.5,"list":[1,"ä",null,true]}`),
			RootID: "0190-root", ParentID: "0190-parent", Depth: 2,
		},
	}
}

func (b *bench) runAs(r picloud.Run) picloud.Outcome {
	b.Helper()
	out, err := b.pool.Run(b.Context(), r)
	require.NoError(b, err)
	return out
}

func (b *bench) run(source string) picloud.Outcome {
	b.Helper()
	return b.runAs(attempt(b.compile(source)))
}

// value runs a body of statements as the script and gives its result.
func (b *bench) value(body string) string {
	b.Helper()
	out := b.run("export default async function (event: any, ctx: any) {\n" + body + "\n}")
	require.Nil(b, out.Failure, "%v", out.Failure)
	return string(out.Result.Value)
}

// failure runs a body of statements as the script and gives its failure.
func (b *bench) failure(body string) picloud.ScriptError {
	b.Helper()
	out := b.run("export default async function (event: any, ctx: any) {\n" + body + "\n}")
	require.NotNil(b, out.Failure, "result %s", out.Result.Value)
	return *out.Failure
}
