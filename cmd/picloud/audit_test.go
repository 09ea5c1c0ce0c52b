package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api"
	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/testkit"
)

// change is one call of an operation that changes something. In path, body and later steps {name} stands for what an earlier step has kept under that name.
type change struct {
	operation, method, path, body string
	keep                          map[string]string // name → field of the answer
	before, after                 string            // what the entry says of either; "" = nothing
}

// calls makes requests as different callers and keeps what they are answered.
type calls struct {
	up   *testkit.Instance
	kept map[string]string
}

func (c *calls) fill(s string) string {
	for name, value := range c.kept {
		s = strings.ReplaceAll(s, "{"+name+"}", value)
	}
	return s
}

// do gives the status, the id and the body of the answer.
func (c *calls) do(t *testing.T, key, method, path, body string) (status int, requestID string, answer []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.up.URL+c.fill(path), strings.NewReader(c.fill(body)))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer got.Body.Close() //nolint:errcheck // it is read
	answer, err = io.ReadAll(got.Body)
	require.NoError(t, err)
	return got.StatusCode, got.Header.Get("X-Request-ID"), answer
}

// entries gives the audit log's entries of an action by the request with that id, newest first.
func (c *calls) entries(t *testing.T, action, requestID string) []client.AuditEntry {
	t.Helper()
	_, _, body := c.do(t, c.up.Key, http.MethodGet, "/v1/audit?limit=20&action="+url.QueryEscape(action), "")
	var list struct {
		Items []client.AuditEntry `json:"items"`
	}
	require.NoError(t, json.Unmarshal(body, &list), string(body))
	var of []client.AuditEntry
	for _, e := range list.Items {
		if e.RequestID == requestID {
			of = append(of, e)
		}
	}
	return of
}

