package pgserver

import (
	"archive/zip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
)

// repository serves every version of PostgreSQL: three scripts, packed as the real ones are (tar, xz, in a jar).
func repository(t *testing.T) *httptest.Server {
	t.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("xz is not installed")
	}
	work := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(work, "bin"), 0o755))
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
		script := "#!/bin/sh\necho \"" + name + " (PostgreSQL) 17.5\"\n"
		require.NoError(t, os.WriteFile(filepath.Join(work, "bin", name), []byte(script), 0o755))
	}
	out, err := exec.Command("tar", "-C", work, "-cJf", filepath.Join(work, "server.txz"), "bin").CombinedOutput()
	require.NoError(t, err, string(out))
	archive, err := os.ReadFile(filepath.Join(work, "server.txz"))
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		jar := zip.NewWriter(w)
		entry, err := jar.Create("server.txz")
		if err == nil {
			_, err = entry.Write(archive)
		}
		if err == nil {
			_ = jar.Close()
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func TestMissingServerIsFetched(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // the library leaves its log there
	dir := t.TempDir()
	target := filepath.Join(dir, "server")
	require.NoError(t, fetch(dir, target, "", Options{FetchURL: repository(t).URL, Log: quiet()}))
	major, ok := majorOf(t.Context(), filepath.Join(target, "bin"))
	require.True(t, ok)
	require.Equal(t, 17, major)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else is left in the folder")
}

func TestFetchFailureIsToldAndLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // the library leaves its log there
	dir := t.TempDir()
	nothing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nothing.Close)
	require.ErrorContains(t, fetch(dir, filepath.Join(dir, "server"), "", Options{FetchURL: nothing.URL, Log: quiet()}), "no version found")
	require.ErrorContains(t, fetch(dir, filepath.Join(dir, "server"), "9", Options{FetchURL: nothing.URL, Log: quiet()}), "can not be fetched")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestClusterKeepsItsMajorVersion(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // the library leaves its log there
	nothing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nothing.Close)
	_, err := findBinaries(t.Context(), t.TempDir(), "14", Options{FetchURL: nothing.URL, Log: quiet()})
	if err == nil {
		t.Skip("PostgreSQL 14 is installed")
	}
	require.ErrorContains(t, err, "find PostgreSQL 14")
}
