package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

// idsOf gives "id status" of the items of a list of executions.
func idsOf(t *testing.T, rec *httptest.ResponseRecorder) []string {
	t.Helper()
	var list ExecutionList
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &list))
	return convert(list.Items, func(x ExecutionSummary) string { return x.ID + " " + string(x.Status) })
}

const jsonType = "application/json; charset=utf-8"

func ingressScenarios() []scenario {
	run := func(script string) string { return "/run/shop/" + script }
	typed := func(contentType string) map[string]string { return map[string]string{"Content-Type": contentType} }
	body := func(name, contentType, body string, says ...string) scenario {
		return scenario{name: "body: " + name, method: "POST", path: run("hello"), body: body, headers: typed(contentType), status: 200, says: says}
	}
	return []scenario{
		{
			name: "sync", method: "POST", path: run("hello") + "/a/b?x=1&y=2&y=3", body: `{"n":12345678901234567890}`, status: 200,
			headers: map[string]string{
				"Content-Type": "application/json", "X-Shop": "s", "Cookie": "c=1",
				"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			},
			says: []string{
				`"method":"POST"`, `"path":"/a/b"`, `"params":{}`, `"query":{"x":"1","y":["2","3"]}`, `"x-shop":"s"`, `"body":{"n":12345678901234567890}`, `"cookie":"c=1"`,
				`"host":"example.com"`,
			},
			answers: map[string]string{"Content-Type": jsonType},
			after: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.NotContains(t, rec.Body.String(), testKey, "the script does not get the caller's key")
				f := w.engine.started[0]
				require.Equal(t, f.ExecutionID, rec.Header().Get("X-Picloud-Execution"))
				require.Equal(t, "here/"+f.ExecutionID, f.ReplyTo)
				require.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", f.Event.TraceParent)
				require.Equal(t, []any{"/apps/shop/http/hello", "picloud.http.request", "/a/b", 1, f.EventID, "1.0"},
					[]any{f.Event.Source, f.Event.Type, f.Event.Subject, f.Event.Depth, f.Event.RootID, f.Event.SpecVersion})
				require.Equal(t, []any{"http POST /a/b", 16, 1, 10 * time.Second, "admin", picloud.DefaultRetryPolicy.MaximumAttempts},
					[]any{f.What, f.MaxDepth, f.Version, f.Wall, f.Principal, f.Retry.MaximumAttempts})
				require.Empty(t, w.inbox.open, "the caller is done")
				require.Empty(t, w.enqueued, "a caller that waits does not go through the outbox")
			},
		},
		{
			name: "refused by the filter", method: "PUT", path: run("hello") + "/later/1", body: `{"n":1}`, headers: typed("application/json"),
			before: func(w *world) { w.triggers[0].Filter = "event.data.body.n > 1" }, status: 204,
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.Empty(t, w.enqueued)
				require.Empty(t, w.engine.started)
			},
		},
		{
			name: "passes the filter", method: "PUT", path: run("hello") + "/later/1", body: `{"n":2}`, headers: typed("application/json"),
			before: func(w *world) { w.triggers[0].Filter = "event.data.body.n > 1" }, status: 202,
		},
		{
			name: "filter without a value", method: "PUT", path: run("hello") + "/later/1", body: `{}`, headers: typed("application/json"),
			before: func(w *world) { w.triggers[0].Filter = "event.data.body.n > 1" }, status: 422, code: "filter_error", says: []string{"no such key: n"},
		},
		{name: "no path", path: run("hello"), status: 200, says: []string{`"path":"/"`, `"body":null`, `"query":{}`}},
		{name: "nothing returned", path: run("nothing"), status: 200, says: []string{"null"}},
		{
			name: "response", path: run("response"), status: 201, says: []string{"made"},
			after: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, []string{"a", "b"}, rec.Header().Values("X-Own"))
				require.Equal(t, "text/x-own", rec.Header().Get("Content-Type"))
				require.Empty(t, rec.Header().Get("Connection"))
				require.NotEqual(t, "999", rec.Header().Get("Content-Length"))
				require.Equal(t, []string{w.engine.started[0].ExecutionID}, rec.Header().Values("X-Picloud-Execution"))
			},
		},
		{name: "binary", path: run("binary"), status: 200, says: []string{"\xff\xfe"}},
		{name: "response without a status", path: run("badstatus"), status: 500, code: "payload_invalid"},
		{name: "throws", path: run("throws"), status: 500, code: "script_error", says: []string{"TypeError: x is undefined", "execution_id"}},
		{name: "hits its limit", path: run("timeout"), status: 500, code: "timeout"},
		{name: "ends on another node", path: run("elsewhere"), status: 200, says: []string{`"method":"GET"`}},
		{name: "lost", path: run("lost"), status: 500, code: "execution_lost"},
		{name: "too slow", path: run("slow"), headers: map[string]string{"Prefer": "wait=0"}, status: 504, code: "wait_expired", says: []string{"execution_id"}, answers: map[string]string{"Preference-Applied": "wait=0"}},
		{name: "engine down", path: run("hello"), before: func(w *world) { w.engine.down = errDown }, status: 503, code: "engine_unavailable", answers: map[string]string{"X-PiCloud-Execution": ""}},
		{name: "no app", path: "/run/none/hello", status: 404, code: "app_not_found"},
		{name: "no script", path: run("none"), status: 404, code: "script_not_found"},
		{name: "no name", path: run("%00"), status: 404, code: "script_not_found"},
		{name: "only the app", path: "/run/shop", status: 404, code: "route_not_found"},
		{name: "without key", path: run("hello"), headers: map[string]string{"Authorization": ""}, status: 401, code: "unauthenticated"},
		{name: "wrong key", path: run("hello"), headers: map[string]string{"Authorization": "Bearer x"}, status: 401, code: "wrong_key"},
		{name: "basic is for browsers", path: run("hello"), headers: map[string]string{"Authorization": "Basic YWRtaW46cGNrX3Rlc3Q="}, status: 401, code: "unauthenticated"},
		{name: "body too large", method: "POST", path: run("hello"), body: long(big), status: 413, code: "payload_too_large"},
		{
			name: "body at the limit", method: "POST", path: run("hello"), body: long(1 << 20), status: 200,
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				f := w.engine.started[0]
				require.Nil(t, f.Event, "it is too large to be carried")
				require.Equal(t, f.EventID, w.kept[0].ID)
			},
		},
		{name: "malformed JSON", method: "POST", path: run("hello"), body: `{"a"`, headers: typed("application/json"), status: 400, code: "malformed_json"},
		{name: "malformed form", method: "POST", path: run("hello"), body: `a=%zz`, headers: typed("application/x-www-form-urlencoded"), status: 400, code: "malformed_form"},
		{name: "NUL in path", path: run("hello") + "/%00", status: 400, code: "malformed_path"},
		{name: "no UTF-8 in path", path: run("hello") + "/%ff", status: 400, code: "malformed_path"},
		{name: "bad wait", path: run("hello"), headers: map[string]string{"Prefer": "wait=soon"}, status: 422, code: "invalid", field: "Prefer"},
		body("vendor JSON", "application/vnd.x+json", `[1]`, `"body":[1]`), body("form", "application/x-www-form-urlencoded", `a=1&b=2&b=3`, `"body":{"a":"1","b":["2","3"]}`),
		body("text", "text/plain", "hé", `"body":"hé"`), body("text that is none", "text/plain", "\xff", `"body":"/w=="`, `"body_encoding":"base64"`),
		body("binary", "image/png", "\x89PNG", `"body":"iVBORw=="`, `"body_encoding":"base64"`), body("no type", "", "x", `"body":"eA=="`),
		{
			name: "async by preference", method: "POST", path: run("hello"), headers: map[string]string{"Prefer": "respond-async"}, status: 202, says: []string{`"status":"queued"`},
			answers: map[string]string{"Preference-Applied": "respond-async"}, after: isQueued,
		},
		{
			name: "async by trigger", method: "PUT", path: run("hello") + "/later/x", status: 202,
			after: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				isQueued(t, w, rec)
				require.Equal(t, []string{"later", idHTTPTrigger, "someone"}, []string{w.enqueued[0].Trigger, w.enqueued[0].TriggerID, w.enqueued[0].Principal})
			},
		},
		{name: "other method than the trigger's", method: "POST", path: run("hello") + "/later/x", status: 405, code: "method_not_allowed", answers: map[string]string{"Allow": "PUT"}},
		{name: "other path than the trigger's", method: "PUT", path: run("hello") + "/now/x", status: 200},
		{name: "bad idempotency key", method: "POST", path: run("hello"), headers: map[string]string{"Idempotency-Key": "\x01"}, status: 422, code: "invalid", field: "Idempotency-Key"},
	}
}

