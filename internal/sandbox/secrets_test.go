package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
)

// memorySecrets are the secrets of the app "app-1".
type memorySecrets struct {
	mu     sync.Mutex
	values map[string]string
	reads  int
	err    error
}

func (m *memorySecrets) SecretValue(_ context.Context, appID, name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	value, there := m.values[name]
	if !there || appID != "app-1" {
		return "", errors.Join(m.err, picloud.NotFoundError("secret", name))
	}
	return value, m.err
}

const hush = "hush-\"hush\"-hush"

func withSecrets(t *testing.T) (*bench, *memorySecrets) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	m := &memorySecrets{values: map[string]string{"KEY": hush, "PIN": "4711"}}
	b := &bench{TB: t, kv: &memoryKV{}}
	b.pool, err = sandbox.New(sandbox.Options{Command: []string{self, "sandbox-child"}, Size: 2, KV: b.kv, Secrets: m, Log: silent()})
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	return b, m
}

func TestSecretsAreRead(t *testing.T) {
	t.Parallel()
	b, m := withSecrets(t)
	require.JSONEq(t, `["hush-\"hush\"-hush","hush-\"hush\"-hush","4711"]`, b.value(`
		const [a, pin] = await Promise.all([ctx.secrets.get("KEY"), ctx.secrets.get("PIN")]);
		return [a, await ctx.secrets.get("KEY"), pin]`))
	require.Equal(t, 2, m.reads, "one value in a run")
	m.values["KEY"] = "another"
	require.JSONEq(t, `"another"`, b.value(`return ctx.secrets.get("KEY")`), "the value of now in the next")

	run := attempt(b.compile(`export default (e: any, ctx: any) => ctx.secrets.get("KEY")`))
	run.AppID = "app-2"
	out := b.runAs(run)
	require.Equal(t, "SecretNotFoundError", out.Failure.Type)
}

func TestUnknownSecretsAreErrorsToCatch(t *testing.T) {
	t.Parallel()
	b, _ := withSecrets(t)
	require.JSONEq(t, `["SecretNotFoundError",true,"the app has no secret \"NONE\": set it by PUT /v1/apps/{app}/secrets/NONE"]`,
		b.value(`try { await ctx.secrets.get("NONE") } catch (e: any) { return [e.name, e instanceof Error, e.message] }`))
	for _, argument := range []string{`"a b"`, `""`, `1`, ``, `{}`} {
		require.JSONEq(t, `"TypeError"`, b.value(`try { await ctx.secrets.get(`+argument+`) } catch (e: any) { return e.name }`), argument)
	}
	e := b.failure(`await ctx.secrets.get("NONE")`)
	require.Equal(t, "SecretNotFoundError", e.Type)
	require.Contains(t, e.Stack, "fulfil.ts:2:")
	require.False(t, e.NonRetryable, "it may be set before the next attempt")

	none := newBench(t, 1)
	require.Equal(t, "SecretNotFoundError", none.failure(`await ctx.secrets.get("KEY")`).Type)
}

func TestStoreFaultIsNoFailureOfTheScript(t *testing.T) {
	t.Parallel()
	b, m := withSecrets(t)
	m.err = picloud.ErrWrongKey
	_, err := b.pool.Run(b.Context(), attempt(b.compile(`export default (e: any, ctx: any) => ctx.secrets.get("KEY")`)))
	require.ErrorIs(t, err, picloud.ErrWrongKey)
}

func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	b, _ := withSecrets(t)
	out := b.run(`export default async function (event: any, ctx: any) {
		const key = await ctx.secrets.get("KEY");
		console.log("the key", key, { key }, [key], JSON.stringify({ key }), encodeURIComponent(key), btoa("user:" + key), "pin", await ctx.secrets.get("PIN"), "14711");
		await ctx.kv.set("c", key, { key });
		throw Object.assign(new TypeError("with " + key, { cause: new Error("because " + key) }), { name: "E" + key });
	}`)
	require.NotNil(t, out.Failure)
	shown, err := json.Marshal([]any{out.Logs, out.Failure})
	require.NoError(t, err)
	require.NotContains(t, string(shown), "hush")
	require.Equal(t, "with [secret KEY]", out.Failure.Message)
	require.Contains(t, out.Failure.Stack, "because [secret KEY]")
	require.Contains(t, out.Logs[0].Message, "the key [secret KEY]")
	require.Contains(t, out.Logs[0].Message, "pin [secret PIN] 14711")

	out = b.run(`export default async function (event: any, ctx: any) {
		const key = await ctx.secrets.get("KEY");
		await ctx.kv.set("c", "k", { key });
		return { key };
	}`)
	require.Nil(t, out.Failure, "%v", out.Failure)
	require.JSONEq(t, `{"key":"hush-\"hush\"-hush"}`, string(out.Effects[0].Value), "what is written is what the script wrote")
	require.JSONEq(t, `{"key":"[secret KEY]"}`, string(out.Hidden.Effects(out.Effects)[0].Value))
	require.JSONEq(t, `{"key":"[secret KEY]"}`, string(out.Hidden.Result(out.Result).Value))
	require.Nil(t, b.run(`export default () => 1`).Hidden, "a run without secrets pays nothing")

	// Also where the run ends by force.
	run := attempt(b.compile(`export default async (event: any, ctx: any) => { console.log(await ctx.secrets.get("KEY")); await new Promise((done) => setTimeout(done, 1)); for (;;); }`))
	run.Limits.Wall = 200 * time.Millisecond
	out = b.runAs(run)
	require.Equal(t, picloud.ReasonTimeout, out.Failure.Reason)
	require.Equal(t, "[secret KEY]", out.Logs[0].Message)
}
