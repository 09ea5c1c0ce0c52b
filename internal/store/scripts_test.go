package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

func TestVersionsAreImmutableAndNumbered(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	_, err := s.CreateApp(t.Context(), "shop", "again", "")
	assert.Equal(t, "app_exists", picloud.ErrorCode(err))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, _, created, err := s.PutScript(t.Context(), app.ID, picloud.ScriptVersion{
				Script: "fulfil", Language: picloud.TypeScript, SHA256: fmt.Sprint(i), Program: picloud.Program{Code: []byte("x")},
			}, i == 7)
			assert.NoError(t, err)
			assert.True(t, created)
		})
	}
	wg.Wait()
	versions, err := s.ListVersions(t.Context(), app.ID, "fulfil", picloud.Page{Limit: 5})
	require.NoError(t, err)
	require.Len(t, versions.Items, 5)
	assert.Equal(t, 8, versions.Items[0].Version, "numbered without gaps, newest first")
	rest, err := s.ListVersions(t.Context(), app.ID, "fulfil", picloud.Page{Limit: 5, Cursor: versions.Next})
	require.NoError(t, err)
	assert.Len(t, rest.Items, 3)

	head, v, created, err := s.PutScript(t.Context(), app.ID, picloud.ScriptVersion{Script: "fulfil", SHA256: "3"}, true)
	require.NoError(t, err)
	assert.False(t, created, "the same source is the same version")
	assert.Equal(t, v.Version, head.ActiveVersion)
	_, err = s.Activate(t.Context(), app.ID, "fulfil", 99)
	assert.Equal(t, "version_not_found", picloud.ErrorCode(err))
	_, err = s.Activate(t.Context(), app.ID, "nothing", 1)
	assert.Equal(t, "script_not_found", picloud.ErrorCode(err))
	head, err = s.Activate(t.Context(), app.ID, "fulfil", 2)
	require.NoError(t, err)
	endpoint, err := s.Endpoint(t.Context(), "shop", "fulfil")
	require.NoError(t, err)
	assert.Equal(t, head.ActiveVersion, endpoint.Version)
}

func TestTriggersKeepTheirDetails(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	testkit.Script(t, s, app, "other")
	trigger, err := s.CreateTrigger(t.Context(), picloud.Trigger{
		AppID: app.ID, Name: "in", Kind: picloud.KindHTTP, Script: "fulfil", Enabled: true, RegisteredByPrincipal: "admin",
		HTTP: &picloud.HTTPConfig{Methods: []string{"POST"}, Path: "/in", Mode: picloud.HTTPAsync, Auth: "key"},
	})
	require.NoError(t, err)
	endpoint, err := s.Endpoint(t.Context(), "shop", "fulfil")
	require.NoError(t, err)
	assert.Equal(t, []picloud.Trigger{trigger}, endpoint.Triggers)

	trigger.Enabled, trigger.Script, trigger.HTTP.Path = false, "other", "/out"
	trigger.Retry = &picloud.DefaultRetryPolicy
	changed, err := s.UpdateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	trigger.UpdatedAt = changed.UpdatedAt
	assert.Equal(t, trigger, changed)

	for name, c := range map[string]struct {
		change func(*picloud.Trigger)
		code   string
	}{
		"unknown script": {func(t *picloud.Trigger) { t.Name, t.Script = "new", "nothing" }, "invalid"},
		"taken name":     {func(*picloud.Trigger) {}, "trigger_exists"},
	} {
		bad := trigger
		c.change(&bad)
		_, err := s.CreateTrigger(t.Context(), bad)
		assert.Equal(t, c.code, picloud.ErrorCode(err), name)
	}
	list, err := s.ListTriggers(t.Context(), app.ID, picloud.TriggerFilter{Kind: picloud.KindHTTP, Script: "other"}, picloud.Page{})
	require.NoError(t, err)
	assert.Len(t, list.Items, 1, "what was refused is not there")
	assert.Equal(t, "script_in_use", picloud.ErrorCode(s.DeleteScript(t.Context(), app.ID, "other")))
	require.NoError(t, s.DeleteTrigger(t.Context(), app.ID, trigger.ID))
	assert.Equal(t, "trigger_not_found", picloud.ErrorCode(s.DeleteTrigger(t.Context(), app.ID, trigger.ID)))
	assert.Equal(t, "trigger_not_found", picloud.ErrorCode(s.DeleteTrigger(t.Context(), app.ID, "no id")))
	require.NoError(t, s.DeleteScript(t.Context(), app.ID, "other"))
	require.NoError(t, s.DeleteApp(t.Context(), "shop"))
}
