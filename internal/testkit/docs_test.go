package testkit_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	namedTest = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)`")
	testFunc  = regexp.MustCompile(`(?m)^func (Test[A-Z][A-Za-z0-9]*)\(`)
)

// A test that the documents name as proof is there.
func TestTestsThatDocumentsNameExist(t *testing.T) {
	t.Parallel()
	const root = "../.."
	there := map[string]bool{}
	named := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "node_modules" || name == "bin" || (strings.HasPrefix(name, ".") && len(name) > 2) {
				return filepath.SkipDir
			}
			return nil
		}
		pattern, note := testFunc, func(name string) { there[name] = true }
		switch {
		case strings.HasSuffix(path, "_test.go"):
		case strings.HasSuffix(path, ".md"):
			pattern, note = namedTest, func(name string) { named[name] = path }
		default:
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range pattern.FindAllStringSubmatch(string(content), -1) {
			note(match[1])
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, named)
	for name, path := range named {
		assert.True(t, there[name], "%s names %s, and no test is called so", path, name)
	}
}
