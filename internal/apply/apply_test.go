package apply_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestWhatIsWrongWithAManifestIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ manifest, says string }{
		"no app":           {"name: x", "app: the slug of the app is missing"},
		"unknown field":    {"app: shop\nscript: {}", "field script not found"},
		"its line":         {"app: shop\nscripts:\n  a: { sorce: a.ts }", "line 3"},
		"no source":        {"app: shop\nscripts: { a: {} }", "scripts.a.source: the file is missing"},
		"nothing at all":   {"app: shop\nscripts:\n  a:", "scripts.a.source"},
		"unknown language": {"app: shop\nscripts: { a: { source: a.py } }", "scripts.a.language"},
		"no YAML":          {"app: [", "picloud.yaml"},
	} {
		_, err := apply.Read(folder(t, map[string]string{apply.ManifestName: c.manifest}))
		assert.ErrorContains(t, err, c.says, name)
	}
	_, err := apply.Read(t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// The refusal of a source is read like a compiler's: what, why, and where.
func TestRefusalsAreReadable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(`{"id":"1","slug":"shop","name":"shop","created_at":"2026-01-01T00:00:00Z"}`))
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"type":"about:blank","title":"Unprocessable Entity","status":422,"code":"compile_error","detail":"the source does not compile",
			"errors":[{"field":"source","message":"Unexpected \")\"","line":3,"column":7}]}`))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "key")
	require.NoError(t, err)
	m, err := apply.Read(folder(t, map[string]string{apply.ManifestName: "app: shop\nscripts: { a: { source: a.ts } }", "a.ts": "x"}))
	require.NoError(t, err)
	var steps []string
	err = apply.Apply(t.Context(), c, m, func(step string) { steps = append(steps, step) })
	require.EqualError(t, err, "put script a (a.ts): Unprocessable Entity: the source does not compile\n  source line 3, column 7: Unexpected \")\"")
	assert.Empty(t, steps)

	missing, err := apply.Read(folder(t, map[string]string{apply.ManifestName: "app: shop\nscripts: { a: { source: gone.ts } }"}))
	require.NoError(t, err)
	assert.ErrorContains(t, apply.Apply(t.Context(), c, missing, func(string) {}), "gone.ts")
}

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	c, err := client.New("http://127.0.0.1:1", "key")
	require.NoError(t, err)
	err = apply.Apply(t.Context(), c, apply.Manifest{App: "shop"}, func(string) {})
	assert.ErrorContains(t, err, "get app")
}
