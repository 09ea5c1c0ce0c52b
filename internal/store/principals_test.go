package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

func principal(t *testing.T, s *store.Store, name string) picloud.Principal {
	t.Helper()
	p, err := s.CreatePrincipal(t.Context(), picloud.Principal{Kind: picloud.Person, Name: name, Email: name + "@example.com"}, "")
	require.NoError(t, err)
	return p
}

func TestPrincipalsAndTheirRoles(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	ctx := t.Context()
	app := testkit.App(t, s, "shop")
	ann := principal(t, s, "ann")

	_, err := s.CreatePrincipal(ctx, picloud.Principal{Kind: picloud.Person, Name: "ann"}, "")
	require.Equal(t, "principal_exists", picloud.ErrorCode(err))
	_, err = s.CreatePrincipal(ctx, picloud.Principal{Kind: picloud.Person, Name: "bob", Email: ann.Email}, "")
	require.Equal(t, "email_taken", picloud.ErrorCode(err))
	for _, id := range []string{ann.ID, "ann"} {
		got, err := s.Principal(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, ann, got)
	}

	m, err := s.PutMember(ctx, app, "ann", picloud.RoleViewer)
	require.NoError(t, err)
	m2, err := s.PutMember(ctx, app, ann.ID, picloud.RoleDeveloper)
	require.NoError(t, err)
	assert.Equal(t, m.CreatedAt, m2.CreatedAt, "a change of the role is no new membership")
	roles, err := s.Memberships(ctx, ann.ID)
	require.NoError(t, err)
	assert.Equal(t, []picloud.Membership{{App: "shop", Role: picloud.RoleDeveloper}}, roles)
	list, err := s.ListMembers(ctx, app, picloud.Page{})
	require.NoError(t, err)
	assert.Equal(t, []picloud.Member{m2}, list.Items[:1])
	assert.Equal(t, testkit.Tester, list.Items[1].Principal, "who makes an app is its admin")
	require.NoError(t, s.DeleteMember(ctx, app, "ann"))
	assert.Equal(t, "member_not_found", picloud.ErrorCode(s.DeleteMember(ctx, app, "ann")))
	_, err = s.PutMember(ctx, app, "nobody", picloud.RoleViewer)
	assert.Equal(t, "principal_not_found", picloud.ErrorCode(err))

	stopped, err := s.DeletePrincipal(ctx, ann.ID)
	require.NoError(t, err)
	assert.Empty(t, stopped)
	_, err = s.Principal(ctx, "ann")
	assert.Equal(t, "principal_not_found", picloud.ErrorCode(err))
	_, err = s.CreatePrincipal(ctx, picloud.Principal{Kind: picloud.Person, Name: "ann"}, "")
	assert.Equal(t, "principal_exists", picloud.ErrorCode(err), "a name is never given twice")
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	no, yes := false, true
	_, err := s.DeletePrincipal(t.Context(), picloud.AdminPrincipal)
	require.NoError(t, err, "there is another")
	_, err = s.DeletePrincipal(t.Context(), testkit.Tester)
	assert.Equal(t, "last_admin", picloud.ErrorCode(err))
	for _, patch := range []picloud.PrincipalPatch{{InstanceAdmin: &no}, {Disabled: &yes}} {
		_, _, err = s.UpdatePrincipal(t.Context(), testkit.Tester, patch)
		assert.Equal(t, "last_admin", picloud.ErrorCode(err))
	}
	p, err := s.Principal(t.Context(), testkit.Tester)
	require.NoError(t, err)
	assert.True(t, p.InstanceAdmin && !p.Disabled, "a refused change changes nothing")
}

