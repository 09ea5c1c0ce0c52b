package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, admin, key, code string }{
		{"right", "pck_abc", "pck_abc", ""},
		{"wrong", "pck_abc", "pck_abd", "wrong_key"},
		{"prefix", "pck_abc", "pck_ab", "wrong_key"},
		{"none", "pck_abc", "", "unauthenticated"},
		{"no admin key lets nobody in", "", "", "unauthenticated"},
		{"no admin key, any key", "", "x", "wrong_key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := New(c.admin).Authenticate(c.key)
			if c.code == "" {
				require.NoError(t, err)
				require.Equal(t, "admin", p.Name)
				return
			}
			require.Equal(t, c.code, picloud.ErrorCode(err))
			require.Equal(t, picloud.Unauthenticated, picloud.AsError(err).Kind)
		})
	}
}

func TestKeysOfRequests(t *testing.T) {
	t.Parallel()
	request := func(header string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		return r
	}
	require.Equal(t, "k", BearerKey(request("Bearer k")))
	require.Equal(t, "k", BearerKey(request("bearer  k ")))
	require.Empty(t, BearerKey(request("Bearer")))
	require.Empty(t, BearerKey(request("Basic eDpr")))
	require.Equal(t, "k", BrowserKey(request("Basic eDpr")))
	require.Equal(t, "k", BrowserKey(request("Bearer k")))
	require.Empty(t, BrowserKey(request("Basic !")))
}

func TestPrincipalTravelsInTheContext(t *testing.T) {
	t.Parallel()
	require.Zero(t, PrincipalFrom(context.Background()))
	require.Equal(t, "a", PrincipalFrom(WithPrincipal(context.Background(), Principal{Name: "a"})).Name)
}

func TestLoadAdminKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")

	key, created, err := LoadAdminKey(dir, "from-env")
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, "from-env", key)
	require.NoDirExists(t, dir, "a key from the environment is not kept")

	key, created, err = LoadAdminKey(dir, "")
	require.NoError(t, err)
	require.True(t, created)
	require.True(t, strings.HasPrefix(key, KeyPrefix))
	require.Len(t, key, len(KeyPrefix)+43)
	info, err := os.Stat(filepath.Join(dir, keyFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	again, created, err := LoadAdminKey(dir, "")
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, key, again)

	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file stays")

	require.NoError(t, os.WriteFile(filepath.Join(dir, keyFile), []byte(" \n"), 0o600))
	_, _, err = LoadAdminKey(dir, "")
	require.ErrorContains(t, err, "is empty")
}

func TestProcessesThatStartAtOnceAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := make([]string, 16)
	errs := make([]error, len(keys))
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() { keys[i], _, errs[i] = LoadAdminKey(dir, "") })
	}
	all.Wait()
	for i := range keys {
		require.NoError(t, errs[i])
		require.Equal(t, keys[0], keys[i])
	}
}
