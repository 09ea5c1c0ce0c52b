package sandbox_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func TestLanguage(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for name, c := range map[string]struct{ body, want string }{
		"types and enums":    {`enum E { A = 1, B } const x: E = E.B; interface I { a: number } const i = { a: x } as I; return i satisfies I`, `{"a":2}`},
		"event":              {`return [event.id, event.type, event.subject, event.data.value.total, event.data.n, event.data.list, event.depth]`, `["0190-event","picloud.kv.created","42",150,1.5,[1,"ä",null,true],2]`},
		"context":            {`return [ctx.app, ctx.script, ctx.version, ctx.execution]`, `["shop","fulfil",3,{"id":"0190-exec","attempt":2,"depth":2,"rootId":"0190-root","parentId":"0190-parent","dryRun":false}]`},
		"undefined is null":  {``, `null`},
		"null":               {`return null`, `null`},
		"text":               {`return "añ😀\u0000"`, `"añ😀\u0000"`},
		"async generators":   {`async function* g() { yield 1; yield 2 } const all = []; for await (const x of g()) all.push(x); return all`, `[1,2]`},
		"private fields":     {`class C { #x = 1; static #n = 2; get v() { return this.#x + C.#n } static { C.#n++ } } return new C().v`, `4`},
		"decorated by using": {`const out: string[] = []; { using r = { [Symbol.dispose]() { out.push("gone") } }; out.push("here") } return out`, `["here","gone"]`},
		"all":                {`return Promise.all([1, Promise.resolve(2), new Promise(r => setTimeout(() => r(3), 1))])`, `[1,2,3]`},
		"timers in order":    {`const out: number[] = []; await new Promise<void>(r => { setTimeout(() => { out.push(2); r() }, 4); setTimeout((n) => out.push(n), 1, 1); const no = setTimeout(() => out.push(9), 2); clearTimeout(no); queueMicrotask(() => out.push(0)) }); return out`, `[0,1,2]`},
		"this is a module":   {`return (function (this: any) { return this === undefined })()`, `true`},
		"thenable":           {`return { then(r: any) { r(7) } }`, `7`},
		"fake frames":        {`const e = new Error("x"); return e.stack.includes("fulfil.ts")`, `true`},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{TB: t, pool: b.pool, kv: b.kv}
			require.JSONEq(t, c.want, b.value(c.body))
		})
	}
}

func TestSyncFunctionAndJavaScript(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	p, err := b.pool.Compile(t.Context(), "plain", picloud.JavaScript, "export default (event) => event.subject")
	require.NoError(t, err)
	require.Len(t, p.SHA256, 64)
	out := b.runAs(attempt(p))
	require.Nil(t, out.Failure)
	require.Equal(t, `"42"`, string(out.Result.Value))
	require.Positive(t, out.Usage.Wall)
}

func TestStacksNameTheUsersLines(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for name, c := range map[string]struct{ source, class, message, at string }{
		"thrown": {"interface A {\n  b: string\n}\nexport default async function (event: any) {\n  throw new TypeError('no')\n}", "TypeError", "no", "fulfil.ts:5:9"},
		"after await": {"type A = {\n}\nasync function deep(): Promise<number> {\n  await new Promise(r => setTimeout(r, 1));\n  return (undefined as any).x\n}\nexport default async function () {\n  return await deep()\n}",
			"TypeError", "Cannot read property 'x' of undefined", "fulfil.ts:5:"},
		"own class":   {"class ValidationError extends Error {}\nexport default () => {\n  throw new ValidationError('bad')\n}", "ValidationError", "bad", "fulfil.ts:3:9"},
		"at the top":  {"const x: number = 1;\nnull.x;\nexport default () => x", "TypeError", "Cannot read property 'x' of undefined", "fulfil.ts:2:"},
		"host call":   {"export default async (e: any, ctx: any) => {\n\n  await ctx.kv.get('', 'x')\n}", "TypeError", "collection must be 1 to 256 bytes long, is 0", "fulfil.ts:3:"},
		"a string":    {"export default () => { throw 'just this' }", "Error", "just this", ""},
		"nothing":     {"export default () => Promise.reject()", "Error", "undefined", ""},
		"fetch":       {"export default async (e: any, ctx: any) => ctx.fetch('x:')", "TypeError", "fetch: scheme \"x\" is refused: only http and https", ""},
		"never":       {"export default () => new Promise(() => {})", "Error", "the script's promise never settled: it waits, but no timer runs and no call is open", ""},
		"timer":       {"export default () => new Promise(() => {\n  setTimeout(() => {\n    throw new RangeError('late') }, 1)\n})", "RangeError", "late", "fulfil.ts:3:"},
		"hidden name": {"export default () => { const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw 1 } }); throw e }", "Error", "the script threw a value that cannot be described", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{TB: t, pool: b.pool, kv: b.kv}
			out := b.run(c.source)
			require.NotNil(t, out.Failure)
			require.Equal(t, picloud.ReasonScriptError, out.Failure.Reason)
			require.Equal(t, c.class, out.Failure.Type)
			require.Equal(t, c.message, out.Failure.Message)
			require.Contains(t, out.Failure.Stack, c.at)
			require.NotContains(t, out.Failure.Stack, "prelude")
			require.NotContains(t, out.Failure.Stack, "native")
		})
	}
}

