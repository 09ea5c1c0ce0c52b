package api

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// paused is a world whose app is paused.
func paused(w *world) {
	app, at, who := w.app["shop"], day, "ada"
	app.PausedAt, app.PausedBy = &at, &who
	w.app["shop"] = app
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