func TestTriggersStopWithTheirPrincipal(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	ctx := t.Context()
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	principal(t, s, "ann")
	cron := picloud.CronConfig{Schedule: "@daily", Overlap: picloud.OverlapSkip, CatchupWindow: time.Hour}
	mine := testkit.Trigger(t, s, app, picloud.Trigger{Name: "mine", Kind: picloud.KindCron, Script: "fulfil", Cron: &cron})
	hers, err := s.CreateTrigger(ctx, picloud.Trigger{AppID: app.ID, Name: "hers", Kind: picloud.KindCron, Script: "fulfil", Cron: &cron, Enabled: true, RegisteredByPrincipal: "ann"})
	require.NoError(t, err)

	yes := true
	_, stopped, err := s.UpdatePrincipal(ctx, "ann", picloud.PrincipalPatch{Disabled: &yes})
	require.NoError(t, err)
	assert.Equal(t, []string{hers.ID}, stopped)
	hers, err = s.Trigger(ctx, app.ID, hers.ID)
	require.NoError(t, err)
	assert.False(t, hers.Enabled)
	assert.Contains(t, hers.DisabledReason, `principal "ann" is disabled`)
	mine, err = s.Trigger(ctx, app.ID, mine.ID)
	require.NoError(t, err)
	assert.True(t, mine.Enabled)

	hers.Enabled, hers.DisabledReason, hers.RegisteredByPrincipal = true, "", testkit.Tester
	hers, err = s.UpdateTrigger(ctx, hers)
	require.NoError(t, err)
	assert.Equal(t, testkit.Tester, hers.RegisteredByPrincipal)
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	ctx := t.Context()
	testkit.App(t, s, "shop")
	ann := principal(t, s, "ann")
	digest := sha256.Sum256([]byte("pck_x"))
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	key, err := s.CreateAPIKey(ctx, picloud.NewAPIKey{
		Principal: "ann", Prefix: "pck_x", Digest: digest[:], App: "shop", Scopes: picloud.Scopes{picloud.ScopeDataRead}, ExpiresAt: expires,
	})
	require.NoError(t, err)
	_, err = s.CreateAPIKey(ctx, picloud.NewAPIKey{Principal: "ann", Prefix: "pck_y", Digest: digest[:], App: "none", Scopes: picloud.Scopes{picloud.ScopeDataRead}})
	require.Equal(t, "invalid", picloud.ErrorCode(err))

	found, err := s.KeyCredentials(ctx, "pck_x")
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, digest[:], found[0].Digest)
	assert.Equal(t, "ann", found[0].Principal.Name)
	assert.Equal(t, key, *found[0].Key)
	assert.Equal(t, expires, found[0].ExpiresAt)

	require.NoError(t, s.TouchAPIKey(ctx, key.ID))
	used, err := s.APIKey(ctx, key.ID)
	require.NoError(t, err)
	require.False(t, used.LastUsedAt.IsZero())
	require.NoError(t, s.TouchAPIKey(ctx, key.ID))
	again, err := s.APIKey(ctx, key.ID)
	require.NoError(t, err)
	assert.Equal(t, used, again, "at most once a minute")

	for _, of := range []string{"", "ann", ann.ID} {
		list, err := s.ListAPIKeys(ctx, of, picloud.Page{})
		require.NoError(t, err)
		assert.Equal(t, []picloud.APIKey{used}, list.Items)
	}
	require.NoError(t, s.DeleteAPIKey(ctx, key.ID))
	assert.Equal(t, "api_key_not_found", picloud.ErrorCode(s.DeleteAPIKey(ctx, key.ID)))
}

func TestTheBootstrapKeyIsOne(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	first, second := sha256.Sum256([]byte("first")), sha256.Sum256([]byte("second"))
	id := ""
	for _, digest := range [][]byte{first[:], first[:], second[:]} {
		require.NoError(t, s.PutBootstrapKey(t.Context(), digest))
		found, err := s.KeyCredentials(t.Context(), "pck_none")
		require.NoError(t, err)
		require.Len(t, found, 1)
		assert.Equal(t, digest, found[0].Digest)
		assert.Equal(t, picloud.AdminPrincipal, found[0].Principal.Name)
		assert.True(t, found[0].Principal.InstanceAdmin)
		if bytes.Equal(digest, second[:]) {
			assert.NotEqual(t, id, found[0].Key.ID, "a changed key is another key")
		}
		id = found[0].Key.ID
	}
	assert.Equal(t, "bootstrap_key", picloud.ErrorCode(s.DeleteAPIKey(t.Context(), id)))
	list, err := s.ListAudit(t.Context(), picloud.AuditFilter{Action: "putBootstrapKey"}, picloud.Page{})
	require.NoError(t, err)
	assert.Len(t, list.Items, 2, "the same key again is no change")
}

func TestTheAuditLogIsAppendOnly(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := testkit.StoreAt(t, url)
	ctx, draft := picloud.WithAudit(t.Context(), picloud.AuditEntry{Principal: "admin", Action: "createApp", App: "shop", Outcome: picloud.AuditDone, IP: "127.0.0.1", RequestID: "r1"})
	_, err := s.CreateApp(ctx, "shop", "The shop", "")
	require.NoError(t, err)
	_, pending := draft.Pending()
	assert.False(t, pending, "it is written with the change")
	ctx, draft = picloud.WithAudit(t.Context(), picloud.AuditEntry{Principal: "admin", Action: "createApp", App: "shop", Outcome: picloud.AuditDone})
	_, err = s.CreateApp(ctx, "shop", "again", "")
	require.Error(t, err)
	_, pending = draft.Pending()
	assert.True(t, pending)

	list, err := s.ListAudit(t.Context(), picloud.AuditFilter{App: "shop", Principal: "admin", Action: "createApp", Outcome: picloud.AuditDone}, picloud.Page{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1, "what failed left nothing")
	e := list.Items[0]
	assert.Equal(t, "app", e.TargetKind)
	assert.Equal(t, "shop", e.TargetID)
	assert.Equal(t, "r1", e.RequestID)
	assert.Nil(t, e.Before)
	var after map[string]any
	require.NoError(t, json.Unmarshal(e.After, &after))
	assert.Equal(t, "The shop", after["name"])
	for _, f := range []picloud.AuditFilter{{App: "other"}, {Outcome: picloud.AuditDenied}, {Since: time.Now().Add(time.Hour)}, {Until: e.At}} {
		none, err := s.ListAudit(t.Context(), f, picloud.Page{})
		require.NoError(t, err)
		assert.Empty(t, none.Items)
	}

	for url, why := range map[string]string{url: "append-only", testkit.Serving(t, url): "permission denied"} {
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		for _, sql := range []string{"UPDATE audit_log SET principal = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"} {
			_, err := conn.Exec(t.Context(), sql)
			require.ErrorContains(t, err, why, sql)
		}
		require.NoError(t, conn.Close(t.Context()))
	}
}
