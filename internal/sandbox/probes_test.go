package sandbox_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

var update = flag.Bool("update", false, "write the language table into docs/scripting.md")

// A probe is one snippet of testdata/language with what must come of it. The files have
//
//	## group
//	### feature
//	note: what to use instead
//	statements of a script's function, or //module and a whole source
//	=> the JSON of the result, or "refused line:column text" for a source that does not compile, or "absent" for names that are not there,
//	   or "refused-at-run JSON"
//
// A feature may have many snippets; the first of its answers that is no value is its status.
type probe struct {
	group, feature, note, source, want string
}

// probeFiles are in the order of the table.
var probeFiles = []string{"syntax", "builtins", "text", "web"}

func readProbes(t *testing.T) []probe {
	t.Helper()
	var all []probe
	for _, file := range probeFiles {
		text, err := os.ReadFile(filepath.Join("testdata", "language", file+".txt"))
		require.NoError(t, err)
		var p probe
		var body []string
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			kind, rest, _ := strings.Cut(line, " ")
			switch {
			case kind == "##":
				p = probe{group: rest}
			case kind == "###":
				p.feature, p.note = rest, ""
			case kind == "note:":
				p.note = rest
			case kind == "=>":
				p.want, p.source = rest, strings.Join(body, "\n")
				all, body = append(all, p), nil
			case line != "" || len(body) > 0:
				body = append(body, line)
			}
		}
		require.Empty(t, body, "%s ends within a probe", file)
	}
	return all
}

// whole gives the source of a probe as a module.
func (p probe) whole() string {
	if module, ok := strings.CutPrefix(p.source, "//module\n"); ok {
		return module
	}
	return "export default async function (event: any, ctx: any) {\n" + p.source + "\n}"
}

// The statuses of the table.
const (
	supported    = "yes"
	polyfilled   = "polyfilled"
	refused      = "refused when compiled"
	refusedAtRun = "refused when run"
	absent       = "absent"
)

// check runs a probe and gives the status that it shows.
func (p probe) check(b *bench) string {
	kind, rest, _ := strings.Cut(p.want, " ")
	program, err := b.pool.Compile(b.Context(), "fulfil", picloud.TypeScript, p.whole())
	if kind == "refused" {
		e := picloud.AsError(err)
		require.NotNil(b, e, "it compiles")
		require.NotEmpty(b, e.Fields)
		at := fmt.Sprintf("%d:%d %s", e.Fields[0].Line, e.Fields[0].Column, e.Fields[0].Message)
		require.Contains(b, at, rest)
		require.True(b, strings.HasPrefix(at, rest[:strings.IndexByte(rest, ':')+1]), at)
		return refused
	}
	require.NoError(b, err, "%+v", picloud.AsError(err))
	out := b.runAs(attempt(program))
	require.Nil(b, out.Failure, "%+v", out.Failure)
	switch kind {
	case "absent":
		for name := range strings.SplitSeq(strings.Trim(string(out.Result.Value), "[]"), ",") {
			require.Equal(b, `"undefined"`, name)
		}
		return absent
	case "refused-at-run":
		require.JSONEq(b, rest, string(out.Result.Value))
		return refusedAtRun
	}
	require.JSONEq(b, p.want, string(out.Result.Value))
	if p.group != "Web APIs" && !bare(p.whole(), p.want) {
		return polyfilled
	}
	return supported
}

// bare reports whether a probe gives what it must in goja and esbuild alone.
func bare(source, want string) bool {
	made := api.Transform(source, api.TransformOptions{Loader: api.LoaderTS, Format: api.FormatIIFE, GlobalName: "probe", Target: api.ESNext, Supported: map[string]bool{
		"async-generator": false, "for-await": false, "using": false, "decorators": false,
	}})
	rt := goja.New()
	// Timers are the host's, not the language's.
	if _, err := rt.RunString(`globalThis.setTimeout = () => 0; globalThis.queueMicrotask = (f) => { Promise.resolve().then(f) }`); err != nil {
		return false
	}
	code := string(made.Code)
	if !strings.HasPrefix(code, "#!") {
		code = `"use strict";` + code
	}
	if _, err := rt.RunString(code); len(made.Errors) > 0 || err != nil {
		return false
	}
	v, err := rt.RunString("probe.default({}, {})")
	if err != nil {
		return false
	}
	if promise, ok := v.Export().(*goja.Promise); ok {
		// What waits for a timer stays pending.
		if promise.State() == goja.PromiseStatePending {
			return strings.Contains(source, "setTimeout")
		}
		v = promise.Result()
	}
	_ = rt.Set("result", v)
	text, err := rt.RunString("JSON.stringify(result)")
	if err != nil {
		return false
	}
	equal, err := rt.RunString("(a, b) => { const s = (v) => JSON.stringify(JSON.parse(v)); return s(a) === s(b) }")
	if err != nil {
		return false
	}
	compare, _ := goja.AssertFunction(equal)
	same, err := compare(nil, text, rt.ToValue(want))
	return err == nil && same.ToBoolean()
}

// minProbes is how many there are at least.
const minProbes = 200

// TestProbes runs every probe and holds the table of docs/scripting.md to what they show; go test -run TestProbes -update writes it.
func TestProbes(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	probes := readProbes(t)
	require.GreaterOrEqual(t, len(probes), minProbes)
	statuses := map[string]string{} // by group and feature
	for i, p := range probes {
		t.Run(fmt.Sprintf("%s/%d", p.feature, i), func(t *testing.T) {
			status, key := p.check(&bench{TB: t, pool: b.pool, kv: b.kv}), p.group+p.feature
			if was := statuses[key]; was == "" || was == supported {
				statuses[key] = status
			}
		})
	}
	if t.Failed() {
		return
	}
	const begin, end = "<!-- begin language table: written by go test ./internal/sandbox -run TestProbes -update -->\n", "<!-- end language table -->"
	path := filepath.Join("..", "..", "docs", "scripting.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "docs/scripting.md has no %q", begin)
	old, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	table := tableOf(probes, statuses)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+table+end+after), 0o644))
		return
	}
	require.Equal(t, table, old, "docs/scripting.md is stale: run go test ./internal/sandbox -run TestProbes -update")
}

var codeWords = regexp.MustCompile(`[|]`)

func tableOf(probes []probe, statuses map[string]string) string {
	var out strings.Builder
	group, feature := "", ""
	for _, p := range probes {
		if p.group != group {
			group = p.group
			fmt.Fprintf(&out, "\n### %s\n\n| what | here | note |\n|---|---|---|\n", group)
		}
		if p.feature != feature {
			feature = p.feature
			fmt.Fprintf(&out, "| %s | %s | %s |\n", codeWords.ReplaceAllString(feature, `\|`), statuses[group+feature], p.note)
		}
	}
	out.WriteByte('\n')
	return out.String()
}
