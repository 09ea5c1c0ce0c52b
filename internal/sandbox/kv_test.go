package sandbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func TestOwnWritesAreReadBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.kv.put("c", "a", `1`, 11)
	b.kv.put("c", "b", `{"x":[2]}`, 12)
	b.kv.put("c", "d", `4`, 14)
	out := b.run(`export default async (e: any, ctx: any) => {
		const seen: any[] = [await ctx.kv.get("c", "a"), await ctx.kv.get("c", "none")];
		ctx.kv.set("c", "a", { n: "ä" });
		ctx.kv.set("c", "c", 3);
		seen.push(await ctx.kv.get("c", "a"), await ctx.kv.delete("c", "b"), await ctx.kv.delete("c", "b"), await ctx.kv.get("c", "b"), await ctx.kv.delete("c", "zz"));
		const first = await ctx.kv.list("c", { limit: 2, cursor: null });
		seen.push(first, await ctx.kv.list("c", { limit: 2, cursor: first.nextCursor }), (await ctx.kv.list("c", { prefix: "d", limit: null })).items.length);
		return seen;
	}`)
	require.Nil(t, out.Failure, "%v", out.Failure)
	require.JSONEq(t, `[1,null,{"n":"ä"},true,false,null,false,
		{"items":[{"key":"a","value":{"n":"ä"},"version":0},{"key":"c","value":3,"version":0}],"nextCursor":"c"},
		{"items":[{"key":"d","value":4,"version":14}],"nextCursor":null},1]`, string(out.Result.Value))
	require.Equal(t, []picloud.Effect{
		{Type: picloud.EffectKVSet, Collection: "c", Key: "a", Value: []byte(`{"n":"ä"}`)}, {Type: picloud.EffectKVSet, Collection: "c", Key: "c", Value: []byte(`3`)},
		{Type: picloud.EffectKVDelete, Collection: "c", Key: "b"}, {Type: picloud.EffectKVDelete, Collection: "c", Key: "b"}, {Type: picloud.EffectKVDelete, Collection: "c", Key: "zz"},
	}, out.Effects)
	require.Equal(t, []picloud.KeyRead{{Collection: "c", Key: "a", Version: 11}, {Collection: "c", Key: "none"}, {Collection: "c", Key: "b", Version: 12}, {Collection: "c", Key: "zz"}}, out.Reads.Keys)
	require.NotEmpty(t, out.Reads.Lists)
	require.Equal(t, 12, out.Usage.HostCalls)
}

func TestReadsAreRepeatable(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.kv.put("c", "a", `1`, 1)
	var reads int
	b.kv.gate = func(context.Context) {
		reads++
		if reads > 1 {
			b.kv.put("c", "a", `2`, 2)
		}
	}
	require.Equal(t, `[1,null,1]`, b.value(`return [await ctx.kv.get("c", "a"), await ctx.kv.get("c", "b"), await ctx.kv.get("c", "a")]`))
}

func TestHostCallsOverlap(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	var all sync.WaitGroup
	all.Add(3)
	met := make(chan struct{})
	go func() {
		all.Wait()
		close(met)
	}()
	b.kv.gate = func(context.Context) {
		all.Done()
		select {
		case <-met:
		case <-time.After(5 * time.Second): // the others never come while this one waits
			t.Error("calls of Promise.all do not overlap")
		}
	}
	require.Equal(t, `[null,null,null]`, b.value(`return Promise.all(["x", "y", "z"].map(k => ctx.kv.get("c", k)))`))
}

func TestManyCallsWithoutAwait(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	out := b.run(`export default async (e: any, ctx: any) => { const big = "x".repeat(20000); for (let i = 0; i < 500; i++) ctx.kv.set("c", "k" + i, big); for (let i = 0; i < 400; i++) ctx.kv.get("c", "k" + i); return 1 }`)
	require.Nil(t, out.Failure, "%v", out.Failure)
	require.Len(t, out.Effects, 500)
}

func TestBadArgumentsCanBeCaught(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for _, call := range []string{
		`get("", "a")`, `get("c")`, `get("c", 1)`, `get("c", "a\u0001")`, `set("c", "k")`, `set("c", "k", () => 1)`, `set("c", "k", 1n)`, `delete("c", "")`,
		`set("c", "x".repeat(2000), 1)`, `list("")`, `list("c", 1)`, `list("c", { limit: -1 })`, `list("c", { limit: 501 })`, `list("c", { prefix: 1 })`, `list("c", { cursor: "x".repeat(1e6) })`,
	} {
		require.Equal(t, `"TypeError"`, b.value(`try { await ctx.kv.`+call+`; return "accepted" } catch (e: any) { return e instanceof TypeError ? e.name : String(e) }`), call)
	}
	require.Equal(t, `"RangeError"`, b.value(`try { await ctx.kv.set("c", "k", "x".repeat(2 << 20)); } catch (e: any) { return e.name }`))
}

func TestFaultOfTheStoreIsNoFailureOfTheScript(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.kv.err = errors.New("the database is gone")
	for _, call := range []string{`get("c", "a")`, `list("c")`, `delete("c", "a")`} {
		_, err := b.pool.Run(t.Context(), attempt(b.compile(`export default async (e: any, ctx: any) => { try { await ctx.kv.`+call+` } catch {} return 1 }`)))
		require.ErrorIs(t, err, b.kv.err)
	}
}
