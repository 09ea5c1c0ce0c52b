package api

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func secretScenarios() []scenario {
	stored := func(name, value string) func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
			t.Helper()
			require.Equal(t, value, w.secrets[name])
			require.Empty(t, rec.Body.String())
			require.NotContains(t, w.log.String(), value)
		}
	}
	bad := func(name, path, body, field string) scenario {
		return scenario{
			name: "put secret: " + name, operation: "putSecret", method: "PUT", path: shop + "/secrets/" + path, body: body, status: 422, code: "invalid", field: field,
			after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.NotContains(t, rec.Body.String(), "hush")
			},
		}
	}
	return []scenario{
		{name: "list secrets", operation: "listSecrets", path: shop + "/secrets", status: 200, says: []string{`"name":"KEY"`}, after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
			t.Helper()
			require.NotContains(t, rec.Body.String(), "value of")
		}},
		{name: "list secrets: page", operation: "listSecrets", path: shop + "/secrets?cursor=KEY&limit=1", status: 200, says: []string{`"items":[]`}},
		{name: "list secrets: cursor", operation: "listSecrets", path: shop + "/secrets?cursor=-", status: 422, code: "invalid", field: "cursor"},
		{name: "list secrets: limit", operation: "listSecrets", path: shop + "/secrets?limit=0", status: 422, code: "invalid", field: "limit"},
		{name: "list secrets: no app", operation: "listSecrets", path: "/v1/apps/none/secrets", status: 404, code: "app_not_found"},
		{name: "put secret: new", operation: "putSecret", method: "PUT", path: shop + "/secrets/NEW.key-1", body: `{"value":"hush-hush"}`, status: 201, after: stored("NEW.key-1", "hush-hush")},
		{name: "put secret: again", operation: "putSecret", method: "PUT", path: shop + "/secrets/KEY", body: `{"value":"hush-hush"}`, status: 204, after: stored("KEY", "hush-hush")},
		{
			name: "put secret: largest", operation: "putSecret", method: "PUT", path: shop + "/secrets/KEY", body: `{"value":"` + strings.Repeat(`\u0001`, picloud.MaxSecretValue) + `"}`,
			options: func(o *Options) { o.Ceiling.PayloadBytes = 1024 }, status: 204,
		},
		bad("empty", "KEY", `{"value":""}`, "value"), bad("too long", "KEY", `{"value":"hush`+strings.Repeat("x", picloud.MaxSecretValue)+`"}`, "value"),
		bad("no value", "KEY", `{}`, "value"), bad("number", "KEY", `{"value":1}`, "value"), bad("null", "KEY", `{"value":null}`, "value"),
		bad("unknown field", "KEY", `{"value":"hush","name":"x"}`, "name"), bad("name", "a%20b", `{"value":"hush"}`, "secret"), bad("name of a path", "a%2Fb", `{"value":"hush"}`, "secret"),
		{name: "put secret: no JSON", operation: "putSecret", method: "PUT", path: shop + "/secrets/KEY", body: `{`, status: 400, code: "malformed_json"},
		{name: "put secret: no app", operation: "putSecret", method: "PUT", path: "/v1/apps/none/secrets/KEY", body: `{"value":"hush"}`, status: 404, code: "app_not_found"},
		{
			name: "put secret: full", operation: "putSecret", method: "PUT", path: shop + "/secrets/ONE_MORE", body: `{"value":"hush"}`, status: 409, code: "secrets_full",
			before: func(w *world) {
				for i := range picloud.MaxSecrets {
					w.secrets[fmt.Sprint("K", i)] = "x"
				}
			},
		},
		{name: "put secret: too large", operation: "putSecret", method: "PUT", path: shop + "/secrets/KEY", body: `{"value":"` + strings.Repeat("x", 1<<20) + `"}`, status: 413, code: "payload_too_large"},
		{name: "put secret: nobody", operation: "putSecret", method: "PUT", path: shop + "/secrets/KEY", body: `{"value":"hush"}`, headers: map[string]string{"Authorization": ""}, status: 401, code: "unauthenticated"},
		{name: "delete secret", operation: "deleteSecret", method: "DELETE", path: shop + "/secrets/KEY", status: 204, after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			t.Helper()
			require.Empty(t, w.secrets)
		}},
		{name: "delete secret: unknown", operation: "deleteSecret", method: "DELETE", path: shop + "/secrets/NONE", status: 404, code: "secret_not_found"},
		{name: "delete secret: name", operation: "deleteSecret", method: "DELETE", path: shop + "/secrets/-", status: 422, code: "invalid", field: "secret"},
		{name: "there is no address for a value", method: "GET", path: shop + "/secrets/KEY", status: 405, code: "method_not_allowed"},
	}
}
