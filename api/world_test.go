package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/dryrun"
	"github.com/picloud/picloud/internal/picloud"
)

const testKey = "pck_test"

// The ids of what every world has.
var (
	idHTTPTrigger  = testID(1)
	idKVTrigger    = testID(2)
	idQueued       = testID(30)
	idFinished     = testID(20)
	idFailed       = testID(10)
	idUnresolved   = testID(40)
	idResolved     = testID(41)
	idNoSuchThing  = testID(999)
	letterOfScript = "hello"
)

// world is one API over a fake store and engine.
type world struct {
	*memory
	engine  *fakeEngine
	runner  *fakeRunner
	bulk    *fakeBulk
	inbox   *fakeInbox
	log     *bytes.Buffer
	options Options
	handler http.Handler
}

// newWorld makes an app "shop" with scripts (see fakeEngine.Start), two triggers, three executions, two dead letters and a key.
func newWorld(t testing.TB, change ...func(*Options)) *world {
	t.Helper()
	m, inbox := newMemory(), newFakeInbox()
	w := &world{memory: m, inbox: inbox, engine: newFakeEngine(m, inbox), runner: &fakeRunner{}, bulk: newFakeBulk(), log: &bytes.Buffer{}}
	m.app["shop"] = picloud.App{ID: "app-shop", Slug: "shop", Name: "The shop", CreatedAt: day, FetchAllow: []string{"api.example"}}
	for _, name := range []string{"hello", "throws", "timeout", "response", "binary", "badstatus", "nothing", "slow", "elsewhere", "lost", "unused"} {
		_, _, _, err := m.PutScript(context.Background(), "app-shop", picloud.ScriptVersion{
			Script: name, Language: picloud.TypeScript, Source: "export default () => 1", SHA256: "digest", Limits: picloud.DefaultLimits,
		}, true)
		require.NoError(t, err)
	}
	m.triggers = []picloud.Trigger{
		{
			ID: idHTTPTrigger, AppID: "app-shop", Name: "later", Kind: picloud.KindHTTP, Script: "hello", Enabled: true,
			HTTP:                  &picloud.HTTPConfig{Methods: []string{"PUT"}, Path: "/later/*", Mode: picloud.HTTPAsync, Auth: "key"},
			RegisteredByPrincipal: "someone", CreatedAt: day, UpdatedAt: day,
		},
		{
			ID: idKVTrigger, AppID: "app-shop", Name: "on-order", Kind: picloud.KindKV, Script: "hello", Enabled: true,
			KV: &picloud.KVConfig{Collection: "orders", Key: "*"}, Retry: &picloud.DefaultRetryPolicy, RegisteredByPrincipal: "someone", CreatedAt: day, UpdatedAt: day,
		},
	}
	m.kv["orders/a/b"] = picloud.KVEntry{Collection: "orders", Key: "a/b", Value: json.RawMessage(`{"n":12345678901234567890}`), Version: 7, UpdatedAt: day}
	m.kv["orders/z"] = picloud.KVEntry{Collection: "orders", Key: "z", Value: json.RawMessage(`null`), Version: 9, UpdatedAt: day}
	m.sequence = 9
	fault := picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "TypeError", Message: "x", Stack: "at hello:1:1"}
	event := picloud.Event{SpecVersion: "1.0", ID: testID(5), Source: "/apps/shop/kv/orders", Type: picloud.TypeKVCreated, Time: day, Data: json.RawMessage(`{"a":1}`), RootID: testID(5), Depth: 1}
	base := picloud.Execution{AppID: "app-shop", Script: "hello", Kind: picloud.KindKV, Event: &event, Depth: 1, RootID: testID(5), Principal: "someone", QueuedAt: day}
	queued, finished, failed := base, base, base
	queued.ID, queued.Status = idQueued, picloud.StatusQueued
	finished.ID, finished.Status, finished.Version, finished.StartedAt, finished.FinishedAt = idFinished, picloud.StatusSucceeded, 1, day, day
	finished.Result = &picloud.Result{Response: &picloud.Response{Status: 200, Body: []byte("x")}}
	finished.Effects = []picloud.Effect{{Type: picloud.EffectKVSet, Collection: "c", Key: "k", Value: json.RawMessage("1")}}
	finished.Attempts = []picloud.Attempt{{Attempt: 1, Error: &fault, RetryAfter: 1e9, StartedAt: day, FinishedAt: day}}
	finished.Logs = []picloud.LogLine{{Time: day, Level: "info", Message: "seen { n: 1 }", Values: json.RawMessage(`[{"n":1}]`)}}
	failed.ID, failed.Status, failed.Error, failed.FinishedAt = idFailed, picloud.StatusDeadLettered, &fault, day
	m.executions[idQueued], m.executions[idFinished], m.executions[idFailed] = queued, finished, failed
	letter := picloud.DeadLetter{
		ID: idUnresolved, AppID: "app-shop", ExecutionID: idFailed, Script: letterOfScript, Version: 1, Trigger: "on-order", Kind: picloud.KindKV,
		Reason: picloud.ReasonScriptError, Error: fault, Event: event, Attempts: 3, Depth: 1, Fingerprint: "f", CreatedAt: day,
	}
	m.letters[idUnresolved] = letter
	letter.ID, letter.Resolution, letter.ResolvedAt, letter.ResolvedBy = idResolved, picloud.Ignored, day, "admin"
	m.letters[idResolved] = letter
	m.abandoned = []picloud.AbandonedExecution{{ExecutionID: idFinished, Script: "hello", Committed: picloud.Committed{Status: picloud.StatusSucceeded}, AbandonedAt: day}}
	m.addPrincipal(picloud.Principal{Kind: picloud.Person, Name: picloud.AdminPrincipal, InstanceAdmin: true})
	m.addKey(picloud.AdminPrincipal, testKey, "", time.Time{}, picloud.ScopeInstanceAdmin)
	m.writes = 0

	log := logrus.New()
	log.SetOutput(w.log)
	log.SetLevel(logrus.DebugLevel)
	w.options = Options{
		Apps: m, Scripts: m, Compiler: m, Triggers: m, KV: m, Topics: m, Queues: m, Secrets: m, Executions: m, Chains: m, Abandoned: m, DeadLetters: m, Bulk: w.bulk, BulkEngine: w.bulk, Engine: w.engine, Inbox: inbox, Leaving: m, Presence: m, Outbox: m,
		Endpoints: m, Idempotency: m, Schedules: m, Log: log,
		Principals: m, APIKeys: m, Credentials: m, Audit: m, Sessions: m,
		TemporalUI: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(rw, "temporal "+r.URL.Path+r.Header.Get("Authorization"))
		}),
		DryRunner: &dryrun.Runner{Sandbox: w.runner, Scripts: m, Endpoints: m, KV: m, Grants: m, Tapes: m},
	}
	for _, c := range change {
		c(&w.options)
	}
	w.handler = New(w.options)
	return w
}

