package testkit_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/picloud/picloud/"

// floors is the house from the ground up: a package may import packages of lower floors only, and none of its own (DESIGN: imports go down
// only, siblings do not know each other). A name covers the folders below it.
var floors = [][]string{
	{"internal/picloud", "internal/certificate", "internal/ratelimit", "internal/keyfile", "internal/rota"},
	{"internal/filter", "internal/metrics"},
	{"schema", "internal/store", "internal/sandbox", "internal/secrets", "internal/webhook", "internal/auth", "internal/mail", "internal/config", "activities", "dashboard"},
	{"workflows"},
	{"internal/engine", "worker", "internal/dispatch", "api"},
	{"deployments/embedded", "internal/apply"},
	{"internal/cli"},
	{"cmd/picloud", "cmd/sandbox-child"},
}

// forbidden are packages that a package may not link, directly or through others.
var forbidden = []struct {
	in, link, why string
}{
	{"workflows", "github.com/jackc/pgx", "workflow code is deterministic: it reaches no database"},
	{"workflows", "github.com/dop251/goja", "workflow code is deterministic: scripts run in activities"},
	{"workflows", "github.com/gin-gonic/gin", "workflow code serves nothing"},
	{"workflows", "github.com/sirupsen/logrus", "workflows log through the workflow's logger, which knows about replays"},
	{"activities", "github.com/jackc/pgx", "activities see the store through the domain's interfaces"},
	{"activities", "github.com/dop251/goja", "untrusted code never runs in the server process"},
	{"api", "github.com/jackc/pgx", "the API sees the store through the domain's interfaces"},
	{"api", "go.temporal.io/sdk", "only internal/engine is a client of Temporal"},
	{"internal/testkit", "go.temporal.io/server", "it costs every test package five minutes of first compile"},
	{"cmd/sandbox-child", "go.temporal.io/", "what a child loads is there before it runs"},
	{"cmd/sandbox-child", "github.com/jackc/pgx", "untrusted code runs beside no code that it has no use for"},
	{"internal/store", "go.temporal.io/", "the store knows nothing of the engine"},
	{"deployments/embedded/pgserver", "go.temporal.io/", "tests link it"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps,Standard", module+"...").Output()
	require.NoError(t, err)
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, p)
	}
}

// within reports whether path is the package name or one below it.
func within(path, name string) bool {
	return path == module+name || strings.HasPrefix(path, module+name+"/")
}

// room gives the floor of a package and the name that covers it; -1 when the house has no place for it (tests, examples).
func room(path string) (int, string) {
	for i, floor := range floors {
		for _, name := range floor {
			if within(path, name) {
				return i, name
			}
		}
	}
	return -1, ""
}

func TestImportsGoDownOnly(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		floor, name := room(p.ImportPath)
		if floor < 0 {
			continue
		}
		for _, i := range p.Imports {
			below, other := room(i)
			// schema's generated code is the store's; the API's client is for programs outside: it may be used from above only.
			if below < 0 || other == name {
				continue
			}
			assert.Less(t, below, floor, "%s (floor %d) imports %s (floor %d): imports go down only", p.ImportPath, floor, i, below)
		}
	}
}

func TestNothingForbiddenIsLinked(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, f := range forbidden {
			if !within(p.ImportPath, f.in) || (f.in == "api" && within(p.ImportPath, "api/client")) {
				continue
			}
			i := slices.IndexFunc(p.Deps, func(d string) bool { return strings.HasPrefix(d, f.link) })
			if i >= 0 {
				t.Errorf("%s links %s: %s", p.ImportPath, p.Deps[i], f.why)
			}
		}
	}
}

func TestTheDomainImportsTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if !within(p.ImportPath, "internal/picloud") {
			continue
		}
		for _, i := range p.Imports {
			assert.NotContains(t, strings.SplitN(i, "/", 2)[0], ".", "%s imports %s", p.ImportPath, i)
		}
	}
}

func TestNoPackageIsNamedForNothing(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		last := p.ImportPath[strings.LastIndexByte(p.ImportPath, '/')+1:]
		assert.NotContains(t, []string{"common", "util", "utils", "shared", "helpers", "lib", "misc"}, last, "%s: say what is in it", p.ImportPath)
	}
}