// isQueued says that a call was queued and answered with its address.
func isQueued(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
	t.Helper()
	require.Len(t, w.enqueued, 1)
	f := w.enqueued[0]
	require.Empty(t, w.engine.started)
	require.Empty(t, f.ReplyTo)
	require.Nil(t, f.Event)
	require.Equal(t, f.EventID, w.events[0].ID)
	require.Equal(t, "/v1/apps/shop/executions/"+f.ExecutionID, rec.Header().Get("Location"))
	require.Equal(t, f.ExecutionID, rec.Header().Get("X-Picloud-Execution"))
}

func TestIdempotencyKeyAttachesToTheFirstExecution(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := map[string]string{"Idempotency-Key": "k", "Content-Type": "application/json"}
	first := w.do(t.Context(), "POST", "/run/shop/hello", `1`, key)
	second := w.do(t.Context(), "POST", "/run/shop/hello", `2`, key)
	require.Equal(t, 200, second.Code)
	require.Equal(t, first.Body.String(), second.Body.String())
	require.Equal(t, first.Header().Get("X-Picloud-Execution"), second.Header().Get("X-Picloud-Execution"))
	require.Len(t, w.engine.started, 1)
	other := w.do(t.Context(), "POST", "/run/shop/nothing", `2`, key)
	require.NotEqual(t, first.Header().Get("X-Picloud-Execution"), other.Header().Get("X-Picloud-Execution"), "a key belongs to a script")

	queued := map[string]string{"Idempotency-Key": "q", "Prefer": "respond-async"}
	w.do(t.Context(), "POST", "/run/shop/hello", ``, queued)
	id := w.enqueued[0].ExecutionID
	w.executions[id] = picloud.Execution{ID: id, Status: picloud.StatusQueued}
	again := w.do(t.Context(), "POST", "/run/shop/hello", ``, queued)
	require.Equal(t, 202, again.Code)
	require.Contains(t, again.Body.String(), id)
	require.Len(t, w.enqueued, 1)
}

