package sandbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/egress"
)

// oneSecret is a SecretReader of one value.
type oneSecret struct{ value string }

func (s oneSecret) SecretValue(_ context.Context, _, name string) (string, error) {
	if name != "token" {
		return "", picloud.NotFoundError("secret", name)
	}
	return s.value, nil
}

// tangled reads all that a run can read from the outside, answers overtaking each other, and fails in a way that depends on all of it.
const tangled = `export default async (event: any, ctx: any) => {
  const token = await ctx.secrets.get("token");
  const [order, page, first] = await Promise.all([
    ctx.kv.get("orders", event.subject),
    ctx.kv.list("orders"),
    Promise.race([fetch(event.data.url + "/slow?k=" + encodeURIComponent(token)).then((r: any) => r.text()), fetch(event.data.url + "/fast", { method: "POST", body: token }).then((r: any) => r.text())]),
  ]);
  await ctx.kv.set("seen", "x", 1);
  const own = await ctx.kv.get("seen", "x");
  const again = await ctx.secrets.get("token");
  console.log("token", token === again, token, Math.random(), Date.now());
  throw new RangeError([order.total, page.items.length, first, own, Math.random(), Date.now(), await ctx.kv.get("orders", "none")].join(" "));
}`

// failedRun is a run of tangled that has failed, with the run that it was.
func failedRun(t *testing.T) (b *bench, run picloud.Run, out picloud.Outcome) {
	t.Helper()
	const secret = "s3cr3t/value+of token"
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
		_, _ = w.Write([]byte("answer of " + r.URL.Path + " for " + secret))
		if r.URL.Path == "/fast" {
			close(release)
		}
	}))
	t.Cleanup(server.Close)
	self, err := os.Executable()
	require.NoError(t, err)
	b = &bench{TB: t, kv: &memoryKV{}}
	b.kv.put("orders", "42", `{"total":150}`, 3)
	b.kv.put("orders", "43", `{"note":"`+secret+`"}`, 4)
	b.pool, err = sandbox.New(sandbox.Options{
		Command: []string{self, "sandbox-child"}, Size: 1, KV: b.kv, Secrets: oneSecret{secret}, Egress: &egress.Guard{AllowPrivate: true}, Log: silent(),
	})
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	run = attempt(b.compile(tangled))
	run.Seed, run.Time = 42, time.Unix(1_700_000_000, 0).UTC()
	run.Event.Data = json.RawMessage(`{"url":"` + server.URL + `"}`)
	out = b.runAs(run)
	require.NotNil(t, out.Failure)
	require.Equal(t, "RangeError", out.Failure.Type, out.Failure.Stack)
	require.NotNil(t, out.Tape)
	text, err := json.Marshal(out.Tape)
	require.NoError(t, err)
	require.NotContains(t, string(text), "s3cr3t", "no tape has a secret's value")
	assert.Equal(t, []string{"token"}, out.Tape.Secrets)
	return b, run, out
}

// away is a store that must not be asked.
type away struct{ testing.TB }

func (a away) KVGet(context.Context, string, string, string) (picloud.KVEntry, error) {
	a.Error("a tape asks nothing outside")
	return picloud.KVEntry{}, nil
}

func (a away) KVList(context.Context, string, string, string, picloud.Page) (picloud.List[picloud.KVEntry], error) {
	a.Error("a tape asks nothing outside")
	return picloud.List[picloud.KVEntry]{}, nil
}

// A run from a tape has the outcome, the stack and the log of then, and asks nothing outside: on another machine, after the tape was JSON.
func TestRunIsRepeatedFromItsTape(t *testing.T) {
	t.Parallel()
	_, run, failed := failedRun(t)
	text, err := json.Marshal(failed.Tape)
	require.NoError(t, err)
	run.Tape = &picloud.Tape{}
	require.NoError(t, json.Unmarshal(text, run.Tape))
	self, err := os.Executable()
	require.NoError(t, err)
	pool, err := sandbox.New(sandbox.Options{Command: []string{self, "sandbox-child"}, Size: 1, KV: away{t}, Log: silent()})
	require.NoError(t, err)
	defer pool.Close()
	for range 3 {
		out, err := pool.Run(t.Context(), run)
		require.NoError(t, err)
		assert.Equal(t, failed.Failure, out.Failure)
		assert.Equal(t, failed.Effects, out.Effects)
		require.Len(t, out.Logs, len(failed.Logs))
		assert.Equal(t, failed.Logs[0].Message, out.Logs[0].Message)
		assert.Empty(t, out.Missing)
		assert.Nil(t, out.Tape)
	}
}

// What an edited script asks for that is not on the tape is said, with its place.
func TestWhatIsNotOnTheTapeIsSaid(t *testing.T) {
	t.Parallel()
	b, run, failed := failedRun(t)
	run.Tape = failed.Tape
	run.Program = b.compile("export default async (event: any, ctx: any) => {\n  const o = await ctx.kv.get('orders', '42');\n  const again = await ctx.kv.get('orders', '42');\n  await ctx.kv.set('seen', 'y', o);\n  return [o, again, await ctx.kv.get('orders', '77')];\n}")
	out := b.runAs(run)
	require.NotNil(t, out.Failure)
	assert.Equal(t, []string{"kv.get orders/77"}, out.Missing)
	assert.Contains(t, out.Failure.Message, "not on the tape: kv.get orders/77")
	assert.Contains(t, out.Failure.Stack, "fulfil.ts:5:")

	run.Program = b.compile("export default async (event: any, ctx: any) => {\n  const o = await ctx.kv.get('orders', '42');\n  await ctx.kv.set('seen', 'y', o);\n  return o;\n}")
	out = b.runAs(run)
	require.Nil(t, out.Failure)
	assert.JSONEq(t, `{"total":150}`, string(out.Result.Value))
	assert.Len(t, out.Effects, 1)
}

func TestTapeIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.kv.put("big", "x", `"`+longText(300<<10)+`"`, 1)
	out := b.run(`export default async (event: any, ctx: any) => {
  for (let i = 0; i < 5; i++) await ctx.kv.get("big", "x");
  throw new Error("no");
}`)
	require.NotNil(t, out.Tape)
	assert.True(t, out.Tape.Truncated)
	assert.Len(t, out.Tape.Calls, 3)
	require.Nil(t, b.run(`export default () => 1`).Tape, "a run that succeeds has none")
}

func longText(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = 'x'
	}
	return string(text)
}
