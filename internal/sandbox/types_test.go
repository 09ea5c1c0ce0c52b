package sandbox_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/sandbox/child/web"
)

// declared is what picloud.d.ts says, as types/describe.mjs reads it.
type declared struct {
	Classes map[string]struct {
		Extends          string
		Members, Statics []string
	}
	Interfaces map[string][]string
	Values     []string
}

func readDeclared(t *testing.T) declared {
	t.Helper()
	require.FileExists(t, "types/node_modules/typescript/package.json", "the npm packages are missing: make example-packages")
	out, err := exec.CommandContext(t.Context(), "node", "types/describe.mjs").Output()
	require.NoError(t, err)
	var d declared
	require.NoError(t, json.Unmarshal(out, &d))
	return d
}

// languageNames are globals of the language itself, which TypeScript's own library declares.
var languageNames = []string{"AsyncDisposableStack", "DisposableStack", "FinalizationRegistry", "Iterator", "SuppressedError", "WeakRef"}

// What a script finds at run time is what picloud.d.ts declares, no more and no less.
func TestTypesEqualTheRuntime(t *testing.T) {
	t.Parallel()
	d := readDeclared(t)
	names := append(slices.Sorted(maps.Keys(d.Classes)), d.Values...)
	slices.Sort(names)
	own := []string{"clearInterval", "clearTimeout", "console", "fetch", "queueMicrotask", "setInterval", "setTimeout"}
	want := slices.DeleteFunc(append(web.Names(), own...), func(name string) bool { return slices.Contains(languageNames, name) })
	slices.Sort(want)
	require.Equal(t, want, names, "the globals")

	b := newBench(t, 1)
	var found struct {
		Missing                  []string
		Members, Statics, Plains map[string][]string
	}
	input, err := json.Marshal(names)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(b.value(`
		const members: any = {}, statics: any = {}, missing: string[] = [];
		const names = (o: object, without: string[]) => Object.getOwnPropertyNames(o).filter((n) => !without.includes(n)).sort();
		const plains: any = { Context: Object.keys(ctx).sort(), ExecutionInfo: Object.keys(ctx.execution).sort(), KV: Object.keys(ctx.kv).sort(), Topics: Object.keys(ctx.topics).sort(),
			Queues: Object.keys(ctx.queues).sort(), Email: Object.keys(ctx.email).sort(), Console: Object.keys(console).sort(), "typeof performance": names(performance, []), "typeof navigator": names(navigator, []) };
		for (const name of `+string(input)+`) {
			const value = (globalThis as any)[name];
			if (value === undefined) missing.push(name);
			if (typeof value !== "function" || !value.prototype || !/^[A-Z]/.test(name)) continue;
			members[name] = names(value.prototype, ["constructor", "name", "stack"]);
			if (name === "RetryAfterError") members[name] = names(new RetryAfterError("", 1), ["message", "name", "stack"]);
			if (name === "Request" || name === "Response") members[name].push(...names(Object.getPrototypeOf(value.prototype), ["constructor"]));
			statics[name] = names(value, ["length", "name", "prototype"]).filter((n) => !/^[A-Z_]+$/.test(n));
		}
		return { missing, members, statics, plains };`)), &found))
	require.Empty(t, found.Missing)
	sorted := func(s []string) []string { return slices.Compact(slices.Sorted(slices.Values(s))) }
	for name, class := range d.Classes {
		members := class.Members
		if name == "File" { // it has name of its own
			members = slices.DeleteFunc(slices.Clone(members), func(n string) bool { return n == "name" })
		}
		require.ElementsMatch(t, sorted(members), sorted(found.Members[name]), name)
		require.ElementsMatch(t, sorted(class.Statics), sorted(found.Statics[name]), name+", static")
	}
	for name, keys := range found.Plains {
		require.Equal(t, sorted(keys), sorted(d.Interfaces[name]), name)
	}
}
