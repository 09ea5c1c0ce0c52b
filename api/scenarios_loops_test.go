package api

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

// paused is a world whose app is paused.
func paused(w *world) {
	app, at, who := w.app["shop"], day, "ada"
	app.PausedAt, app.PausedBy = &at, &who
	w.app["shop"] = app
}

func loopScenarios() []scenario {
	return slices.Concat(pauseScenarios(), guardScenarios(), chainScenarios(), cancelScenarios())
}

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

// running is a world in which the execution that finished has fired another, which runs.
func running(w *world) {
	w.engine.running[testID(25)] = picloud.Execution{
		ID: testID(25), AppID: "app-shop", Status: picloud.StatusRunning, Script: "slow", Kind: picloud.KindQueue, EventID: testID(24), Depth: 2, RootID: testID(5), ParentID: idFinished, QueuedAt: day, StartedAt: day,
	}
}

func chainScenarios() []scenario {
	abandoned := shop + "/abandoned-executions/count"
	path := shop + "/executions/" + idFinished + "/chain"
	return []scenario{
		{
			name: "tree", operation: "getExecutionChain", path: path, before: running, status: 200,
			says: []string{`"truncated":false`, `"root_id":"` + testID(5) + `"`, `"what":"kv orders/42"`, `"children":[{`, `"what":"queue totals"`, `"status":"queued"`},
			after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				var got ExecutionChain
				require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &got))
				require.Len(t, got.Items, 3, "all but the child")
				for _, x := range got.Items {
					if x.ID == idFinished {
						require.Len(t, x.Children, 1)
						require.Equal(t, testID(25), x.Children[0].ID)
						require.NotNil(t, x.Children[0].Duration)
					}
				}
			},
		},
		{name: "a part of it", operation: "getExecutionChain", path: path + "?limit=1", status: 200, says: []string{`"truncated":true`}},
		{name: "too much of it", operation: "getExecutionChain", path: path + "?limit=1001", status: 422, code: "invalid", field: "limit"},
		{name: "of none", operation: "getExecutionChain", path: shop + "/executions/" + idNoSuchThing + "/chain", status: 404, code: "execution_not_found"},
		{name: "abandoned", operation: "countAbandonedExecutions", path: abandoned, status: 200, says: []string{`{"count":1}`}},
		{name: "abandoned of no app", operation: "countAbandonedExecutions", path: "/v1/apps/none/abandoned-executions/count", status: 404, code: "app_not_found"},
		{name: "engine away", operation: "getExecutionChain", path: path, before: func(w *world) { w.engine.down = errDown }, status: 503, code: "engine_unavailable"},
	}
}

func cancelScenarios() []scenario {
	path := shop + "/executions/cancel"
	return []scenario{
		{
			name: "all", operation: "cancelExecutions", method: "POST", path: path, body: `{}`, before: running, status: 200, says: []string{`"queued":1`, `"running":1`, `"more":false`},
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, []string{testID(25)}, w.engine.cancels)
				require.Equal(t, picloud.StatusCanceled, w.executions[idQueued].Status)
			},
		},
		{name: "queued ones", operation: "cancelExecutions", method: "POST", path: path, body: `{"status":"queued"}`, before: running, status: 200, says: []string{`"queued":1`, `"running":0`}},
		{name: "of a script", operation: "cancelExecutions", method: "POST", path: path, body: `{"script":"slow"}`, before: running, status: 200, says: []string{`"queued":0`, `"running":1`}},
		{name: "finished ones", operation: "cancelExecutions", method: "POST", path: path, body: `{"status":"succeeded"}`, status: 422, code: "invalid", field: "status"},
		{name: "unknown kind", operation: "cancelExecutions", method: "POST", path: path, body: `{"kind":"x"}`, status: 422, code: "invalid", field: "kind"},
		{name: "no root", operation: "cancelExecutions", method: "POST", path: path, body: `{"root":"x"}`, status: 422, code: "invalid", field: "root"},
		{name: "no time", operation: "cancelExecutions", method: "POST", path: path, body: `{"since":"x"}`, status: 422, code: "invalid", field: "since"},
		{name: "unknown field", operation: "cancelExecutions", method: "POST", path: path, body: `{"ids":[]}`, status: 422, code: "invalid", field: "ids"},
		{name: "no app", operation: "cancelExecutions", method: "POST", path: "/v1/apps/none/executions/cancel", body: `{}`, status: 404, code: "app_not_found"},
	}
}
