package store_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

// A firing runs with the rights that its principal has at the time of the run.
func TestExecutionsRunWithTheRightsOfTheirPrincipal(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	ctx := t.Context()
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	v := testkit.Script(t, s, app, "fulfil")
	principal(t, s, "ann")
	_, err := s.PutMember(ctx, other, "ann", picloud.RoleAppAdmin)
	require.NoError(t, err)
	trigger, err := s.CreateTrigger(ctx, picloud.Trigger{
		AppID: app.ID, Name: "hers", Kind: picloud.KindKV, Script: "fulfil", KV: &picloud.KVConfig{Collection: "orders"}, Enabled: true, RegisteredByPrincipal: "ann",
	})
	require.NoError(t, err)
	_, _, err = s.KVPut(ctx, app, "orders", "1", json.RawMessage(`1`), picloud.Precondition{}, nobody)
	require.NoError(t, err)
	firings, err := s.ClaimDue(ctx, 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, firings, 1)
	f := firings[0]
	require.Equal(t, "ann", f.Principal)
	require.Equal(t, v.ScriptID, f.ScriptID)

	denied := func(because string) {
		t.Helper()
		_, err := s.OpenExecution(ctx, f)
		var e *picloud.ScriptError
		require.ErrorAs(t, err, &e, because)
		assert.Equal(t, picloud.ReasonPermissionDenied, e.Reason, because)
		assert.True(t, e.NonRetryable)
		assert.Contains(t, e.Message, `principal "ann" may not ScriptInvoke in the app "shop"`, because)
	}
	denied("a member of another app only")
	_, err = s.PutMember(ctx, app, "ann", picloud.RoleViewer)
	require.NoError(t, err)
	denied("a viewer invokes nothing")
	_, err = s.PutMember(ctx, app, "ann", picloud.RoleDeveloper)
	require.NoError(t, err)
	opened, err := s.OpenExecution(ctx, f)
	require.NoError(t, err)
	assert.Equal(t, picloud.RoleDeveloper.Scopes(), opened.Grant.Scopes)

	audited, _ := picloud.WithAudit(ctx, picloud.AuditEntry{Principal: "admin", Action: "deletePrincipal", Outcome: picloud.AuditDone})
	_, err = s.DeletePrincipal(audited, "ann")
	require.NoError(t, err)
	denied("she is gone")
	entries, err := s.ListAudit(ctx, picloud.AuditFilter{Action: "deletePrincipal"}, picloud.Page{})
	require.NoError(t, err)
	require.Len(t, entries.Items, 2, "she, and the trigger that ended with her")
	ofTrigger := entries.Items[slices.IndexFunc(entries.Items, func(e picloud.AuditEntry) bool { return e.TargetKind == "trigger" })]
	assert.Equal(t, "admin", ofTrigger.Principal)
	assert.Equal(t, "shop", ofTrigger.App)
	assert.Contains(t, string(ofTrigger.Before), `"enabled":true`)
	assert.Contains(t, string(ofTrigger.After), `principal \"ann\" is deleted`)
	require.NoError(t, func() error { _, err := s.Trigger(ctx, app.ID, trigger.ID); return err }())

	// The letter of the firing is replayed as whoever has registered the trigger since.
	_, err = s.OpenExecution(ctx, f)
	var e *picloud.ScriptError
	require.ErrorAs(t, err, &e)
	letter, err := s.BuryExecution(ctx, f, *e, 0, time.Now())
	require.NoError(t, err)
	trigger.Enabled, trigger.RegisteredByPrincipal = true, testkit.Tester
	_, err = s.UpdateTrigger(ctx, trigger)
	require.NoError(t, err)
	id, err := s.ReplayDeadLetter(ctx, app.ID, letter, picloud.Replay{Principal: testkit.Tester})
	require.NoError(t, err)
	x, err := s.Execution(ctx, app.ID, id)
	require.NoError(t, err)
	assert.Equal(t, testkit.Tester, x.Principal)
}