func TestIdempotencyKeyWhoseFirstRequestBrokeOffStartsUnderTheSameID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.idempotency["script-hello:k"] = testID(60)
		rec := w.do(t.Context(), "POST", "/run/shop/hello", ``, map[string]string{"Idempotency-Key": "k"})
		require.Equal(t, 200, rec.Code)
		require.Equal(t, testID(60), w.engine.started[0].ExecutionID)
	})
}

// A synchronous call waits for the script's own limit and some grace, and says where the run goes on.
func TestSyncCallWaitsForTheLimitOfTheScript(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		rec := w.do(t.Context(), "GET", "/run/shop/slow", ``, nil)
		require.Equal(t, http.StatusGatewayTimeout, rec.Code)
		require.Equal(t, picloud.DefaultLimits.Wall+runGrace, time.Since(start))
		id := w.engine.started[0].ExecutionID
		require.Equal(t, "/v1/apps/shop/executions/"+id, rec.Header().Get("Location"))
		require.Contains(t, w.engine.running, id, "the run goes on")
		require.Empty(t, w.inbox.open)
	})
}

func TestCallerThatLeavesStopsWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		rec := w.do(ctx, "GET", "/run/shop/slow", ``, nil)
		require.Equal(t, statusClientGone, rec.Code)
		require.Empty(t, w.inbox.open, "done was called")
		require.Len(t, w.engine.running, 1)
	})
}

func TestInvokeOfASlowScriptIs202(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rec := w.do(t.Context(), "POST", shop+"/scripts/slow/invoke", `{}`, nil)
		require.Equal(t, 202, rec.Code, rec.Body.String())
		require.Contains(t, rec.Body.String(), `"status":"running"`)
		require.Equal(t, shop+"/executions/"+w.engine.started[0].ExecutionID, rec.Header().Get("Location"))
	})
}

