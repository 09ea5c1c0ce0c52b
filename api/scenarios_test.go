package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

const (
	shop     = "/v1/apps/shop"
	okSource = `{"source":"export default () => 2","language":"ts"}`
	big      = 1<<20 + 1
)

func long(n int) string { return strings.Repeat("x", n) }

func scenarios() []scenario {
	return slices.Concat(openScenarios(), appScenarios(), scriptScenarios(), triggerScenarios(), kvScenarios(), kindScenarios(), flowScenarios(), sampleScenarios(), backfillScenarios(), messageScenarios(), executionScenarios(), letterScenarios(), bulkScenarios(), loopScenarios(), secretScenarios(), httpConfigScenarios(),
		identityScenarios())
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	operations := operationsOf(spec(t))
	for _, s := range slices.Concat(scenarios(), sessionScenarios(t), ingressScenarios()) {
		t.Run(s.operation+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, operations)
		})
	}
}

// Every operation has a scenario in which it succeeds, and, unless it is open, one without a key.
func TestEveryOperationHasAScenario(t *testing.T) {
	t.Parallel()
	good, all := map[string]bool{}, append(scenarios(), sessionScenarios(t)...)
	for _, s := range all {
		good[s.operation] = good[s.operation] || s.status < 400
	}
	for id, route := range operationsOf(spec(t)) {
		require.True(t, good[id], "openapi.yaml's operation %s has no scenario in which it succeeds", id)
		require.NotEmpty(t, route.Operation.Summary, id)
		require.NotEmpty(t, route.Operation.Description, id)
		require.NotNil(t, route.Operation.Security, id)
		path := strings.NewReplacer("{app}", "shop", "{script}", "hello", "{version}", "1", "{trigger}", idKVTrigger, "{collection}", "orders",
			"{key}", "z", "{execution}", idFinished, "{topic}", "orders", "{queue}", "mail", "{dead_letter}", idUnresolved, "{principal}", "admin", "{api_key}", idNoSuchThing).Replace(route.Path)
		if len(*route.Operation.Security) == 0 {
			continue
		}
		for _, key := range []string{"", "Bearer wrong", "Basic " + testKey, "Basic OnBja190ZXN0"} {
			w := newWorld(t)
			rec := w.do(t.Context(), route.Method, path, "{}", map[string]string{"Authorization": key})
			require.Equal(t, http.StatusUnauthorized, rec.Code, "%s %s with %q", route.Method, path, key)
			require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
			require.Equal(t, `Bearer realm="PiCloud"`, rec.Header().Get("WWW-Authenticate"))
			require.Zero(t, w.writes)
		}
	}
}

