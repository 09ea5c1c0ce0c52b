package child

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/require"
)

// values are expressions whose JSON has a rule of its own.
var values = []string{
	`undefined`, `null`, `true`, `() => 1`, `Symbol("a")`, `NaN`, `-Infinity`, `-0`, `1e21`, `1.5`, `2 ** 53`, `1e-7`, `"ä\ud83d\ude00\u2028\u0000\u001f\b\f\n\r\t\"\\/\x7f"`,
	`"\ud800"`, `"a\udc00b\ud83d"`, `"\ufffd"`, `[]`, `{}`, `[undefined, () => 1, Symbol("a"), , null]`, `({ a: undefined, b() {}, [Symbol("c")]: 1, d: 1 })`,
	`({ 10: 1, 2: 2, b: 3, a: 4, "-1": 5 })`, `({ "\ud800": 1, "\"": 2, "": 3 })`, `new Number(3)`, `new String("s")`, `new Boolean(false)`, `Object(Symbol("a"))`, `1n`,
	`Object(1n)`, `new Date(0)`, `new Date(NaN)`, `new Map([[1, 2]])`, `/a/g`, `new Error("e")`, `new Uint8Array([1, 2])`, `new Proxy([1, { a: 2 }], {})`, `new Proxy({ a: 1 }, {})`,
	`new Proxy({ a: 1, b: 2 }, { ownKeys: () => ["b", "a"], get: (t, k) => k === "toJSON" ? undefined : String(k) })`,
	`Object.defineProperty({ a: 1 }, "hidden", { value: 2 })`, `({ get a() { return this.b }, b: 2 })`, `Object.create({ a: 1 }, { b: { value: 2, enumerable: true } })`,
	`({ a: { toJSON(k) { return [k, this.x] }, x: 1 } })`, `[{ toJSON(k) { return k + typeof k } }]`, `({ toJSON(k) { return k === "" } })`, `({ toJSON: 1 })`,
	`({ toJSON: () => ({ toJSON: () => "twice" }) })`, `({ a: { toJSON: () => Object.assign(new Number(1), { toJSON: () => "twice" }) } })`, `({ toJSON() {} })`,
	`Object.assign(() => 1, { toJSON: () => "f" })`, `[Object.assign(() => 1, { toJSON: k => k })]`, `new (class A { a = 1; #b = 2; get c() { return 3 } static d = 4 })()`,
	`(() => { const a = [1]; a.b = 2; a.length = 3; return a })()`, `(() => { const a = {}; a.a = a; return a })()`, `(() => { const a = []; a.push({ a }); return a })()`,
	`(() => { const a = { x: 1 }; return [a, a] })()`, `({ get a() { throw new RangeError("thrown") } })`, `(() => { const a = [1, 2, 3]; a[1] = { toJSON() { a.length = 2; return 0 } }; return a })()`,
	`(() => { const o = { a: { toJSON() { delete o.b; return 1 } }, b: 2 }; return o })()`, `JSON.rawJSON("1e1000")`, `({ a: JSON.rawJSON("12345678901234567890") })`,
	`(function () { return arguments })(1, 2)`, `globalThis.JSON`, `Object.freeze([Object.freeze({ a: 1 })])`, `Object.create(null)`, `Array.from({ length: 3 })`,
	`new (class extends Array {})(1, 2, 3)`, `Object.setPrototypeOf({ a: 1 }, new Proxy({}, { get: (t, k) => k === "toJSON" ? () => "by proxy" : 1 }))`,
	`(() => { Array.prototype.toJSON = function (k) { return "patched " + k }; return { a: [1] } })()`, `(() => { BigInt.prototype.toJSON = function () { return "big" }; return [1n] })()`,
}

// TestWriteIsStringify holds write against goja's own JSON.stringify.
func TestWriteIsStringify(t *testing.T) {
	for _, value := range values {
		requireAsStringify(t, "("+value+")")
	}
}

func requireAsStringify(t *testing.T, source string) {
	t.Helper()
	one := func(write func(*scope, goja.Value) (goja.Value, error)) (string, string) {
		s, err := newScope(newClock(time.Unix(0, 0)), 0)
		require.NoError(t, err)
		v, err := s.RunString(source)
		require.NoError(t, err, source)
		text, err := write(s, v)
		if err != nil {
			return "", err.Error()
		}
		return text.String(), ""
	}
	want, wantErr := one(func(s *scope, v goja.Value) (goja.Value, error) { return s.stringify(nil, v) })
	got, gotErr := one(func(s *scope, v goja.Value) (goja.Value, error) {
		text, err := s.write(v, 1<<20)
		if text == nil {
			return goja.Undefined(), err
		}
		return s.ToValue(string(text)), err
	})
	require.Equal(t, want, got, source)
	require.Equal(t, firstLine(wantErr), firstLine(gotErr), source)
}

// firstLine gives a message without the place that goja adds to it.
func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s, _, _ = strings.Cut(s, " at ")
	return s
}

// TestWriteGivesUp takes what grows without end: it costs no more than a text of a few times the limit.
func TestWriteGivesUp(t *testing.T) {
	for source, want := range map[string]string{
		`Array.from({ length: 30 }).reduce(a => [a, a, a], "x".repeat(100))`: "JSON of more than 80000 bytes",
		`(() => { const a = []; a.length = 2 ** 32 - 1; return a })()`:       "JSON of more than 80000 bytes",
		`Array.from({ length: 10001 }).reduce(a => [a], 1)`:                  "TypeError: JSON must not nest deeper than 10000 levels",
	} {
		s, err := newScope(newClock(time.Unix(0, 0)), 0)
		require.NoError(t, err)
		v, err := s.RunString(source)
		require.NoError(t, err)
		_, err = s.write(v, 20000)
		require.ErrorContains(t, err, want)
	}
}

// FuzzWrite compares what write makes of any JSON with what goja makes of it.
func FuzzWrite(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		literal, err := json.Marshal(string(text))
		require.NoError(t, err)
		s, err := newScope(newClock(time.Unix(0, 0)), 0)
		require.NoError(t, err)
		v, err := s.RunString("JSON.parse(" + string(literal) + ")")
		if err != nil {
			return // numbers beyond float64
		}
		got, err := s.write(v, 1<<20)
		require.NoError(t, err)
		want, err := s.stringify(nil, v)
		require.NoError(t, err)
		require.Equal(t, want.String(), string(got))
	})
}
