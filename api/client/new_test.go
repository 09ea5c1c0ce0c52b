package client

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientSendsItsKeyAndReadsProblems(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "Bearer k", r.Header.Get("Authorization"))
		if r.URL.EscapedPath() == "/v1/apps/a/kv/c/x%2Fy" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"n":12345678901234567890}`))
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"type":"about:blank","title":"T","status":422,"code":"compile_error","detail":"D","errors":[{"field":"source","message":"M","line":2,"column":3}]}`))
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, "k")
	require.NoError(t, err)

	value, err := c.GetKVWithResponse(t.Context(), "a", "c", "x/y", nil)
	require.NoError(t, err)
	require.JSONEq(t, `{"n":12345678901234567890}`, string(*value.JSON200))
	require.NoError(t, Check(value.StatusCode(), value.Body))

	put, err := c.PutScriptWithResponse(t.Context(), "a", "s", ScriptPut{Source: "x", Language: "ts"})
	require.NoError(t, err)
	require.Equal(t, "compile_error", put.ApplicationProblemJSON422.Code)
	require.EqualError(t, Check(put.StatusCode(), put.Body), "D (compile_error); source: M (line 2, column 3)")
	require.EqualError(t, Check(502, []byte("<html>")), "server answered 502 Bad Gateway")
}
