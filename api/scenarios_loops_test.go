package api

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// paused is a world whose app is paused.
func paused(w *world) {
	app, at, who := w.app["shop"], day, "ada"
	app.PausedAt, app.PausedBy = &at, &who
	w.app["shop"] = app
}

func loopScenarios() []scenario { return slices.Concat(pauseScenarios(), guardScenarios()) }

func guardScenarios() []scenario {
	trigger := func(more string) string {
		return `{"name":"t","kind":"kv","script":"hello","config":{"collection":"x"}` + more + `}`
	}
	path := shop + "/triggers"
	return []scenario{
		{name: "no guards", operation: "createTrigger", method: "POST", path: path, body: trigger(""), status: 201, says: []string{`"max_depth":null`, `"cycle":"allow"`}},
		{name: "guards", operation: "createTrigger", method: "POST", path: path, body: trigger(`,"max_depth":3,"cycle":"deny"`), status: 201, says: []string{`"max_depth":3`, `"cycle":"deny"`}},
		{name: "deeper than the instance", operation: "createTrigger", method: "POST", path: path, body: trigger(`,"max_depth":17`), status: 422, code: "invalid", field: "max_depth", says: []string{"1 to 16"}},
		{name: "no depth at all", operation: "createTrigger", method: "POST", path: path, body: trigger(`,"max_depth":0`), status: 422, code: "invalid", field: "max_depth"},
		{name: "unknown cycle", operation: "createTrigger", method: "POST", path: path, body: trigger(`,"cycle":"maybe"`), status: 422, code: "invalid", field: "cycle"},
		{name: "guards change", operation: "patchTrigger", method: "PATCH", path: path + "/" + idKVTrigger, body: `{"max_depth":2,"cycle":"deny"}`, status: 200, says: []string{`"max_depth":2`, `"cycle":"deny"`}},
		{name: "guards stay", operation: "patchTrigger", method: "PATCH", path: path + "/" + idKVTrigger, body: `{"enabled":false}`, before: guarded, status: 200, says: []string{`"max_depth":5`, `"cycle":"deny"`}},
		{name: "guards go", operation: "patchTrigger", method: "PATCH", path: path + "/" + idKVTrigger, body: `{"max_depth":null,"cycle":"allow"}`, before: guarded, status: 200, says: []string{`"max_depth":null`, `"cycle":"allow"`}},
		{name: "depth no number", operation: "patchTrigger", method: "PATCH", path: path + "/" + idKVTrigger, body: `{"max_depth":"2"}`, status: 422, code: "invalid", field: "max_depth"},
	}
}

// guarded is a world whose kv trigger has guards.
func guarded(w *world) {
	t := &w.triggers[w.at(idKVTrigger)]
	t.MaxDepth, t.Cycle = 5, "deny"
}

func pauseScenarios() []scenario {
	waits := map[string]string{"Retry-After": "30"}
	return []scenario{
		{
			name: "pause", operation: "pauseApp", method: "POST", path: shop + "/pause", status: 200, says: []string{`"paused":true`, `"paused_by":"admin"`},
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.True(t, w.app["shop"].Paused())
			},
		},
		{name: "pause of no app", operation: "pauseApp", method: "POST", path: "/v1/apps/none/pause", status: 404, code: "app_not_found"},
		{name: "seen", operation: "getApp", path: shop, before: paused, status: 200, says: []string{`"paused":true`, `"paused_at":"`, `"paused_by":"ada"`}},
		{name: "resume", operation: "resumeApp", method: "POST", path: shop + "/resume", before: paused, status: 200, says: []string{`"paused":false`, `"paused_at":null`}},
		{name: "resume of no app", operation: "resumeApp", method: "POST", path: "/v1/apps/none/resume", status: 404, code: "app_not_found"},
		{name: "invoke while paused", operation: "invokeScript", method: "POST", path: shop + "/scripts/hello/invoke", body: `{}`, before: paused, status: 503, code: "app_paused", answers: waits},
		{name: "run while paused", method: "POST", path: "/run/shop/hello", before: paused, status: 503, code: "app_paused", answers: waits},
		{name: "run later while paused", method: "PUT", path: "/run/shop/hello/later/1", before: paused, status: 503, code: "app_paused", answers: waits},
	}
}
