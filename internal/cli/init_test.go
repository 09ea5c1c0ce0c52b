package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/apply"
)

func TestInit(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "My Shop!")
	var out, errs bytes.Buffer
	require.Zero(t, Main([]string{"init", folder}, Streams{Out: &out, Err: &errs}), errs.String())
	assert.Contains(t, out.String(), "picloud apply")
	m, err := apply.Read(folder)
	require.NoError(t, err)
	assert.Equal(t, "my-shop", m.App)
	assert.Contains(t, m.Scripts, "hello")

	tsc, err := filepath.Abs("../sandbox/types/node_modules/.bin/tsc")
	require.NoError(t, err)
	require.FileExists(t, tsc, "the npm packages are missing: make example-packages")
	checked, err := exec.CommandContext(t.Context(), tsc, "-p", folder).CombinedOutput()
	require.NoError(t, err, string(checked))

	before, err := os.ReadFile(filepath.Join(folder, "hello.ts"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(folder, "picloud.yaml")))
	assert.Equal(t, 1, Main([]string{"init", folder}, Streams{Out: &out, Err: &errs}))
	assert.Contains(t, errs.String(), "hello.ts is there already")
	after, err := os.ReadFile(filepath.Join(folder, "hello.ts"))
	require.NoError(t, err)
	assert.Equal(t, before, after)
	assert.NoFileExists(t, filepath.Join(folder, "picloud.yaml"), "all or nothing")
}

func TestSlugOf(t *testing.T) {
	t.Parallel()
	for name, slug := range map[string]string{"shop": "shop", "My Shop": "my-shop", "..": "app", "/": "app", "ä": "app", "-a-": "a"} {
		assert.Equal(t, slug, slugOf(name), name)
	}
}
