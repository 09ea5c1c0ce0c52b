package types_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/sandbox/types"
)

// check compiles scripts with picloud.d.ts, and gives what tsc says.
func check(t *testing.T, scripts map[string]string) (string, error) {
	t.Helper()
	tsc, err := filepath.Abs("node_modules/.bin/tsc")
	require.NoError(t, err)
	require.FileExists(t, tsc, "the npm packages are missing: make example-packages")
	folder := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	write("picloud.d.ts", types.Declarations())
	write("tsconfig.json", types.Config())
	for name, text := range scripts {
		write(name, text)
	}
	out, err := exec.CommandContext(t.Context(), tsc, "-p", folder).CombinedOutput()
	return string(out), err
}

// The scripts of the examples, and the snippets of the documents that are whole scripts.
func TestScriptsOfExamplesAndDocsCompile(t *testing.T) {
	t.Parallel()
	scripts := map[string]string{}
	examples, err := filepath.Glob("../../../examples/*/*.ts")
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	for _, path := range examples {
		if strings.HasSuffix(path, ".d.ts") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		scripts[filepath.Base(filepath.Dir(path))+"_"+filepath.Base(path)] = string(text)
	}
	docs, err := filepath.Glob("../../../docs/*.md")
	require.NoError(t, err)
	snippets := 0
	for _, path := range docs {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for i, part := range strings.Split(string(text), "```ts\n")[1:] {
			source, _, _ := strings.Cut(part, "```")
			if strings.Contains(source, "export default") {
				scripts[filepath.Base(path)+"_"+string(rune('a'+i))+".ts"] = source
				snippets++
			}
		}
	}
	require.NotZero(t, snippets)
	out, err := check(t, scripts)
	require.NoError(t, err, out)
}

// A loop over pages as people write it: the type of a page must not hang on that of the cursor, which hangs on the page.
func TestPagesAreReadInALoop(t *testing.T) {
	t.Parallel()
	out, err := check(t, map[string]string{"loop.ts": `
interface Note { text: string }
export default async (event: CloudEvent, ctx: Context) => {
  const notes: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await ctx.kv.list("notes", { prefix: "2026/", cursor });
    notes.push(...page.items.map((item) => item.key));
    cursor = page.nextCursor;
  } while (cursor);
  let next: string | null = null;
  do {
    const page: KVPage<Note> = await ctx.kv.list("notes", { cursor: next ?? undefined });
    notes.push(...page.items.map((item) => item.value.text));
    next = page.nextCursor;
  } while (next !== null);
  for (let from: string | undefined; ;) {
    const { items, nextCursor } = await ctx.kv.list("notes", { cursor: from });
    notes.push(...items.map((item) => String(item.value)));
    if (!nextCursor) return notes;
    from = nextCursor;
  }
};`})
	require.NoError(t, err, out)
}

func TestEventsAreToldApart(t *testing.T) {
	t.Parallel()
	out, err := check(t, map[string]string{"all.ts": `
interface Order { total: number }
export const one: Handler<KVEvent<Order>> = (event) => {
  if (event.type === "picloud.kv.deleted") { const gone: null = event.data.value; return gone; }
  return event.data.value.total + (event.data.old_value?.total ?? 0);
};
export default (async (event, ctx) => {
  switch (event.type) {
    case "picloud.http.request": return new Response(event.data.method, { headers: { "x-a": "1" } });
    case "picloud.cron.tick": return event.data.schedule.length;
    case "picloud.email.received": return event.data.attachments[0]?.filename;
    case "picloud.dead_letter.created": return event.data.error.type;
  }
  if (ctx.execution.attempt > 3) throw new NonRetryableError("no");
  await ctx.queues.send("q", { a: 1 }, { delay: "5m", priority: 3 });
  throw new RetryAfterError("later", "30s", { cause: event.id });
}) satisfies Handler;`})
	require.NoError(t, err, out)
	wrongs := map[string]string{}
	for i, wrong := range []string{
		`export default (e: CloudEvent, ctx: Context) => ctx.kv.get("a")`, `export default (e: CloudEvent, ctx: Context) => ctx.kvs`,
		`export default (e: CronEvent) => e.data.body`, `export default () => { throw new RetryAfterError("no time") }`,
		`export default (e: KVCreatedEvent) => e.type === "picloud.kv.deleted"`, `export default () => new WebSocket("ws://x")`, `export default () => process.env`,
	} {
		wrongs[fmt.Sprintf("wrong%d.ts", i)] = wrong
	}
	out, err = check(t, wrongs)
	require.Error(t, err)
	for name, source := range wrongs {
		require.Contains(t, out, name, source)
	}
}
