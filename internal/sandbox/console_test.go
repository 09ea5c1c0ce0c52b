package sandbox_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

// shown are arguments of console.log, which must be shown as Node shows them.
var shown = []string{
	`1, -0, 1.5, NaN, 10n, true, null, undefined`, `"text", ["text", 'it\'s', "\"", "a\nb"]`, `{}`, `[]`, `{ a: 1, "b-c": 2, 3: 4 }`, `[1, [2, [3, [4, [5]]]]]`,
	`{ a: { b: { c: { d: 1 } } } }`, `{ a: { b: { c: {} } } }`, `{ a: { b: 1 } }`, `[[[[]]]]`, `{ f() {}, g: () => 1, h: async () => {}, *i() {}, j: class A {}, k: class extends Array {} }`,
	`class Foo {}, class Bar extends Map {}`, `function named() {}, () => {}`, `new (class Point { constructor() { this.x = 1 } })()`, `Object.create(null)`, `Object.assign(Object.create(null), { a: 1 })`,
	`new Map([["k", { a: 1 }], [{ o: 1 }, 2]])`, `new Set(["a", { b: 1 }])`, `new Map(), new Set()`, `new Date(0), new Date(NaN)`, `/a+/gi`, `Symbol("s"), { [Symbol("k")]: 1 }`,
	`Promise.resolve(1), new Promise(() => {})`, `new Uint8Array([1, 2, 3])`, `new Number(3), new String("s"), new Boolean(false)`, `{ get a() { return 1 }, set b(v) {}, get c() { return 1 }, set c(v) {} }`,
	`{ long: "x".repeat(60), other: "y".repeat(20) }`, `["x".repeat(30), "y".repeat(30), "z".repeat(30)]`, `{ a: "x".repeat(40), b: { c: "y".repeat(40), d: ["z".repeat(40), 1] } }`,
	`Array.from({ length: 3 }, (_, i) => ({ id: i, name: "item " + i, tags: ["a", "b"] }))`, `(() => { const o = { a: 1 }; o.self = o; o.list = [o]; return o })()`,
	`(() => { const a = {}; const b = { a }; a.b = b; return [a, b] })()`, `"%s is %d and %i, %f, %j %O %% %x", "he", 3.5, 3.5, 1.5, { x: 1 }, [1], "rest", { y: 2 }`, `"100%", 1`, `"%s %s", "one"`,
	`"%s", Symbol("a")`, `[undefined, null]`, `{ a: undefined, b: null }`, `[["a", 1], ["b", 2]]`, `{ m: new Map([["k", new Set([1])]]), d: new Date(0) }`, `new (class extends Map {})([[1, 2]])`,
	`new (class Stack extends Array {})()`, `Object.assign(() => {}, { a: 1 })`, `{ "it's": 1, 'q"': 2 }`,
}

func TestConsoleShowsWhatNodeShows(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	var script, node strings.Builder
	script.WriteString("export default () => {\n")
	node.WriteString("const { format } = require('node:util'); const out = [];\n")
	for _, s := range shown {
		script.WriteString("console.log(" + s + ");\n")
		node.WriteString("out.push(format(" + s + "));\n")
	}
	node.WriteString("console.log(JSON.stringify(out))")
	out := b.run(strings.ReplaceAll(script.String()+"}", "const o = {", "const o: any = {"))
	require.Nil(t, out.Failure, "%v", out.Failure)
	text, err := exec.CommandContext(t.Context(), "node", "-e", node.String()).Output()
	require.NoError(t, err)
	var want []string
	require.NoError(t, json.Unmarshal(text, &want))
	require.Len(t, out.Logs, len(shown))
	for i, s := range shown {
		require.Equal(t, want[i], out.Logs[i].Message, s)
	}
}