func TestErrorsOfTheRetryPolicy(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	e := b.failure(`throw new NonRetryableError("give up")`)
	require.Equal(t, "NonRetryableError", e.Type)
	require.True(t, e.NonRetryable)
	e = b.failure(`class Mine extends NonRetryableError {}; throw new Mine("give up")`)
	require.Equal(t, "Mine", e.Type)
	require.True(t, e.NonRetryable)
	e = b.failure(`throw new RetryAfterError("later", "30s")`)
	require.Equal(t, "RetryAfterError: later", e.Error())
	require.Equal(t, "30s", e.RetryAfter.String())
	e = b.failure(`throw new RetryAfterError("later", 1500)`)
	require.Equal(t, "1.5s", e.RetryAfter.String())
	for _, bad := range []string{`"soon"`, `-1`, `NaN`, `undefined`, `{}`, `Infinity`, `"9999999h"`} {
		require.Equal(t, "TypeError", b.failure(`throw new RetryAfterError("later", `+bad+`)`).Type, bad)
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for name, c := range map[string]struct {
		source, message string
		line, column    int
	}{
		"syntax":           {"export default 1\nlet ä = ;", `Unexpected ";"`, 2, 9},
		"import":           {"\nimport x from \"lodash\"; export default x", `cannot import "lodash"`, 2, 15},
		"dynamic import":   {"export default () => import('fs')", `cannot import "fs"`, 1, 29},
		"require":          {"const fs = require('fs'); export default fs", `cannot import "fs"`, 1, 20},
		"top-level await":  {"export const a = 1;\nawait a;\nexport default () => a", `top level`, 2, 1},
		"import.meta":      {"export default () => import.meta.url", `import.meta`, 1, 22},
		"no export":        {"const x = 1", "default export", 1, 1},
		"no function":      {"export default 42", "default export", 1, 1},
		"regular expr":     {"const a: number = 1;\nexport default () => /(/", "", 2, 22},
		"refused by goja":  {"export default () => /[a--b]/v", "", 1, 22},
		"assign to import": {"export default () => { const x = 1; x = 2 }", "", 1, 37},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.pool.Compile(t.Context(), "fulfil", picloud.TypeScript, c.source)
			e := picloud.AsError(err)
			require.NotNil(t, e, "%v", err)
			require.Equal(t, picloud.Invalid, e.Kind)
			require.Equal(t, "compile_error", e.Code)
			require.NotEmpty(t, e.Fields)
			require.Equal(t, "source", e.Fields[0].Field)
			require.Contains(t, e.Fields[0].Message, c.message)
			require.Equal(t, [2]int{c.line, c.column}, [2]int{e.Fields[0].Line, e.Fields[0].Column}, e.Fields[0].Message)
		})
	}
	for _, source := range []string{
		"throw new Error('top'); export default () => 1", "while (true) {} export default () => 1",
		"'x'.repeat(2 ** 28).split(''); export default () => 1", "import type { A } from 'types'; export default (a: A) => 1",
	} {
		_, err := b.pool.Compile(t.Context(), "fulfil", picloud.TypeScript, source)
		if err != nil {
			require.Contains(t, source, "repeat", "%v", err) // its end depends on what dies first
		}
	}
	_, err := b.pool.Compile(t.Context(), "fulfil", picloud.TypeScript, strings.Repeat(" ", picloud.MaxSourceBytes+1))
	require.Equal(t, "source_too_large", picloud.ErrorCode(err))
	require.Equal(t, picloud.TooLarge, picloud.AsError(err).Kind)
}

