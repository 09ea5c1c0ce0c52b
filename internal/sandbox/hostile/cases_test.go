package hostile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
)

// hostile is one script or source and what may come of it: types of errors, "ok" for a success, "any" for whatever is clean.
type hostile struct {
	name   string // theme/name
	source string
	expect []string
}

const expectPrefix = "// expect: "

// readCases reads the files below a folder of testdata. Their first line says what to expect; in sources, <% repeat 1000 "text" %> stands for what is too
// long to be written down.
func readCases(t *testing.T, folder string) []hostile {
	t.Helper()
	var cases []hostile
	require.NoError(t, filepath.WalkDir(filepath.Join("testdata", folder), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		first, _, _ := strings.Cut(string(text), "\n")
		expect, found := strings.CutPrefix(first, expectPrefix)
		require.True(t, found, "%s does not begin with %q", path, expectPrefix)
		name := strings.TrimPrefix(strings.TrimSuffix(path, filepath.Ext(path)), filepath.Join("testdata", folder)+string(filepath.Separator))
		cases = append(cases, hostile{name: name, source: expand(t, path, string(text)), expect: strings.Fields(expect)})
		return nil
	}))
	return cases
}

func expand(t *testing.T, name, text string) string {
	t.Helper()
	made, err := template.New(name).Delims("<%", "%>").Funcs(template.FuncMap{
		"repeat": func(n int, s string) string { return strings.Repeat(s, n) },
		"bytes":  func() string { return "\xff\xfe\x80" },
		"nul":    func() string { return "\x00" },
		"bom":    func() string { return "\ufeff\u2028\u2029" },
	}).Parse(text)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, made.Execute(&b, nil))
	return b.String()
}
