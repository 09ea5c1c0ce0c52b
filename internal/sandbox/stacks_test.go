package sandbox_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every line and column is the user's own: of the TypeScript that was written, not of what was made of it.
func TestStacksAreExact(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	for name, c := range map[string]struct {
		source string
		stack  []string // its lines, or their beginnings where they end in …
	}{
		"thrown": {
			"interface A {\n  b: string\n}\n\nexport default (a: A) => {\n  throw new TypeError('no')\n}",
			[]string{"TypeError: no", "    at default (fulfil.ts:6:9)"},
		},
		"nested": {
			"type T = 1\nfunction deep(n: T): number {\n  if (n) throw new Error(`x${n}`)\n  return 1\n}\nclass C<X> {\n  private m(x: X) { return deep(1) }\n  run(x: X) { return this.m(x) }\n}\nexport default () => new C<T>().run(1)",
			[]string{"Error: x1", "    at deep (fulfil.ts:3:16)", "    at m (fulfil.ts:7:28)", "    at run (fulfil.ts:8:27)", "    at default (fulfil.ts:10:33)"},
		},
		"after await": {
			"enum E { A }\nasync function deep(): Promise<number> {\n  await null;\n  throw new RangeError('late')\n}\nexport default async () => {\n  const x: E = E.A;\n  return await deep()\n}",
			[]string{"RangeError: late", "    at deep (fulfil.ts:4:9)", "…"},
		},
		"a timer's callback": {
			"export default () => new Promise((resolve) => {\n  const f = (n: number) => { throw new Error('tick') };\n  setTimeout(() => f(1), 1)\n})",
			[]string{"Error: tick", "    at f (fulfil.ts:2:36)", "    at fulfil.ts:3:20"},
		},
		"an async generator": {
			"async function* rows(): AsyncGenerator<number> {\n  yield 1;\n  await null;\n  throw new Error('row')\n}\nexport default async () => {\n  for await (const r of rows()) {\n    void r\n  }\n}",
			[]string{"Error: row", "    at fulfil.ts:4:9", "…"},
		},
		"cause": {
			"export default () => {\n  try {\n    JSON.parse('{')\n  } catch (e) {\n    throw new Error('config', { cause: e })\n  }\n}",
			[]string{"Error: config", "    at default (fulfil.ts:5:11)", "Caused by: SyntaxError: …", "    at default (fulfil.ts:3:10)"},
		},
		"a cause that is no error": {
			"export default () => { throw new Error('x', { cause: { code: 7 } }) }",
			[]string{"Error: x", "    at default (fulfil.ts:1:30)", "Caused by: { code: 7 }"},
		},
		"AggregateError": {
			"export default () => Promise.any([\n  Promise.reject(new Error('a')),\n  Promise.reject(new TypeError('b'))\n])",
			[]string{"AggregateError", "Error 1 of 2: Error: a", "    at default (fulfil.ts:2:18)", "Error 2 of 2: TypeError: b", "    at default (fulfil.ts:3:18)"},
		},
		"SuppressedError": {
			"const d = (m: string) => ({ [Symbol.dispose]() { throw new Error(m) } });\nexport default () => {\n  using a = d('1');\n  throw new Error('0')\n}",
			[]string{"SuppressedError: …", "…"},
		},
		"a web API": {
			"export default () => {\n  const base: string = 'nope';\n  return new URL('/x', base)\n}",
			[]string{"TypeError: Invalid URL: \"/x\" with base \"nope\"", "    at default (fulfil.ts:3:10)"},
		},
		"an iterator helper": {
			"export default async (e: any) => {\n  return [1].values().map((x) => {\n    throw new Error('in map')\n  }).toArray()\n}",
			[]string{"Error: in map", "    at fulfil.ts:3:11", "    at default (fulfil.ts:4:6)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{TB: t, pool: b.pool, kv: b.kv}
			out := b.run(c.source)
			require.NotNil(t, out.Failure)
			got := strings.Split(out.Failure.Stack, "\n")
			for i, want := range c.stack {
				if want == "…" {
					return
				}
				require.Greater(t, len(got), i, out.Failure.Stack)
				if begin, cut := strings.CutSuffix(want, "…"); cut {
					require.True(t, strings.HasPrefix(got[i], begin), out.Failure.Stack)
					continue
				}
				require.Equal(t, want, got[i], out.Failure.Stack)
			}
			require.Len(t, got, len(c.stack), out.Failure.Stack)
		})
	}
}
