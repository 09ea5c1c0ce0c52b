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
	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/picloud"
)

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

func TestTheCallerTravelsInTheContext(t *testing.T) {
	t.Parallel()
	_, known := CallerFrom(context.Background())
	require.False(t, known)
	ctx := WithCaller(context.Background(), Caller{Principal: picloud.Principal{Name: "a"}})
	require.Equal(t, "a", PrincipalFrom(ctx).Name)
}

// Whatever a key says, it allows nothing that its principal may not do, and nothing outside of its app.
func TestAKeyNeverExceedsItsPrincipal(t *testing.T) {
	t.Parallel()
	apps := []string{"", "shop", "other"}
	rapid.Check(t, func(t *rapid.T) {
		p := picloud.Principal{Name: "p", InstanceAdmin: rapid.Bool().Draw(t, "admin"), Disabled: rapid.Bool().Draw(t, "disabled")}
		roles := map[string]picloud.Role{}
		if role := rapid.SampledFrom(append([]picloud.Role{""}, picloud.Roles...)).Draw(t, "role"); role != "" {
			roles["shop"] = role
		}
		key := &picloud.APIKey{App: rapid.SampledFrom(apps).Draw(t, "key's app"), Scopes: rapid.SliceOf(rapid.SampledFrom([]picloud.Scope(picloud.AllScopes))).Draw(t, "scopes")}
		person, program := Caller{Principal: p, roles: roles}, Caller{Principal: p, Key: key, roles: roles}
		for _, app := range apps {
			for _, rule := range picloud.Capabilities {
				if rule.Capability == picloud.SignedIn {
					continue
				}
				allowed := program.Scopes(app).Allows(rule.Capability)
				if allowed && (!person.Scopes(app).Allows(rule.Capability) || !key.Scopes.Allows(rule.Capability) || (key.App != "" && key.App != app) || p.Disabled) {
					t.Fatalf("%+v with %+v may %s in %q", p, key, rule.Capability, app)
				}
			}
			if app != "" && program.Sees(app) && !p.InstanceAdmin && roles[app] == "" {
				t.Fatalf("%+v with %+v sees %q", p, key, app)
			}
		}
	})
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
	info, err := os.Stat(filepath.Join(dir, adminKeyFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	again, created, err := LoadAdminKey(dir, "")
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, key, again)

	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file stays")

	require.NoError(t, os.WriteFile(filepath.Join(dir, adminKeyFile), []byte(" \n"), 0o600))
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
