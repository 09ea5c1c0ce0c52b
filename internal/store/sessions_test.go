package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	ctx := t.Context()
	app := testkit.App(t, s, "shop")
	ann := principal(t, s, "ann")
	_, err := s.PutMember(ctx, app, "ann", picloud.RoleViewer)
	require.NoError(t, err)
	found := func(digest string) []picloud.Credential {
		list, err := s.SessionCredentials(ctx, []byte(digest))
		require.NoError(t, err)
		return list
	}
	begin := func(digest string, lasts time.Duration) {
		require.NoError(t, s.CreateSession(ctx, ann.ID, "", []byte(digest), time.Now().Add(lasts)))
	}
	begin("over", -time.Minute)
	begin("first", time.Hour)
	begin("second", time.Hour)
	assert.Empty(t, found("over"))
	require.Len(t, found("first"), 1)
	assert.Equal(t, "ann", found("first")[0].Principal.Name)
	assert.Equal(t, []picloud.Membership{{App: "shop", Role: picloud.RoleViewer}}, found("first")[0].Memberships)
	require.NoError(t, s.DeleteSession(ctx, []byte("first")))
	assert.Empty(t, found("first"))

	hash := "a hash"
	_, _, err = s.UpdatePrincipal(ctx, "ann", picloud.PrincipalPatch{PasswordHash: &hash})
	require.NoError(t, err)
	assert.Empty(t, found("second"), "a new password ends the sessions")
	p, stored, err := s.PasswordHash(ctx, "ann")
	require.NoError(t, err)
	assert.Equal(t, hash, stored)
	assert.True(t, p.HasPassword)

	key, err := s.CreateAPIKey(ctx, picloud.NewAPIKey{Principal: "ann", Prefix: "pck_session", Digest: []byte("of a key"), App: "shop", Scopes: picloud.Scopes{picloud.ScopeDataRead}})
	require.NoError(t, err)
	require.NoError(t, s.CreateSession(ctx, ann.ID, key.ID, []byte("by a key"), time.Now().Add(time.Hour)))
	require.Len(t, found("by a key"), 1)
	require.NotNil(t, found("by a key")[0].Key)
	assert.Equal(t, key.Scopes, found("by a key")[0].Key.Scopes)
	assert.Equal(t, "shop", found("by a key")[0].Key.App)
	require.NoError(t, s.DeleteAPIKey(ctx, key.ID))
	assert.Empty(t, found("by a key"), "it ends with the key")

	begin("third", time.Hour)
	_, err = s.DeletePrincipal(ctx, "ann")
	require.NoError(t, err)
	assert.Empty(t, found("third"))
}
