package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReferenceNeedsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, address := range []string{"/docs", "/docs/"} {
		page := w.do(t.Context(), http.MethodGet, address, "", nil)
		require.Equal(t, http.StatusOK, page.Code, address)
		require.Contains(t, page.Header().Get("Content-Security-Policy"), "script-src 'self';")
		parts := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
		require.Len(t, parts, 4)
		for _, part := range parts {
			answer := w.do(t.Context(), http.MethodGet, part[1], "", nil)
			assert.Equal(t, http.StatusOK, answer.Code, part[1])
			assert.NotEmpty(t, answer.Body.Bytes(), part[1])
		}
	}
	script := w.do(t.Context(), http.MethodGet, "/docs/start.js", "", nil)
	description := regexp.MustCompile(`url: "([^"]+)"`).FindStringSubmatch(script.Body.String())
	require.Len(t, description, 2)
	require.True(t, strings.HasPrefix(w.do(t.Context(), http.MethodGet, description[1], "", nil).Body.String(), "openapi: "))
	require.Equal(t, http.StatusNotFound, w.do(t.Context(), http.MethodGet, "/docs/no-such-file", "", nil).Code)
}
