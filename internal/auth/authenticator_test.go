package auth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// newKey stores a key of a principal.
func newKey(t *testing.T, s *store.Store, principal, app string, expires time.Time, scopes ...picloud.Scope) (string, picloud.APIKey) {
	t.Helper()
	key, prefix, digest := auth.NewKey()
	stored, err := s.CreateAPIKey(t.Context(), picloud.NewAPIKey{Principal: principal, Prefix: prefix, Digest: digest, App: app, Scopes: scopes, ExpiresAt: expires})
	require.NoError(t, err)
	return key, stored
}

func TestKeysAndWhatTheyAllow(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	ctx := t.Context()
	app := testkit.App(t, s, "shop")
	_, err := s.CreatePrincipal(ctx, picloud.Principal{Kind: picloud.Person, Name: "ann"}, "")
	require.NoError(t, err)
	_, err = s.PutMember(ctx, app, "ann", picloud.RoleDeveloper)
	require.NoError(t, err)
	require.NoError(t, s.PutBootstrapKey(ctx, auth.Digest("any form will do")))
	a := auth.New(s)

	_, err = a.Key(ctx, "")
	require.Equal(t, "unauthenticated", picloud.ErrorCode(err))
	key, stored := newKey(t, s, "ann", "", time.Time{}, picloud.ScopeDataRead, picloud.ScopeAppAdmin)
	for _, wrong := range []string{"x", key[:len(key)-1], key + "x", key[:len(key)-1] + "!", "any form will d", auth.KeyPart(key)} {
		_, err = a.Key(ctx, wrong)
		require.Equal(t, "wrong_key", picloud.ErrorCode(err), wrong)
	}

	caller, err := a.Key(ctx, key)
	require.NoError(t, err)
	require.Equal(t, "ann", caller.Principal.Name)
	require.Equal(t, picloud.Scopes{picloud.ScopeDataRead}, caller.Scopes("shop"), "the key's app:admin is more than she has")
	require.NoError(t, caller.Authorize(picloud.DataRead, "shop"))
	require.ErrorContains(t, caller.Authorize(picloud.DataWrite, "shop"), "capability DataWrite (scope data:write)")
	require.Equal(t, "app_not_found", picloud.ErrorCode(caller.Authorize(picloud.DataRead, "other")))
	used, err := s.APIKey(ctx, stored.ID)
	require.NoError(t, err)
	require.False(t, used.LastUsedAt.IsZero())

	admin, err := a.Key(ctx, "any form will do")
	require.NoError(t, err)
	require.NoError(t, admin.Authorize(picloud.InstanceAdmin, ""))
	require.NoError(t, admin.Authorize(picloud.DataWrite, "shop"))
	require.Nil(t, admin.Apps(), "all")

	expired, _ := newKey(t, s, "ann", "", time.Now().Add(-time.Hour), picloud.ScopeDataRead)
	_, err = a.Key(ctx, expired)
	require.Equal(t, "expired_key", picloud.ErrorCode(err))

	bound, _ := newKey(t, s, picloud.AdminPrincipal, "shop", time.Time{}, picloud.ScopeDataRead)
	caller, err = a.Key(ctx, bound)
	require.NoError(t, err)
	require.Equal(t, []string{"shop"}, caller.Apps())
	require.False(t, caller.Sees("other"))
	require.Equal(t, "forbidden", picloud.ErrorCode(caller.Authorize(picloud.InstanceAdmin, "")))
}

// A change holds at once where Forget is called, and elsewhere when the cache is over.
func TestChangesOfRights(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	ctx := t.Context()
	app := testkit.App(t, s, "shop")
	_, err := s.CreatePrincipal(ctx, picloud.Principal{Kind: picloud.Person, Name: "ann"}, "")
	require.NoError(t, err)
	_, err = s.PutMember(ctx, app, "ann", picloud.RoleViewer)
	require.NoError(t, err)
	here, there := auth.New(s), auth.New(s)
	now := time.Now()
	auth.SetClock(there, func() time.Time { return now })
	key, stored := newKey(t, s, "ann", "", time.Time{}, picloud.ScopeDataRead)
	sees := func(a *auth.Authenticator) bool {
		caller, err := a.Key(ctx, key)
		require.NoError(t, err)
		return caller.Sees("shop")
	}
	require.True(t, sees(here))
	require.True(t, sees(there))
	require.NoError(t, s.DeleteMember(ctx, app, "ann"))
	here.Forget()
	require.False(t, sees(here))
	require.True(t, sees(there), "as long as it is in memory")
	now = now.Add(auth.CacheTTL)
	require.False(t, sees(there))

	yes := true
	_, _, err = s.UpdatePrincipal(ctx, "ann", picloud.PrincipalPatch{Disabled: &yes})
	require.NoError(t, err)
	here.Forget()
	_, err = here.Key(ctx, key)
	require.Equal(t, "principal_disabled", picloud.ErrorCode(err))
	require.NoError(t, s.DeleteAPIKey(ctx, stored.ID))
	here.Forget()
	_, err = here.Key(ctx, key)
	require.Equal(t, "wrong_key", picloud.ErrorCode(err))
}