// Every operation that changes something, on the running program, writes who, what, when, from where, and the state before and after; and so does every one that is denied. An operation that
// is missing here fails the test.
func TestEveryChangeAndEveryDenialIsInTheAuditLog(t *testing.T) {
	began := time.Now().Add(-time.Minute)
	c := &calls{up: testkit.Up(t), kept: map[string]string{}}
	const script = `{"language":"ts","source":"export default async (e: any) => { if (e.data.fail) throw new NonRetryableError('no'); }"}`
	changes := []change{
		{operation: "createApp", method: "POST", path: "/v1/apps", body: `{"slug":"shop","name":"Shop"}`, after: `"Shop"`},
		{operation: "patchApp", method: "PATCH", path: "/v1/apps/shop", body: `{"fetch_allow":["a.example"]}`, before: `"fetch_allow":[]`, after: `a.example`},
		{operation: "createPrincipal", method: "POST", path: "/v1/principals", body: `{"kind":"person","name":"ann","password":"correct horse"}`, after: `"has_password":true`},
		{operation: "patchPrincipal", method: "PATCH", path: "/v1/principals/ann", body: `{"password":"another horse"}`, before: `"has_password":true`, after: `"password_changed":true`},
		{operation: "putMember", method: "PUT", path: "/v1/apps/shop/members/ann", body: `{"role":"app_admin"}`, after: `"app_admin"`},
		{operation: "putMember", method: "PUT", path: "/v1/apps/shop/members/ann", body: `{"role":"viewer"}`, before: `"app_admin"`, after: `"viewer"`},
		{operation: "createAPIKey", method: "POST", path: "/v1/api-keys", body: `{"principal":"ann","scopes":["data:read","app:admin"]}`, keep: map[string]string{"key": "id", "viewer": "key"}, after: `"principal":"ann"`},
		{operation: "putScript", method: "PUT", path: "/v1/apps/shop/scripts/s", body: script, after: `"active_version":1`},
		{operation: "putScript", method: "PUT", path: "/v1/apps/shop/scripts/s", body: strings.Replace(script, "'no'", "'never'", 1), before: `"active_version":1`, after: `"active_version":2`},
		{operation: "activateScriptVersion", method: "POST", path: "/v1/apps/shop/scripts/s/versions/1/activate", before: `"active_version":2`, after: `"active_version":1`},
		{operation: "putSecret", method: "PUT", path: "/v1/apps/shop/secrets/K", body: `{"value":"sesame-opens"}`, after: `"K"`},
		{operation: "putSecret", method: "PUT", path: "/v1/apps/shop/secrets/K", body: `{"value":"sesame-opens-2"}`, before: `"updated_at"`, after: `"updated_at"`},
		{operation: "deleteSecret", method: "DELETE", path: "/v1/apps/shop/secrets/K", before: `"K"`},
		{operation: "createTrigger", method: "POST", path: "/v1/apps/shop/triggers", body: `{"name":"p","kind":"pubsub","script":"s","config":{"topic":"go"},"filter":"true"}`, keep: map[string]string{"trigger": "id"}, after: `"filter":"true"`},
		{operation: "patchTrigger", method: "PATCH", path: "/v1/apps/shop/triggers/{trigger}", body: `{"filter":"1 < 2"}`, before: `"filter":"true"`, after: `1 `},
		{operation: "fireTrigger", method: "POST", path: "/v1/apps/shop/triggers/{trigger}/fire", body: `{"data":{"fail":true}}`, keep: map[string]string{"fired": "id"}, after: `"execution":`},
		{operation: "createTrigger", method: "POST", path: "/v1/apps/shop/triggers", body: `{"name":"c","kind":"cron","script":"s","config":{"schedule":"0 3 * * *"}}`, keep: map[string]string{"cron": "id"}, after: `"0 3 * * *"`},
		{
			operation: "backfillTrigger", method: "POST", path: "/v1/apps/shop/triggers/{cron}/backfill", after: `"ticks":`,
			body: `{"from":"` + time.Now().Add(-48*time.Hour).UTC().Format(time.RFC3339) + `","to":"` + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + `"}`,
		},
		{operation: "pauseApp", method: "POST", path: "/v1/apps/shop/pause", before: `"paused":false`, after: `"paused":true`},
		{operation: "cancelExecution", method: "POST", path: "/v1/apps/shop/executions/{queued}/cancel", before: `"status":"queued"`, after: `"canceled"`},
		{operation: "cancelExecutions", method: "POST", path: "/v1/apps/shop/executions/cancel", body: `{"status":"queued"}`, before: `"status":"queued"`, after: `"queued":`},
		{operation: "resumeApp", method: "POST", path: "/v1/apps/shop/resume", before: `"paused":true`, after: `"paused":false`},
		{operation: "replayDeadLetter", method: "POST", path: "/v1/apps/shop/dead-letters/{letter}/replay", body: `{}`, before: `{}`, after: `"replayed"`},
		{operation: "ignoreDeadLetter", method: "POST", path: "/v1/apps/shop/dead-letters/{second}/ignore", body: `{"note":"known"}`, before: `{}`, after: `"known"`},
		{operation: "replayDeadLetters", method: "POST", path: "/v1/apps/shop/dead-letters/replay", body: `{"filter":{"resolution":"unresolved"},"rate_per_second":1}`, keep: map[string]string{"bulk": "id"}, after: `"rate":1`},
		{operation: "cancelBulkReplay", method: "POST", path: "/v1/apps/shop/bulk-replays/{bulk}/cancel", before: `"status":`, after: `"canceled"`},
		{operation: "deleteTrigger", method: "DELETE", path: "/v1/apps/shop/triggers/{cron}", before: `"0 3 * * *"`},
		{operation: "deleteTrigger", method: "DELETE", path: "/v1/apps/shop/triggers/{trigger}", before: `"pubsub"`},
		{operation: "deleteScript", method: "DELETE", path: "/v1/apps/shop/scripts/s", before: `"active_version":1`},
		{operation: "deleteAPIKey", method: "DELETE", path: "/v1/api-keys/{key}", before: `"principal":"ann"`},
		{operation: "deleteMember", method: "DELETE", path: "/v1/apps/shop/members/ann", before: `"viewer"`},
		{operation: "deletePrincipal", method: "DELETE", path: "/v1/principals/ann", before: `"person"`},
		{operation: "deleteSession", method: "DELETE", path: "/v1/session"},
		{operation: "deleteApp", method: "DELETE", path: "/v1/apps/shop", before: `"Shop"`},
	}
	// What steps need besides: an execution that waits, and dead letters.
	prepare := map[string]func(){
		"cancelExecution": func() {
			_, _, body := c.do(t, c.up.Key, "POST", "/v1/apps/shop/topics/go/messages", `{"data":{}}`)
			var sent struct {
				Executions []string `json:"executions"`
			}
			require.NoError(t, json.Unmarshal(body, &sent), string(body))
			require.NotEmpty(t, sent.Executions, string(body))
			c.kept["queued"] = sent.Executions[0]
		},
		"pauseApp":         func() { c.kept["letter"] = c.letter(t, c.kept["fired"]) }, // what is queued then is canceled below
		"ignoreDeadLetter": func() { c.kept["second"] = c.letter(t, c.fail(t)) },
		"replayDeadLetters": func() { // so many that the bulk replay is under way when it is canceled
			failed := make([]string, 30)
			for i := range failed {
				failed[i] = c.fail(t)
			}
			for _, id := range failed {
				c.letter(t, id)
			}
		},
	}
	tried := map[string]bool{}
	for _, x := range changes {
		if f := prepare[x.operation]; f != nil {
			f()
		}
		if viewer := c.kept["viewer"]; viewer != "" && x.operation != "deleteSession" && x.operation != "createAPIKey" && x.operation != "deleteAPIKey" && !tried["deleteAPIKey"] {
			status, id, body := c.do(t, viewer, x.method, x.path, x.body)
			require.Equal(t, http.StatusForbidden, status, "%s: %s", x.operation, body)
			denied := c.entries(t, x.operation, id)
			require.Len(t, denied, 1, x.operation)
			assert.Equal(t, "denied", denied[0].Outcome)
			assert.Equal(t, "ann", *denied[0].Principal)
			assert.Equal(t, "127.0.0.1", denied[0].IP)
			assert.Contains(t, string(denied[0].After), "needs the capability")
		}
		status, id, body := c.do(t, c.up.Key, x.method, x.path, x.body)
		require.Less(t, status, 300, "%s: %s", x.operation, body)
		fields := map[string]any{}
		_ = json.Unmarshal(body, &fields) // some answers have no body
		for name, field := range x.keep {
			text, ok := fields[field].(string)
			require.True(t, ok, "%s has no %s: %s", x.operation, field, body)
			c.kept[name] = text
		}
		list := c.entries(t, x.operation, id)
		require.NotEmpty(t, list, "%s is not in the audit log", x.operation)
		e := list[len(list)-1]
		for _, e := range list {
			assert.Equal(t, "done", e.Outcome, x.operation)
			assert.Equal(t, "admin", *e.Principal, x.operation)
			assert.NotNil(t, e.KeyID, x.operation)
			assert.Equal(t, "127.0.0.1", e.IP, x.operation)
			assert.True(t, e.At.After(began), x.operation)
		}
		for what, state := range map[string]struct{ want, got string }{"before": {x.before, string(e.Before)}, "after": {x.after, string(e.After)}} {
			if state.want == "" {
				assert.Equal(t, "null", state.got, "%s: %s", x.operation, what)
			}
			assert.Contains(t, state.got, state.want, "%s: %s", x.operation, what)
		}
		tried[x.operation] = true
	}
	_, _, whole := c.do(t, c.up.Key, http.MethodGet, "/v1/audit?limit=500", "")
	for _, secret := range []string{"sesame-opens", "correct horse", "another horse", c.kept["viewer"]} {
		assert.NotContains(t, string(whole), secret)
	}

	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	require.NoError(t, err)
	for _, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			_, data := operation.Extensions["x-data-plane"]
			if method != http.MethodGet && !data && operation.OperationID != "createSession" { // its entries: TestASessionOfAPerson
				assert.True(t, tried[operation.OperationID], "%s is not tried", operation.OperationID)
			}
		}
	}
}

// fail fires the trigger with what its script refuses, and gives the execution.
func (c *calls) fail(t *testing.T) string {
	t.Helper()
	_, _, body := c.do(t, c.up.Key, http.MethodPost, "/v1/apps/shop/triggers/{trigger}/fire", `{"data":{"fail":true}}`)
	var fired struct {
		ID string `json:"id"`
	}
	require.NoError(t, json.Unmarshal(body, &fired), string(body))
	require.NotEmpty(t, fired.ID, string(body))
	return fired.ID
}

// letter waits for the dead letter of an execution.
func (c *calls) letter(t *testing.T, executionID string) string {
	t.Helper()
	found := ""
	testkit.Until(t, time.Minute, "the dead letter", func() bool {
		_, _, body := c.do(t, c.up.Key, "GET", "/v1/apps/shop/dead-letters?resolution=unresolved", "")
		var list struct {
			Items []client.DeadLetter `json:"items"`
		}
		require.NoError(t, json.Unmarshal(body, &list), string(body))
		for _, l := range list.Items {
			if l.ExecutionID == executionID {
				found = l.ID
			}
		}
		return found != ""
	})
	return found
}