// do sends a request with the right key, unless the headers say otherwise.
func (w *world) do(ctx context.Context, method, path, body string, headers map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+testKey)
	for name, value := range headers {
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// scenario is one HTTP case.
type scenario struct {
	name      string
	operation string // operationId; "" for what openapi.yaml does not have
	method    string // "" is GET
	path      string
	body      string
	headers   map[string]string // a value "" takes the header away
	options   func(*Options)
	before    func(*world)

	notOurs bool // the problem is the standard library's to write

	status  int
	code    string            // of the problem
	field   string            // of the problem's first field
	says    []string          // parts of the body
	answers map[string]string // headers of the answer
	after   func(t *testing.T, w *world, rec *httptest.ResponseRecorder)
}

// spec loads openapi.yaml.
func spec(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI())
	require.NoError(t, err)
	require.NoError(t, doc.Validate(context.Background()))
	return doc
}

// operationsOf gives the operations of openapi.yaml with their routes.
func operationsOf(doc *openapi3.T) map[string]*routers.Route {
	out := map[string]*routers.Route{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			out[operation.OperationID] = &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: operation}
		}
	}
	return out
}

func (s scenario) run(t *testing.T, operations map[string]*routers.Route) {
	t.Helper()
	options := func(*Options) {}
	if s.options != nil {
		options = s.options
	}
	w := newWorld(t, options)
	if s.before != nil {
		s.before(w)
		w.writes = 0
	}
	method := s.method
	if method == "" {
		method = http.MethodGet
	}
	rec := w.do(t.Context(), method, s.path, s.body, s.headers)
	answer := rec.Body.String()
	require.Equal(t, s.status, rec.Code, answer)
	require.NotEmpty(t, rec.Header().Get(requestIDHeader))
	if s.code != "" {
		require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
		var p problem
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
		require.Equal(t, s.code, p.Code, answer)
		require.Equal(t, s.status, p.Status)
		require.NotEmpty(t, p.Title)
		require.Equal(t, rec.Header().Get(requestIDHeader), p.RequestID)
		if s.field != "" {
			require.NotEmpty(t, p.Errors, answer)
			require.Equal(t, s.field, p.Errors[0].Field, answer)
		}
	} else if !s.notOurs {
		require.Empty(t, s.field)
		require.Less(t, s.status, 400, "a problem has a code")
	}
	for _, part := range s.says {
		require.Contains(t, answer, part)
	}
	for name, value := range s.answers {
		require.Equal(t, value, rec.Header().Get(name), name)
	}
	if s.status >= 400 {
		require.Zero(t, w.writes, "a refused request stores nothing")
	}
	if s.operation != "" {
		route := operations[s.operation]
		require.NotNil(t, route, s.operation)
		require.Equal(t, method, route.Method)
		require.NoError(t, openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: httptest.NewRequest(method, s.path, nil), Route: route},
			Status:                 rec.Code, Header: rec.Header(), Body: io.NopCloser(strings.NewReader(answer)),
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}), answer)
	}
	if s.after != nil {
		s.after(t, w, rec)
	}
}
