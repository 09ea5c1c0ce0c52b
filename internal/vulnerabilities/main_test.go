package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const said = `{"config":{"protocol_version":"v1.0.0"}}
{"osv":{"id":"GO-1","summary":"It crashes"}}
{"finding":{"osv":"GO-1","fixed_version":"v1.2.0","trace":[{"module":"a.example/m","version":"v1.0.0"}]}}
{"finding":{"osv":"GO-1","fixed_version":"v1.2.0","trace":[{"module":"a.example/m","version":"v1.0.0","package":"a.example/m/p","function":"F"}]}}
{"finding":{"osv":"GO-2","trace":[{"module":"a.example/linked","version":"v1.0.0","package":"a.example/linked"}]}}
{"finding":{"osv":"GO-3","fixed_version":"v1.30.1","trace":[{"module":"stdlib","version":"v1.30.0","package":"net/http","function":"G"}]}}
`

func TestWhatIsFoundNeedsAnException(t *testing.T) {
	t.Parallel()
	const crash, toolchain = "- {id: GO-1, module: a.example/m, reason: nobody calls it}\n", "- {id: GO-3, module: stdlib, reason: the toolchain's}\n"
	for name, x := range map[string]struct{ exceptions, said, wrong string }{
		"all of them":             {crash + toolchain, said, ""},
		"one is new":              {toolchain, said, "GO-1 in a.example/m@v1.0.0: It crashes (mended in v1.2.0"},
		"the toolchain's is new":  {crash, said, "GO-3 in stdlib@v1.30.0"},
		"of another module":       {toolchain + "- {id: GO-1, module: b.example, reason: x}\n", said, "GO-1 in a.example/m"},
		"one is not needed":       {crash + toolchain + "- {id: GO-2, module: a.example/linked, reason: x}\n", said, "GO-2 in a.example/linked is not found any more"},
		"a newer toolchain":       {crash + toolchain, strings.Join(strings.SplitAfter(said, "\n")[:5], ""), ""},
		"without a reason":        {"- {id: GO-1, module: a.example/m}\n", said, "needs id, module and reason"},
		"govulncheck said no end": {crash, said[:len(said)-10], "read findings"},
		"govulncheck failed":      {"", "", "govulncheck said nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "exceptions.yaml")
			require.NoError(t, os.WriteFile(file, []byte(x.exceptions), 0o600))
			var out bytes.Buffer
			err := run([]string{file}, strings.NewReader(x.said), &out)
			if x.wrong == "" {
				require.NoError(t, err)
				require.Contains(t, out.String(), "borne: GO-1 in a.example/m@v1.0.0: nobody calls it")
				return
			}
			require.ErrorContains(t, err, x.wrong)
		})
	}
}
