package sandbox_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARunIsRepeated(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run := attempt(b.compile(`export default async () => {
		const seen: any[] = [Date.now(), new Date().toISOString(), performance.now(), performance.timeOrigin, Math.random(), [1, 2, 3, 4].map(() => Math.random())];
		for (let i = 0; i < 1e5; i++);
		seen.push(Date.now(), performance.now());
		await new Promise((done) => setTimeout(done, 7));
		seen.push(Date.now(), performance.now());
		const order: string[] = [];
		setTimeout(() => order.push("later"), 9); for (let i = 0; i < 1e5; i++); setTimeout(() => order.push("sooner"), 8);
		await new Promise((done) => setTimeout(done, 10));
		seen.push(order, Date.now());
		console.log("at", Date.now());
		return seen;
	}`))
	run.Time, run.Seed = time.Date(2026, 5, 6, 7, 8, 9, 123000000, time.UTC), 42
	first, second := b.runAs(run), b.runAs(run)
	require.Nil(t, first.Failure, "%v", first.Failure)
	require.Equal(t, string(first.Result.Value), string(second.Result.Value))
	require.Equal(t, first.Logs, second.Logs)
	var seen []any
	require.NoError(t, json.Unmarshal(first.Result.Value, &seen))
	at := float64(run.Time.UnixMilli())
	require.Equal(t, []any{at, "2026-05-06T07:08:09.123Z", 0.0, at}, seen[:4])
	require.Equal(t, []any{at, 0.0, at + 7, 7.0, []any{"sooner", "later"}, at + 17}, seen[6:])
	require.Equal(t, run.Time.Add(17*time.Millisecond), first.Logs[0].Time)

	run.Seed = 43
	require.NotEqual(t, string(first.Result.Value), string(b.runAs(run).Result.Value), "another seed, other numbers")
}

func TestTheClockGoesOnWithReplies(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.kv.gate = func(context.Context) {
		<-time.After(2 * time.Millisecond) // the outside takes its time
	}
	require.Equal(t, `[true,true]`, b.value(`const t0 = Date.now(), p0 = performance.now(); await ctx.kv.get("c", "k"); return [Date.now() - t0 >= 1, performance.now() - p0 >= 2]`))
	before := time.Now().Add(-time.Second)
	out := b.run(`export default () => Date.now()`)
	var ms int64
	require.NoError(t, json.Unmarshal(out.Result.Value, &ms))
	require.True(t, time.UnixMilli(ms).After(before), "a run that is told no time begins now")
}