func openScenarios() []scenario {
	noKey := map[string]string{"Authorization": ""}
	basic := map[string]string{"Authorization": "Basic YWRtaW46cGNrX3Rlc3Q="}
	return []scenario{
		{name: "alive", operation: "getHealth", path: "/healthz", headers: noKey, status: 200, says: []string{`"ok"`}},
		{name: "ready", operation: "getReadiness", path: "/readyz", headers: noKey, status: 200},
		{
			name: "not ready", operation: "getReadiness", path: "/readyz", headers: noKey, status: 503, code: "not_ready",
			options: func(o *Options) { o.Ready = func(context.Context) error { return errDown } },
			after: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.NotContains(t, rec.Body.String(), "10.0.0.1")
				require.Contains(t, w.log.String(), "10.0.0.1")
			},
		},
		{name: "health in disguise", path: "/%68ealthz", headers: noKey, status: 401, code: "unauthenticated"},
		{name: "unknown route without key", path: "/v2", headers: noKey, status: 401, code: "unauthenticated"},
		{name: "unknown route", path: "/v1/nothing", status: 404, code: "route_not_found"},
		{name: "unknown page", path: "/nothing", status: 404, code: "route_not_found"},
		{name: "slash at the end", path: "/v1/apps/", status: 404, code: "route_not_found"},
		{name: "wrong method", method: "PUT", path: "/v1/apps", status: 405, code: "method_not_allowed"},
		{
			name: "page without key", path: "/", headers: noKey, status: 401, code: "unauthenticated",
			answers: map[string]string{"WWW-Authenticate": `Basic realm="PiCloud", charset="UTF-8"`},
		},
		{name: "page by basic", path: "/", headers: basic, status: 200, says: []string{"/temporal/", "/v1"}},
		{name: "page by bearer", path: "/", status: 200},
		{name: "page by wrong basic", path: "/", headers: map[string]string{"Authorization": "Basic YWRtaW46eA=="}, status: 401, code: "wrong_key"},
		{name: "temporal without key", path: "/temporal/x", headers: noKey, status: 401, code: "unauthenticated"},
		{
			name: "temporal by basic, which it does not see", path: "/temporal/x", headers: basic, status: 200,
			after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, "temporal /temporal/x", rec.Body.String())
			},
		},
		{
			name: "temporal from another site", method: "POST", path: "/temporal/x", status: 403,
			headers: map[string]string{"Authorization": "Basic YWRtaW46cGNrX3Rlc3Q=", "Sec-Fetch-Site": "cross-site"}, says: []string{"cross_origin"}, notOurs: true,
		},
		{name: "no temporal", path: "/temporal/x", options: func(o *Options) { o.TemporalUI = nil }, status: 404, code: "route_not_found"},
		{
			name: "own dashboard", path: "/deep/page", status: 200, says: []string{"mine"},
			options: func(o *Options) {
				o.Dashboard = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("mine")) })
			},
		},
		{name: "description", path: "/docs/openapi.yaml", status: 200, says: []string{"openapi: 3.0"}},
		{
			name: "platform fault", operation: "getApp", path: shop, status: 500, code: "internal",
			before: func(w *world) { w.broken = errors.New("password=hunter2") },
			after: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.NotContains(t, rec.Body.String(), "hunter2")
				require.Contains(t, w.log.String(), "hunter2")
				require.Contains(t, w.log.String(), rec.Header().Get(requestIDHeader))
				require.NotContains(t, w.log.String(), testKey)
			},
		},
		{
			name: "panic", path: "/deep", status: 500, code: "internal",
			options: func(o *Options) {
				o.Dashboard = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
			},
		},
		{
			name: "own request id", path: "/v1/nothing", headers: map[string]string{"X-Request-Id": "mine-1"}, status: 404, code: "route_not_found",
			answers: map[string]string{"X-Request-Id": "mine-1"},
		},
	}
}

