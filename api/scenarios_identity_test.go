package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func identityScenarios() []scenario {
	post := func(path, name, body string, status int, code, field string) scenario {
		return scenario{name: name, method: "POST", path: path, body: body, status: status, code: code, field: field}
	}
	principal := func(name, body string, status int, code, field string) scenario {
		s := post("/v1/principals", name, body, status, code, field)
		s.operation = "createPrincipal"
		return s
	}
	key := func(name, body string, status int, code, field string) scenario {
		s := post("/v1/api-keys", name, body, status, code, field)
		s.operation = "createAPIKey"
		return s
	}
	ann := func(w *world) { w.addPrincipal(picloud.Principal{Kind: picloud.Person, Name: "ann"}) }
	member := func(w *world) { ann(w); w.roles["shop ann"] = picloud.RoleViewer }
	as := func(key string) map[string]string { return map[string]string{"Authorization": "Bearer " + key} }
	// A key of the admin that reads data of one app, until tomorrow.
	narrow := func(w *world) {
		w.addKey(picloud.AdminPrincipal, "pck_narrow", "shop", time.Now().Add(24*time.Hour), picloud.ScopeDataRead)
	}
	with := func(s scenario, before func(*world), key string) scenario {
		s.before, s.headers = before, as(key)
		return s
	}
	return []scenario{
		{name: "me", operation: "getMe", path: "/v1/me", status: 200, says: []string{`"name":"admin"`, `"instance:admin"`, `"key":{`}},
		{
			name: "me by a narrow key", operation: "getMe", path: "/v1/me", before: narrow, headers: as("pck_narrow"), status: 200,
			says: []string{`"app":"shop"`, `"scopes":[]`},
		},

		{name: "all", operation: "listPrincipals", path: "/v1/principals", status: 200, says: []string{`"name":"admin"`}},
		{name: "bad cursor", operation: "listPrincipals", path: "/v1/principals?cursor=%00", status: 422, code: "invalid", field: "cursor"},
		principal("person", `{"kind":"person","name":"ann","email":"Ann@example.com","password":"correct horse"}`, 201, "", ""),
		principal("service", `{"kind":"service","name":"ci"}`, 201, "", ""),
		principal("taken", `{"kind":"person","name":"admin"}`, 409, "principal_exists", ""),
		principal("bad kind", `{"kind":"robot","name":"ann"}`, 422, "invalid", "kind"),
		principal("bad name", `{"kind":"person","name":"Ann B"}`, 422, "invalid", "name"),
		principal("bad e-mail", `{"kind":"person","name":"ann","email":"Ann <ann@example.com>"}`, 422, "invalid", "email"),
		principal("short password", `{"kind":"person","name":"ann","password":"short"}`, 422, "invalid", "password"),
		principal("long password", `{"kind":"person","name":"ann","password":"`+long(201)+`"}`, 422, "invalid", "password"),
		principal("password of a service", `{"kind":"service","name":"ci","password":"correct horse"}`, 422, "invalid", "password"),
		{name: "one", operation: "getPrincipal", path: "/v1/principals/ann", before: member, status: 200, says: []string{`"apps":[{"app":"shop","role":"viewer"}]`}},
		{name: "none", operation: "getPrincipal", path: "/v1/principals/ann", status: 404, code: "principal_not_found"},
		{name: "no name", operation: "getPrincipal", path: "/v1/principals/%00", status: 404, code: "principal_not_found"},
		{
			name: "disabled", operation: "patchPrincipal", method: "PATCH", path: "/v1/principals/ann", body: `{"disabled":true,"email":"a@b.example","password":"correct horse"}`, before: ann, status: 200,
			says: []string{`"disabled":true`, `"has_password":true`, `"email":"a@b.example"`},
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, []string{testID(3)}, w.synced, "the timers of its cron triggers are to go")
				require.NotContains(t, w.log.String(), "correct horse")
			},
		},
		{name: "password taken away", operation: "patchPrincipal", method: "PATCH", path: "/v1/principals/ann", body: `{"password":""}`, before: ann, status: 200, says: []string{`"has_password":false`}},
		{name: "last admin", operation: "patchPrincipal", method: "PATCH", path: "/v1/principals/admin", body: `{"disabled":true}`, status: 409, code: "last_admin"},
		{name: "gone", operation: "deletePrincipal", method: "DELETE", path: "/v1/principals/ann", before: ann, status: 204},
		{name: "last admin", operation: "deletePrincipal", method: "DELETE", path: "/v1/principals/admin", status: 409, code: "last_admin"},
		{name: "none", operation: "deletePrincipal", method: "DELETE", path: "/v1/principals/ann", status: 404, code: "principal_not_found"},

		{name: "all", operation: "listMembers", path: shop + "/members", before: member, status: 200, says: []string{`"principal":"ann"`, `"role":"viewer"`}},
		{name: "made", operation: "putMember", method: "PUT", path: shop + "/members/ann", body: `{"role":"developer"}`, before: ann, status: 200, says: []string{`"role":"developer"`}},
		{name: "bad role", operation: "putMember", method: "PUT", path: shop + "/members/ann", body: `{"role":"king"}`, before: ann, status: 422, code: "invalid", field: "role"},
		{name: "nobody", operation: "putMember", method: "PUT", path: shop + "/members/ann", body: `{"role":"viewer"}`, status: 404, code: "principal_not_found"},
		{name: "gone", operation: "deleteMember", method: "DELETE", path: shop + "/members/ann", before: member, status: 204},
		{name: "no member", operation: "deleteMember", method: "DELETE", path: shop + "/members/ann", before: ann, status: 404, code: "member_not_found"},

		{
			name: "own", operation: "listAPIKeys", path: "/v1/api-keys", before: member, status: 200, says: []string{`"principal":"admin"`},
			after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.NotContains(t, rec.Body.String(), testKey)
			},
		},
		{name: "everybody's", operation: "listAPIKeys", path: "/v1/api-keys?principal=*", status: 200},
		{name: "another's", operation: "listAPIKeys", path: "/v1/api-keys?principal=admin", before: func(w *world) { w.member(picloud.RoleAppAdmin) }, headers: as("pck_key_of_a-app-admin"), status: 403, code: "forbidden"},
		key("own", `{"scopes":["data:read"],"app":"shop","expires_at":"2099-01-01T00:00:00Z"}`, 201, "", ""),
		key("no scopes", `{"scopes":[]}`, 422, "invalid", "scopes"),
		key("unknown scope", `{"scopes":["data:delete"]}`, 422, "invalid", "scopes"),
		key("a scope twice", `{"scopes":["data:read","data:read"]}`, 422, "invalid", "scopes"),
		key("past", `{"scopes":["data:read"],"expires_at":"2000-01-01T00:00:00Z"}`, 422, "invalid", "expires_at"),
		key("no time", `{"scopes":["data:read"],"expires_at":"tomorrow"}`, 422, "invalid", "expires_at"),
		key("no app", `{"scopes":["data:read"],"app":"none"}`, 422, "invalid", "app"),
		with(key("an app that one does not see", `{"scopes":["data:read"],"app":"shop"}`, 422, "invalid", "app"), func(w *world) { w.member("") }, "pck_key_of_stranger"),
		key("nobody's", `{"scopes":["data:read"],"principal":"nobody"}`, 404, "principal_not_found", ""),
		key("admin of one app", `{"scopes":["instance:admin"],"app":"shop"}`, 422, "invalid", "scopes"),
		with(key("admin's of no admin", `{"scopes":["instance:admin"],"principal":"ann"}`, 422, "invalid", "scopes"), ann, testKey),
		with(key("wider than the key", `{"scopes":["data:read","data:write"],"app":"shop"}`, 403, "forbidden", ""), narrow, "pck_narrow"),
		with(key("beyond the key's app", `{"scopes":["data:read"]}`, 403, "forbidden", ""), narrow, "pck_narrow"),
		with(key("longer than the key", `{"scopes":["data:read"],"app":"shop","expires_at":"2099-01-01T00:00:00Z"}`, 403, "forbidden", ""), narrow, "pck_narrow"),
		{name: "gone", operation: "deleteAPIKey", method: "DELETE", path: "/v1/api-keys/" + testID(801), before: narrow, status: 204},
		{name: "one that goes further", operation: "deleteAPIKey", method: "DELETE", path: "/v1/api-keys/" + testID(800), before: narrow, headers: as("pck_narrow"), status: 403, code: "forbidden"},
		{name: "another's", operation: "deleteAPIKey", method: "DELETE", path: "/v1/api-keys/" + testID(800), before: func(w *world) { w.member(picloud.RoleAppAdmin) }, headers: as("pck_key_of_a-app-admin"), status: 404, code: "api_key_not_found"},
		{name: "none", operation: "deleteAPIKey", method: "DELETE", path: "/v1/api-keys/x", status: 404, code: "api_key_not_found"},

		{
			name: "a change", operation: "listAudit", path: "/v1/audit?app=shop&outcome=done&since=2000-01-01T00:00:00Z", status: 200,
			before: func(w *world) { w.do(context.Background(), "PATCH", shop, `{"fetch_allow":[]}`, nil) },
			says:   []string{`"action":"patchApp"`, `"principal":"admin"`, `"ip":"192.0.2.1"`, `"outcome":"done"`},
		},
		{
			name: "a denied call", operation: "listAudit", path: "/v1/audit?outcome=denied", status: 200,
			before: func(w *world) { w.do(context.Background(), "DELETE", shop, "", as(w.member(picloud.RoleViewer))) },
			says:   []string{`"action":"deleteApp"`, `"principal":"a-viewer"`, "AppManage", `"outcome":"denied"`},
		},
		{name: "bad outcome", operation: "listAudit", path: "/v1/audit?outcome=maybe", status: 422, code: "invalid", field: "outcome"},
		{name: "bad time", operation: "listAudit", path: "/v1/audit?until=now", status: 422, code: "invalid", field: "until"},
	}
}

func TestARevokedKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do(t.Context(), "POST", "/v1/api-keys", `{"scopes":["data:read"]}`, nil)
	require.Equal(t, 201, rec.Code, rec.Body)
	var made APIKeyMade
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &made))
	require.Contains(t, made.Key, made.Prefix+"_")
	use := func() int {
		return w.do(t.Context(), "GET", shop+"/kv/orders", "", map[string]string{"Authorization": "Bearer " + made.Key}).Code
	}
	require.Equal(t, 200, use())
	require.Equal(t, 204, w.do(t.Context(), "DELETE", "/v1/api-keys/"+made.ID, "", nil).Code)
	require.Equal(t, 401, use())
}

// An app that one has no role in looks as one that is not there.
func TestForeignAppsAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := map[string]string{"Authorization": "Bearer " + w.member("")}
	for _, path := range []string{"/v1/apps/%s", "/v1/apps/%s/kv/orders", "/v1/apps/%s/members", "/run/%s/hello"} {
		there := w.do(t.Context(), "GET", fmt.Sprintf(path, "shop"), "", key)
		absent := w.do(t.Context(), "GET", fmt.Sprintf(path, "none"), "", key)
		require.Equal(t, 404, there.Code, there.Body)
		require.Equal(t, bare(t, absent, "none"), bare(t, there, "shop"))
	}
	require.NotContains(t, w.do(t.Context(), "GET", "/v1/apps", "", key).Body.String(), "shop")
}

// bare is a problem without what differs between two requests.
func bare(t *testing.T, rec *httptest.ResponseRecorder, app string) problem {
	t.Helper()
	var p problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	require.Contains(t, p.Detail, app)
	p.RequestID, p.Detail = "", ""
	return p
}