func TestConsoleMethods(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	run := attempt(b.compile(`export default async () => {
		console.log();
		console.group("G", 1); console.log("a\nb"); console.group(); console.warn({ x: "y".repeat(80), z: 1 }); for (const _ of [1, 2, 3]) console.groupEnd(); console.log("out");
		console.count(); console.count("c"); console.count(); console.countReset(); console.count();
		console.time("t"); await new Promise((done) => setTimeout(done, 3)); console.timeLog("t", "so far"); await new Promise((done) => setTimeout(done, 2)); console.timeEnd("t"); console.timeLog("t");
		console.assert(1 === 1, "no"); console.assert(false); console.assert(false, "%s", "why");
		console.dir({ a: { b: { c: { d: 1 } } } });
		console.table([{ a: 1, b: "x" }, { a: 2 }, 3]); console.table([{ a: 1, b: 2 }], ["b"]); console.table("no rows");
		const { log } = console; log(Array.from({ length: 102 }, () => 1).length, new Array(102).fill(1));
		log(new Error("boom", { cause: "why" })); log(Object.assign(new RangeError("with"), { code: 7 }));
		console.trace("here");
	}`))
	run.Time = time.Unix(1700000000, 0)
	out := b.runAs(run)
	require.Nil(t, out.Failure, "%v", out.Failure)
	var got []string
	for _, l := range out.Logs {
		got = append(got, l.Level+" "+l.Message)
	}
	require.Equal(t, []string{
		"info ", "info G 1", "info   a\n  b", "warn     {\n      x: '" + strings.Repeat("y", 80) + "',\n      z: 1\n    }", "info out",
		"info default: 1", "info c: 1", "info default: 2", "info default: 1", "info t: 3ms so far", "info t: 5ms", `warn there is no console timer "t"`,
		"error Assertion failed", "error Assertion failed: why", "info { a: { b: { c: [Object] } } }",
		"info ┌─────────┬───┬─────┬────────┐\n│ (index) │ a │ b   │ Values │\n├─────────┼───┼─────┼────────┤\n│ 0       │ 1 │ 'x' │        │\n│ 1       │ 2 │     │        │\n│ 2       │   │     │ 3      │\n└─────────┴───┴─────┴────────┘",
		"info ┌─────────┬───┐\n│ (index) │ b │\n├─────────┼───┤\n│ 0       │ 2 │\n└─────────┴───┘", "info no rows",
	}, got[:18])
	require.Contains(t, got[18], "... 2 more items")
	require.Contains(t, got[19], "info Error: boom\n    at ")
	require.Contains(t, got[19], "fulfil.ts:10:")
	require.Contains(t, got[19], "why")
	require.Regexp(t, `(?s)^info RangeError: with\n.* \{\n  code: 7\n\}$`, got[20])
	require.Regexp(t, `(?s)^debug Trace: here\n    at .*fulfil.ts:11:`, got[21])
	require.Equal(t, run.Time.UTC(), out.Logs[0].Time, "a line has its own time")
	require.Equal(t, run.Time.Add(5*time.Millisecond).UTC(), out.Logs[21].Time)
}

func TestConsoleKeepsStructuredValues(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for call, want := range map[string]string{
		`"plain", 1, null, undefined, true`: ``,
		`"paid", { order: 42 }, [1, "ä"]`:   `[{"order":42},[1,"ä"]]`,
		`{ at: new Date(0), n: NaN, big: 10n, s: Symbol("s"), f() {}, u: undefined, m: new Map([[1, 2]]), e: [, 1] }`: `[{"at":"1970-01-01T00:00:00.000Z","n":"NaN","big":"10","s":"Symbol(s)","f":"[Function: f]","u":null,"m":"Map(1) { 1 => 2 }","e":[null,1]}]`,
		`{ get secret() { throw new Error("ran") }, toJSON() { throw new Error("ran") } }`:                            `[{"secret":"[Getter]","toJSON":"[Function: toJSON]"}]`,
		`(() => { const o: any = { a: 1 }; o.self = o; return o })()`:                                                 `[{"a":1,"self":"[Circular *1]"}]`,
		`{ a: { b: { c: { d: { e: { f: { g: 1 } } } } } } }`:                                                          `[{"a":{"b":{"c":{"d":{"e":{"f":"{ g: 1 }"}}}}}}]`,
		`new Array(101).fill(1)`:      "[[" + strings.Repeat("1,", 100) + `"..."]]`,
		`new Proxy({ a: 1 }, {})`:     ``,
		`{ text: "x".repeat(40000) }`: ``,
	} {
		out := b.run("export default () => { console.log(" + call + ") }")
		require.Nil(t, out.Failure, "%v", out.Failure)
		if want == "" {
			require.Empty(t, out.Logs[0].Values, call)
			continue
		}
		require.JSONEq(t, want, string(out.Logs[0].Values), call)
	}
	run := attempt(b.compile(`export default () => { for (let i = 0; i < 1000; i++) console.log({ i }) }`))
	run.Limits = picloud.Limits{LogBytes: 1 << 10}
	out := b.runAs(run)
	size := 0
	for _, l := range out.Logs[:len(out.Logs)-1] {
		size += len(l.Message) + len(l.Values)
	}
	require.LessOrEqual(t, size, run.Limits.LogBytes)
	require.Contains(t, out.Logs[len(out.Logs)-1].Message, "the log limit is reached")
}