func TestWaitForAnExecution(t *testing.T) {
	t.Parallel()
	get := func(w *world, ctx context.Context, id, wait string) (string, time.Duration) {
		start := time.Now()
		var x Execution
		rec := w.do(ctx, "GET", shop+"/executions/"+id+"?wait="+wait, ``, nil)
		_ = json.Unmarshal(rec.Body.Bytes(), &x) // what is none has no status
		return string(x.Status), time.Since(start)
	}
	t.Run("that runs: at its end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.engine.run(picloud.Firing{ExecutionID: testID(60), AppID: "app-shop"})
			time.AfterFunc(5*time.Second, func() { w.engine.finish(testID(60)) })
			status, took := get(w, t.Context(), testID(60), "30s")
			require.Equal(t, "succeeded", status)
			require.Equal(t, 5*time.Second, took)
		})
	})
	t.Run("whose workflow is not closed yet: soon after its end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.engine.run(picloud.Firing{ExecutionID: testID(60), AppID: "app-shop"})
			time.AfterFunc(5*time.Second, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.executions[testID(60)] = picloud.Execution{ID: testID(60), AppID: "app-shop", Status: picloud.StatusSucceeded}
			})
			status, took := get(w, t.Context(), testID(60), "30s")
			require.Equal(t, "succeeded", status)
			require.LessOrEqual(t, took, 5*time.Second+lastLook)
		})
	})
	t.Run("that is queued: soon after its end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.AfterFunc(5*time.Second, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				x := w.executions[idQueued]
				x.Status = picloud.StatusSucceeded
				w.executions[idQueued] = x
			})
			status, took := get(w, t.Context(), idQueued, "30s")
			require.Equal(t, "succeeded", status)
			require.LessOrEqual(t, took, 5*time.Second+lastLook)
		})
	})
	t.Run("that does not end: as it is, within a minute", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.engine.run(picloud.Firing{ExecutionID: testID(60), AppID: "app-shop"})
			status, took := get(w, t.Context(), testID(60), "2h")
			require.Equal(t, "running", status)
			require.Equal(t, maxWait, took)
			status, took = get(w, t.Context(), idQueued, "10s")
			require.Equal(t, "queued", status)
			require.Equal(t, 10*time.Second, took)
		})
	})
	t.Run("by a caller that leaves", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, leave)
			_, took := get(w, ctx, idQueued, "30s")
			require.Equal(t, time.Second, took)
		})
	})
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	p, err := parsePrefer([]string{"handling=lenient; x", `respond-async, Wait="7";q`})
	require.NoError(t, err)
	require.True(t, p.async)
	require.Equal(t, 7*time.Second, *p.wait)
}

// FuzzRequestData: whatever comes in, the event's data is valid JSON with a known shape, or the request is refused.
func FuzzRequestData(f *testing.F) {
	f.Add("POST", "/a", "x=1&x=2", "X-H", "v", "application/json", []byte(`{"a":1}`))
	f.Add("GET", "/", "%zz", "Authorization", "Bearer k", "text/plain; charset=\xff", []byte("\xff"))
	f.Add("PUT", "/\xff", "a=%ff", "A", "\xff", "application/x-www-form-urlencoded", []byte("a=%ff&a=1"))
	f.Fuzz(func(t *testing.T, method, path, query, header, value, contentType string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Method, r.URL.RawQuery = method, query
		r.Header = http.Header{http.CanonicalHeaderKey(header): {value, value}, "Content-Type": {contentType}, "Authorization": {"Bearer s3cr3t"}}
		if path, err := cleanPath(path); err == nil {
			data, err := requestData(r, path, map[string]string{}, body)
			if err != nil {
				require.Equal(t, picloud.Malformed, picloud.AsError(err).Kind)
				return
			}
			var out struct {
				Method, Path string
				Query        map[string]any
				Headers      map[string]string
			}
			require.NoError(t, json.Unmarshal(data, &out))
			require.NotEmpty(t, out.Path)
			require.NotContains(t, out.Headers, "authorization")
		}
	})
}

// FuzzDecodeJSON: whatever comes in, a body is decoded or refused with an error of the domain.
func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(`{"name":"t","kind":"kv","script":"s","config":{"collection":"*"},"retry":{"maximum_attempts":1}}`))
	f.Add([]byte("{\n\"name\": x"))
	f.Add([]byte(`{"retry":[null]}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, into := range []any{&TriggerCreate{}, &TriggerPatch{}, &ScriptPut{}, &Invoke{}, &json.RawMessage{}} {
			if err := decodeJSON(body, into, ""); err != nil {
				require.NotNil(t, picloud.AsError(err))
			}
		}
	})
}

func TestMetricsWantTheAdministratorsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("picloud_up 1")) })
	})
	require.Equal(t, http.StatusUnauthorized, w.do(t.Context(), "GET", "/metrics", "", map[string]string{"Authorization": ""}).Code)
	got := w.do(t.Context(), "GET", "/metrics", "", nil)
	require.Equal(t, []any{http.StatusOK, "picloud_up 1"}, []any{got.Code, got.Body.String()})
}