func TestConsole(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	out := b.run(`export default () => {
		console.debug("d", 1, -0.5, true, null, undefined, 10n);
		console.log({ a: 1, "b-c": [1, "two", { d: {} }], f() {} }, new Map([["k", 1]]), new Set([1]));
		console.info("%s has %d of %j%%", "he", 3, { x: 1 }, "rest");
		const loop: any = { name: "loop" }; loop.self = loop;
		console.warn(loop, new Date(0), /x/g, Symbol("s"), Promise.resolve(1), class Foo {});
		console.error(new Error("boom"));
		console.log({ get bad() { throw new Error("trap") } });
		console.log(new (class Point { x = 1 })());
		Promise.reject(new TypeError("nobody listens"));
	}`)
	require.Nil(t, out.Failure)
	var got []string
	for _, l := range out.Logs {
		got = append(got, l.Level+" "+l.Message)
		require.False(t, l.Time.IsZero())
	}
	require.Len(t, got, 8)
	require.Equal(t, []string{
		"debug d 1 -0.5 true null undefined 10n",
		"info { a: 1, 'b-c': [ 1, 'two', { d: {} } ], f: [Function: f] } Map(1) { 'k' => 1 } Set(1) { 1 }",
		`info he has 3 of {"x":1}% rest`,
		"warn <ref *1> { name: 'loop', self: [Circular *1] } 1970-01-01T00:00:00.000Z /x/g Symbol(s) Promise { 1 } [class Foo]",
	}, got[:4])
	require.Contains(t, got[4], "error Error: boom\n    at ")
	require.Contains(t, got[4], "fulfil.ts:7:17")
	require.Equal(t, "info { bad: [Getter] }", got[5])
	require.Equal(t, "info Point { x: 1 }", got[6])
	require.Equal(t, "warn unhandled rejection: TypeError: nobody listens", got[7])
}

func TestResponses(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	response := func(body string) picloud.Response {
		out := b.run("export default async () => {\n" + body + "\n}")
		require.Nil(t, out.Failure, "%v", out.Failure)
		require.NotNil(t, out.Result.Response, string(out.Result.Value))
		return *out.Result.Response
	}
	require.Equal(t, picloud.Response{Status: 201, Headers: [][2]string{{"x-a", "1"}, {"content-type", "text/plain;charset=UTF-8"}}, Body: []byte("hi ä")},
		response(`return new Response("hi ä", { status: 201, headers: { "X-A": 1 } })`))
	require.Equal(t, picloud.Response{Status: 200, Headers: [][2]string{{"content-type", "application/json"}}, Body: []byte(`{"a":1}`)}, response(`return Response.json({ a: 1 })`))
	require.Equal(t, picloud.Response{Status: 204}, response(`return new Response(null, { status: 204 })`))
	require.Equal(t, []byte{1, 2, 255}, response(`return new Response(new Uint8Array([0, 1, 2, 255]).subarray(1))`).Body)
	require.Equal(t, []byte{7}, response(`return new Response(new Uint8Array([7]).buffer)`).Body)
	require.Equal(t, [][2]string{{"set-cookie", "a"}, {"set-cookie", "b"}}, response(`const h = new Headers([["Set-Cookie", "a"]]); h.append("set-cookie", "b"); return new Response(null, { headers: h })`).Headers)
	require.JSONEq(t, `["1, 2",null,true,[["a","1, 2"],["b","3"]],["b"]]`, b.value(`const h = new Headers({ a: "1" }); h.append("A", "2"); h.set("b", 3);
		const copy = new Headers(h); copy.delete("a"); return [h.get("a"), h.get("c"), h.has("B"), [...h], [...copy.keys()]]`))
	for _, bad := range []string{`{ status: 99 }`, `{ status: "x" }`, `{ headers: { "a b": "1" } }`, `{ headers: { a: "x\ny" } }`, `{ headers: [["a"]] }`, `{ status: 204 }`} {
		require.Contains(t, []string{"TypeError", "RangeError"}, b.failure(`return new Response("x", `+bad+`)`).Type, bad)
	}
}

func TestResultsThatCannotBeCarried(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for body, message := range map[string]string{
		`return () => 1`:                              "a function",
		`return Symbol("x")`:                          "a symbol",
		`return 10n`:                                  "BigInt",
		`const a: any = {}; a.a = a; return a`:        "circular",
		`return { toJSON() { throw new Error("x") }}`: "x",
	} {
		e := b.failure(body)
		require.Equal(t, picloud.ReasonPayloadInvalid, e.Reason, body)
		require.Equal(t, "PayloadInvalid", e.Type)
		require.Contains(t, e.Message, message)
	}
	for _, body := range []string{`return "x".repeat(2 << 20)`, `return new Response("x".repeat(2 << 20))`} {
		e := b.failure(body)
		require.Equal(t, picloud.ReasonPayloadInvalid, e.Reason)
		require.Equal(t, "PayloadLimitExceeded", e.Type)
		require.Contains(t, e.Message, "1048576")
	}
}