func appScenarios() []scenario {
	return []scenario{
		{name: "all", operation: "listApps", path: "/v1/apps", status: 200, says: []string{`"slug":"shop"`, `"next_cursor":null`}},
		{name: "limit 0", operation: "listApps", path: "/v1/apps?limit=0", status: 422, code: "invalid", field: "limit"},
		{name: "limit 501", operation: "listApps", path: "/v1/apps?limit=501", status: 422, code: "invalid", field: "limit"},
		{name: "limit x", operation: "listApps", path: "/v1/apps?limit=x", status: 422, code: "invalid", field: "limit"},
		{name: "limit huge", operation: "listApps", path: "/v1/apps?limit=99999999999999999999", status: 422, code: "invalid", field: "limit"},
		{name: "bad cursor", operation: "listApps", path: "/v1/apps?cursor=%00", status: 422, code: "invalid", field: "cursor"},
		{
			name: "made", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":"new"}`, status: 201, says: []string{`"name":"new"`},
			answers: map[string]string{"Location": "/v1/apps/new"},
		},
		{name: "types", operation: "getTypes", path: "/v1/types/picloud.d.ts", status: 200, says: []string{"interface Context", "type PiCloudEvent ="}},
		{name: "types without a key", operation: "getTypes", path: "/v1/types/picloud.d.ts", headers: map[string]string{"Authorization": ""}, status: 401, code: "unauthenticated"},
		{
			name: "allow-list", operation: "patchApp", method: "PATCH", path: shop, body: `{"fetch_allow":["*.example.com","10.0.0.0/8:443"]}`, status: 200,
			says: []string{`"fetch_allow":["*.example.com","10.0.0.0/8:443"]`},
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				require.Equal(t, []string{"*.example.com", "10.0.0.0/8:443"}, w.app["shop"].FetchAllow)
			},
		},
		{name: "empty allow-list", operation: "patchApp", method: "PATCH", path: shop, body: `{"fetch_allow":[]}`, status: 200, says: []string{`"fetch_allow":[]`}},
		{name: "no change", operation: "patchApp", method: "PATCH", path: shop, body: `{}`, status: 200, says: []string{`"fetch_allow":["api.example"]`}},
		{name: "bad entry", operation: "patchApp", method: "PATCH", path: shop, body: `{"fetch_allow":["a","http://b"]}`, status: 422, code: "invalid", field: "fetch_allow", says: []string{"http://b"}},
		{name: "no list", operation: "patchApp", method: "PATCH", path: shop, body: `{"fetch_allow":"a"}`, status: 422, code: "invalid", field: "fetch_allow"},
		{name: "unknown app", operation: "patchApp", method: "PATCH", path: "/v1/apps/none", body: `{}`, status: 404, code: "app_not_found"},
		{name: "taken", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":"shop"}`, status: 409, code: "app_exists"},
		{name: "bad slug", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":"No!"}`, status: 422, code: "invalid", field: "slug"},
		{name: "no slug", operation: "createApp", method: "POST", path: "/v1/apps", body: `{}`, status: 422, code: "invalid", field: "slug"},
		{name: "null slug", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":null}`, status: 422, code: "invalid", field: "slug"},
		{name: "slug no text", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":1}`, status: 422, code: "invalid", field: "slug"},
		{name: "NUL in name", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":"a","name":"\u0000"}`, status: 422, code: "invalid", field: "name"},
		{name: "unknown field", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":"a","slog":1}`, status: 422, code: "invalid", field: "slog"},
		{name: "other case", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"Slug":"a"}`, status: 422, code: "invalid", field: "slug"},
		{name: "an array", operation: "createApp", method: "POST", path: "/v1/apps", body: `[]`, status: 422, code: "invalid", field: "body"},
		{
			name: "malformed", operation: "createApp", method: "POST", path: "/v1/apps", body: "{\n \"slug\": x}", status: 400, code: "malformed_json",
			says: []string{`"line":2`, `"column":10`},
		},
		{name: "two values", operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":"a"}{}`, status: 400, code: "malformed_json"},
		{name: "no body", operation: "createApp", method: "POST", path: "/v1/apps", status: 400, code: "malformed_json"},
		{name: "not UTF-8", operation: "createApp", method: "POST", path: "/v1/apps", body: "{\"slug\":\"\xff\"}", status: 400, code: "malformed_json"},
		{name: "too large", operation: "createApp", method: "POST", path: "/v1/apps", body: long(2 << 20), status: 413, code: "payload_too_large"},
		{name: "one", operation: "getApp", path: shop, status: 200},
		{name: "none", operation: "getApp", path: "/v1/apps/none", status: 404, code: "app_not_found"},
		{name: "no name", operation: "getApp", path: "/v1/apps/%00%ff", status: 404, code: "app_not_found"},
		{name: "gone", operation: "deleteApp", method: "DELETE", path: shop, status: 204},
		{name: "none", operation: "deleteApp", method: "DELETE", path: "/v1/apps/none", status: 404, code: "app_not_found"},
	}
}

func scriptScenarios() []scenario {
	put := func(name, body string, status int, code, field string) scenario {
		return scenario{name: name, operation: "putScript", method: "PUT", path: shop + "/scripts/new", body: body, status: status, code: code, field: field}
	}
	limits := func(l string) string { return `{"source":"x","language":"ts","limits":` + l + `}` }
	source := func(s string) string {
		b, err := json.Marshal(map[string]string{"source": s, "language": "js"})
		if err != nil {
			panic(err) // strings always encode
		}
		return string(b)
	}
	invoke := shop + "/scripts/hello/invoke"
	return []scenario{
		{
			name: "new", operation: "putScript", method: "PUT", path: shop + "/scripts/new", body: okSource, status: 201,
			says:    []string{`"version":1`, `"active_version":1`, `"endpoint":"http://example.com/run/shop/new"`, `"wall":"10s"`},
			answers: map[string]string{"Location": shop + "/scripts/new"},
		},
		{
			name: "public URL", operation: "putScript", method: "PUT", path: shop + "/scripts/new", body: okSource, status: 201,
			options: func(o *Options) { o.PublicURL = "https://pi.example/" }, says: []string{`"endpoint":"https://pi.example/run/shop/new"`},
		},
		{
			name: "the same again is not compiled", operation: "putScript", method: "PUT", path: shop + "/scripts/new", body: okSource, status: 200,
			before: func(w *world) {
				w.do(context.Background(), "PUT", shop+"/scripts/new", okSource, nil)
				w.compiled = 0
			},
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.Zero(t, w.compiled)
				require.Len(t, w.versions["new"], 1)
			},
		},
		{
			name: "not activated", operation: "putScript", method: "PUT", path: shop + "/scripts/hello", status: 201,
			body: `{"source":"export default () => 2","language":"ts","activate":false}`, says: []string{`"version":2`, `"active_version":1`},
		},
		{
			name: "does not compile", operation: "putScript", method: "PUT", path: shop + "/scripts/new", body: source("a\n  SYNTAX"), status: 422,
			code: "compile_error", field: "source", says: []string{`"line":2`, `"column":3`},
		},
		put("2 MiB", source(long(2<<20)), 413, "source_too_large", ""),
		put("just over", source(long(big)), 413, "source_too_large", ""),
		put("over what is read", source(long(7<<20)), 413, "source_too_large", ""),
		put("just within", source(long(1<<20)), 201, "", ""),
		put("empty source", source(" "), 422, "invalid", "source"),
		put("NUL in source", source("a\x00"), 422, "invalid", "source"),
		put("no source", `{"language":"ts"}`, 422, "invalid", "source"),
		put("no language", `{"source":"x"}`, 422, "invalid", "language"),
		put("bad language", `{"source":"x","language":"py"}`, 422, "invalid", "language"),
		put("malformed", `{"source":`, 400, "malformed_json", ""),
		put("wall over the ceiling", limits(`{"wall":"11s"}`), 422, "invalid", "limits.wall"),
		put("wall no duration", limits(`{"wall":"ten"}`), 422, "invalid", "limits.wall"),
		put("wall negative", limits(`{"wall":"-1s"}`), 422, "invalid", "limits.wall"),
		put("wall a number", limits(`{"wall":5}`), 422, "invalid", "limits.wall"),
		put("call depth over the ceiling", limits(`{"call_depth":4001}`), 422, "invalid", "limits.call_depth"),
		put("call depth under the least", limits(`{"call_depth":15}`), 422, "invalid", "limits.call_depth"),
		{
			name: "limits", operation: "getLimits", path: "/v1/limits", status: 200,
			says: []string{
				`"name":"wall"`, `"ceiling":"10s"`, `"minimum":"1ms"`, `"error_type":"WallLimitExceeded"`, `"reason":"timeout"`, `"name":"call_depth"`, `"default":4000`,
				`"variable":"PICLOUD_SANDBOX_MAX_EFFECTS"`, `"error_type":null`,
			},
		},
		put("memory over the ceiling", limits(`{"memory_mb":129}`), 422, "invalid", "limits.memory_mb"),
		put("memory zero", limits(`{"memory_mb":0}`), 422, "invalid", "limits.memory_mb"),
		put("memory a fraction", limits(`{"memory_mb":1.5}`), 422, "invalid", "limits.memory_mb"),
		put("unknown limit", limits(`{"gpu":1}`), 422, "invalid", "limits.gpu"),
		put("limits", limits(`{"wall":"1s","memory_mb":64}`), 201, "", ""),
		{name: "bad name", operation: "putScript", method: "PUT", path: shop + "/scripts/No!", body: okSource, status: 422, code: "invalid", field: "script"},
		{name: "no app", operation: "putScript", method: "PUT", path: "/v1/apps/none/scripts/x", body: okSource, status: 404, code: "app_not_found"},
		{name: "all", operation: "listScripts", path: shop + "/scripts?limit=1", status: 200, says: []string{`"next_cursor":"badstatus"`}},
		{name: "bad cursor", operation: "listScripts", path: shop + "/scripts?cursor=A!", status: 422, code: "invalid", field: "cursor"},
		{name: "one", operation: "getScript", path: shop + "/scripts/hello", status: 200, says: []string{`"source":"export default () =\u003e 1"`}},
		{name: "none", operation: "getScript", path: shop + "/scripts/none", status: 404, code: "script_not_found"},
		{name: "gone", operation: "deleteScript", method: "DELETE", path: shop + "/scripts/unused", status: 204},
		{name: "in use", operation: "deleteScript", method: "DELETE", path: shop + "/scripts/hello", status: 409, code: "script_in_use"},
		{name: "none", operation: "deleteScript", method: "DELETE", path: shop + "/scripts/none", status: 404, code: "script_not_found"},
		{name: "all", operation: "listScriptVersions", path: shop + "/scripts/hello/versions", status: 200, says: []string{`"active":true`}},
		{name: "bad cursor", operation: "listScriptVersions", path: shop + "/scripts/hello/versions?cursor=99999999999", status: 422, code: "invalid", field: "cursor"},
		{name: "none", operation: "listScriptVersions", path: shop + "/scripts/none/versions", status: 404, code: "script_not_found"},
		{name: "with its source", operation: "getScriptVersion", path: shop + "/scripts/hello/versions/1", status: 200, says: []string{`"source":"export default () =\u003e 1"`, `"version":1`}},
		{name: "no version", operation: "getScriptVersion", path: shop + "/scripts/hello/versions/9", status: 404, code: "version_not_found"},
		{name: "no number", operation: "getScriptVersion", path: shop + "/scripts/hello/versions/x", status: 422, code: "invalid", field: "version"},
		{name: "done", operation: "activateScriptVersion", method: "POST", path: shop + "/scripts/hello/versions/1/activate", status: 200},
		{name: "no version", operation: "activateScriptVersion", method: "POST", path: shop + "/scripts/hello/versions/9/activate", status: 404, code: "version_not_found"},
		{name: "no number", operation: "activateScriptVersion", method: "POST", path: shop + "/scripts/hello/versions/x/activate", status: 422, code: "invalid", field: "version"},
		{name: "zero", operation: "activateScriptVersion", method: "POST", path: shop + "/scripts/hello/versions/0/activate", status: 422, code: "invalid", field: "version"},
		{
			name: "data", operation: "invokeScript", method: "POST", path: invoke, body: `{"data":{"n":1}}`, status: 200,
			says: []string{`"status":"succeeded"`, `"kind":"invoke"`, `"result":{"n":1}`, `"type":"picloud.invoke"`, `"principal":"admin"`},
		},
		{
			name: "event", operation: "invokeScript", method: "POST", path: invoke, body: `{"event":{"type":"my.own","subject":"s","data":[1]},"version":1}`,
			status: 200, says: []string{`"type":"my.own"`, `"result":[1]`},
		},
		{name: "fails", operation: "invokeScript", method: "POST", path: shop + "/scripts/throws/invoke", body: `{}`, status: 200, says: []string{`"status":"failed"`, "TypeError"}},
		{name: "both", operation: "invokeScript", method: "POST", path: invoke, body: `{"data":1,"event":{}}`, status: 422, code: "invalid", field: "data"},
		{name: "dry run", operation: "invokeScript", method: "POST", path: invoke, body: `{"dry_run":true}`, status: 200, says: []string{`"status":"succeeded"`, `"kind":"invoke"`, `"result":{"ran":"hello"}`, `"effects":[{"after":1,"changed_since_failure":false,"changes":true,"collection":"c","key":"k","type":"kv.set","value":1}]`, `"message":"dry"`, `"temporal_url":null`},
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				require.Zero(t, w.writes, "nothing is kept")
				require.Empty(t, w.engine.started)
				run := w.runner.runs[0]
				require.True(t, run.DryRun)
				require.Equal(t, []string{"api.example"}, run.FetchAllow)
				require.Equal(t, "app-shop", run.AppID)
				require.Equal(t, 1, run.Version)
				require.Equal(t, picloud.DefaultLimits, run.Limits)
			}},
		{
			name: "dry run that fetches", operation: "invokeScript", method: "POST", path: invoke, body: `{"dry_run":true,"fetch":"live"}`, status: 200,
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.True(t, w.runner.runs[0].FetchLive)
			},
		},
		{name: "fetch for good", operation: "invokeScript", method: "POST", path: invoke, body: `{"fetch":"live"}`, status: 422, code: "invalid", field: "fetch"},
		{name: "dry run of a version", operation: "invokeScript", method: "POST", path: invoke, body: `{"dry_run":true,"version":1,"data":[1]}`, status: 200},
		{
			name: "dry run fails", operation: "invokeScript", method: "POST", path: shop + "/scripts/throws/invoke", body: `{"dry_run":true}`, status: 200,
			says: []string{`"status":"failed"`, "TypeError", `"effects":[]`},
		},
		{name: "dry run of no version", operation: "invokeScript", method: "POST", path: invoke, body: `{"dry_run":true,"version":5}`, status: 404, code: "version_not_found"},
		{name: "dry run too large", operation: "invokeScript", method: "POST", path: invoke, body: `{"dry_run":true,"data":"` + long(big) + `"}`, status: 413, code: "payload_too_large"},
		{
			name: "dry run without a sandbox", operation: "invokeScript", method: "POST", path: invoke, body: `{"dry_run":true}`, options: func(o *Options) { o.DryRunner = nil },
			status: 503, code: "sandbox_unavailable",
		},
		{
			name: "dry run of a broken sandbox", operation: "invokeScript", method: "POST", path: invoke, body: `{"dry_run":true}`,
			before: func(w *world) { w.runner.broken = errDown }, status: 500, code: "internal",
		},
		{name: "no version", operation: "invokeScript", method: "POST", path: invoke, body: `{"version":5}`, status: 404, code: "version_not_found"},
		{name: "NUL", operation: "invokeScript", method: "POST", path: invoke, body: `{"event":{"type":"\u0000"}}`, status: 422, code: "invalid", field: "event.type"},
		{name: "too large", operation: "invokeScript", method: "POST", path: invoke, body: `{"data":"` + long(big) + `"}`, status: 413, code: "payload_too_large"},
		{name: "no script", operation: "invokeScript", method: "POST", path: shop + "/scripts/none/invoke", body: `{}`, status: 404, code: "script_not_found"},
		{
			name: "engine down", operation: "invokeScript", method: "POST", path: invoke, body: `{}`, before: func(w *world) { w.engine.down = errDown },
			status: 503, code: "engine_unavailable", answers: map[string]string{"Retry-After": "1"},
		},
	}
}

func triggerScenarios() []scenario {
	create := func(name, kind, config, rest string, status int, code, field string) scenario {
		return scenario{
			name: name, operation: "createTrigger", method: "POST", path: shop + "/triggers", status: status, code: code, field: field,
			body: `{"name":"t","kind":"` + kind + `","script":"hello","config":` + config + rest + `}`,
		}
	}
	kv := func(name, config, field string) scenario {
		return create("kv: "+name, "kv", config, "", 422, "invalid", field)
	}
	http := func(name, config, field string) scenario {
		return create("http: "+name, "http", config, "", 422, "invalid", field)
	}
	retry := func(name, retry, field string) scenario {
		return create("retry: "+name, "kv", `{"collection":"*"}`, `,"retry":`+retry, 422, "invalid", field)
	}
	patch := func(name, body string, status int, code, field string, says ...string) scenario {
		return scenario{
			name: name, operation: "patchTrigger", method: "PATCH", path: shop + "/triggers/" + idKVTrigger, body: body, status: status, code: code, field: field, says: says,
		}
	}
	made := create("kv", "kv", `{"collection":"orders:*","operations":["created"]}`, `,"retry":{"maximum_attempts":5,"jitter":"full"}`, 201, "", "")
	made.says = []string{`"registered_by_principal":"admin"`, `"enabled":true`, `"maximum_attempts":5`, `"initial_interval":"1s"`, `"maximum_interval":"1m"`}
	made.after = func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
		t.Helper()
		require.Equal(t, picloud.Glob("orders:*"), w.triggers[2].KV.Collection)
		require.Equal(t, picloud.JitterFull, w.triggers[2].Retry.Jitter)
		require.Equal(t, shop+"/triggers/"+w.triggers[2].ID, rec.Header().Get("Location"))
	}
	madeHTTP := create("http", "http", `{"methods":["post","POST"],"path":"/a/*","mode":"async"}`, `,"retry":null,"enabled":false`, 201, "", "")
	madeHTTP.says = []string{`"methods":["POST"]`, `"auth":"key"`, `"retry":null`, `"enabled":false`}
	fire := shop + "/triggers/" + idKVTrigger + "/fire"
	return []scenario{
		made, madeHTTP,
		create("kind unknown", "tea", `{}`, "", 422, "invalid", "kind"),
		create("kind of no trigger", "mail", `{}`, "", 422, "invalid", "kind"),
		kv("no collection", `{}`, "config.collection"), kv("empty collection", `{"collection":""}`, "config.collection"),
		kv("star inside", `{"collection":"a*b"}`, "config.collection"), kv("two stars", `{"collection":"**"}`, "config.collection"),
		kv("long", `{"collection":"`+long(257)+`"}`, "config.collection"), kv("NUL", `{"collection":"\u0000"}`, "config.collection"),
		kv("bad key", `{"collection":"a","key":"*a"}`, "config.key"), kv("bad operation", `{"collection":"a","operations":["eaten"]}`, "config.operations"),
		kv("operations no list", `{"collection":"a","operations":"created"}`, "config.operations"),
		kv("unknown field", `{"collection":"a","colour":1}`, "config.colour"), kv("no object", `7`, "config"), kv("null", `null`, "config"),
		http("auth unknown", `{"auth":"x"}`, "config.auth"), http("mode", `{"mode":"x"}`, "config.mode"),
		http("method", `{"methods":["BREW"]}`, "config.methods"), http("path", `{"path":"/a*b"}`, "config.path"), http("path without slash", `{"path":"a"}`, "config.path"),
		http("signature", `{"signature":"github"}`, "config.signature"), http("secret", `{"secret":"s"}`, "config.secret"),
		create("filter", "kv", `{"collection":"*"}`, `,"filter":"event.data.value.total > 100"`, 201, "", ""), create("filter none", "kv", `{"collection":"*"}`, `,"filter":null`, 201, "", ""),
		create("filter no bool", "kv", `{"collection":"*"}`, `,"filter":"event.subject"`, 422, "invalid", "filter"),
		create("filter no text", "kv", `{"collection":"*"}`, `,"filter":1`, 422, "invalid", "filter"),
		create("filter long", "kv", `{"collection":"*"}`, `,"filter":"true || '`+long(4096)+`' == ''"`, 422, "invalid", "filter"),
		func() scenario {
			s := create("filter position", "kv", `{"collection":"*"}`, `,"filter":"true &&\n event.dat == 1"`, 422, "invalid", "filter")
			s.says = []string{`"line":2`, `"column":7`, "undefined field 'dat'"}
			return s
		}(),
		patch("flow", `{"flow":{"priority":3}}`, 200, "", "", `"flow":{"priority":3}`), patch("flow bad", `{"flow":{"throttle":{"limit":1}}}`, 422, "invalid", "flow.throttle.per"), patch("flow away", `{"flow":null}`, 200, "", "", `"flow":null`),
		patch("filter", `{"filter":"event.depth < 3"}`, 200, "", "", `"filter":"event.depth \u003c 3"`), patch("filter away", `{"filter":null}`, 200, "", "", `"filter":null`),
		patch("filter empty", `{"filter":""}`, 200, "", "", `"filter":null`), patch("filter bad", `{"filter":"("}`, 422, "invalid", "filter"),
		retry("duration", `{"initial_interval":"soon"}`, "retry.initial_interval"), retry("duration number", `{"maximum_interval":3}`, "retry.maximum_interval"),
		retry("attempts", `{"maximum_attempts":0}`, "retry.maximum_attempts"), retry("jitter", `{"jitter":"some"}`, "retry.jitter"),
		retry("coefficient", `{"backoff_coefficient":0.5}`, "retry.backoff_coefficient"), retry("bound", `{"maximum_duration":"-1s"}`, "retry.maximum_duration"),
		retry("interval order", `{"initial_interval":"2s","maximum_interval":"1s"}`, "retry.maximum_interval"), retry("unknown", `{"x":1}`, "retry.x"),
		retry("class", `{"non_retryable_errors":["\u0000"]}`, "retry.non_retryable_errors"),
		{
			name: "no script", operation: "createTrigger", method: "POST", path: shop + "/triggers", status: 422, code: "invalid", field: "script",
			body: `{"name":"t","kind":"kv","script":"none","config":{"collection":"*"}}`,
		},
		{
			name: "bad name", operation: "createTrigger", method: "POST", path: shop + "/triggers", status: 422, code: "invalid", field: "name",
			body: `{"name":"T","kind":"kv","script":"hello","config":{"collection":"*"}}`,
		},
		{
			name: "taken", operation: "createTrigger", method: "POST", path: shop + "/triggers", status: 409, code: "trigger_exists",
			body: `{"name":"on-order","kind":"kv","script":"hello","config":{"collection":"*"}}`,
		},
		{name: "no app", operation: "createTrigger", method: "POST", path: "/v1/apps/none/triggers", body: `{"name":"t","kind":"kv","script":"hello","config":{}}`, status: 404, code: "app_not_found"},
		{name: "malformed", operation: "createTrigger", method: "POST", path: shop + "/triggers", body: `{"name"}`, status: 400, code: "malformed_json"},
		{name: "all", operation: "listTriggers", path: shop + "/triggers?kind=kv&script=hello", status: 200, says: []string{`"name":"on-order"`}},
		{name: "bad kind", operation: "listTriggers", path: shop + "/triggers?kind=tea", status: 422, code: "invalid", field: "kind"},
		{name: "bad cursor", operation: "listTriggers", path: shop + "/triggers?cursor=x", status: 422, code: "invalid", field: "cursor"},
		{name: "one", operation: "getTrigger", path: shop + "/triggers/" + idHTTPTrigger, status: 200, says: []string{`"mode":"async"`}},
		{name: "none", operation: "getTrigger", path: shop + "/triggers/" + idNoSuchThing, status: 404, code: "trigger_not_found"},
		{name: "no id", operation: "getTrigger", path: shop + "/triggers/x", status: 404, code: "trigger_not_found"},
		patch("nothing", `{}`, 200, "", "", `"collection":"orders"`, `"maximum_attempts":3`),
		patch("all", `{"name":"n","script":"slow","enabled":false,"config":{"operations":["deleted"]},"retry":{"maximum_attempts":9}}`, 200, "", "",
			`"name":"n"`, `"script":"slow"`, `"enabled":false`, `"collection":"orders"`, `"operations":["deleted"]`, `"maximum_attempts":9`, `"initial_interval":"1s"`),
		patch("retry away", `{"retry":null}`, 200, "", "", `"retry":null`),
		patch("config member away", `{"config":{"key":null}}`, 200, "", "", `"config":{"collection":"orders"}`),
		patch("config away", `{"config":null}`, 422, "invalid", "config"), patch("bad glob", `{"config":{"collection":"a*b"}}`, 422, "invalid", "config.collection"),
		patch("name away", `{"name":null}`, 422, "invalid", "name"), patch("kind", `{"kind":"http"}`, 422, "invalid", "kind"),
		patch("bad retry", `{"retry":{"maximum_attempts":"x"}}`, 422, "invalid", "retry.maximum_attempts"), patch("retry no object", `{"retry":3}`, 422, "invalid", "retry"),
		patch("malformed", `{`, 400, "malformed_json", ""),
		{name: "none", operation: "patchTrigger", method: "PATCH", path: shop + "/triggers/" + idNoSuchThing, body: `{}`, status: 404, code: "trigger_not_found"},
		{name: "gone", operation: "deleteTrigger", method: "DELETE", path: shop + "/triggers/" + idKVTrigger, status: 204},
		{name: "none", operation: "deleteTrigger", method: "DELETE", path: shop + "/triggers/" + idNoSuchThing, status: 404, code: "trigger_not_found"},
		{
			name: "queued", operation: "fireTrigger", method: "POST", path: fire, body: `{"data":{"a":1}}`, status: 202, says: []string{`"status":"queued"`},
			after: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				f, e := w.enqueued[0], w.events[0]
				require.Equal(t, shop+"/executions/"+f.ExecutionID, rec.Header().Get("Location"))
				require.Equal(t, []string{"on-order", "someone", e.ID, "kv"}, []string{f.Trigger, f.Principal, f.EventID, string(f.Kind)})
				require.Equal(t, picloud.DefaultRetryPolicy, f.Retry)
				require.JSONEq(t, `{"a":1}`, string(e.Data))
				require.Equal(t, picloud.TypeKVUpdated, e.Type)
			},
		},
		{name: "too large", operation: "fireTrigger", method: "POST", path: fire, body: `{"data":"` + long(big) + `"}`, status: 413, code: "payload_too_large"},
		{name: "none", operation: "fireTrigger", method: "POST", path: shop + "/triggers/" + idNoSuchThing + "/fire", body: `{}`, status: 404, code: "trigger_not_found"},
	}
}
