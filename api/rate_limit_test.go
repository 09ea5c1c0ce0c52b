package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTooManyRequestsAreRefusedByKeyAndByAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.RateLimits = RateLimits{Key: 0.001, Address: 0.001} }) // a bucket of one, which nobody fills again in this test
	noKey := map[string]string{"Authorization": ""}
	wrongKey := map[string]string{"Authorization": "Bearer pck_guess"}

	first := w.do(t.Context(), http.MethodGet, "/v1/apps", "", nil)
	assert.Equal(t, http.StatusOK, first.Code)
	assert.Equal(t, `"key";q=1;w=1000`, first.Header().Get("Ratelimit-Policy"))
	assert.Contains(t, first.Header().Get("Ratelimit"), `"key";r=0;t=`)

	second := w.do(t.Context(), http.MethodGet, "/v1/apps", "", nil)
	assert.Equal(t, http.StatusTooManyRequests, second.Code)
	assert.Contains(t, second.Body.String(), `"code":"rate_limited"`)
	assert.Contains(t, second.Body.String(), "this key")
	assert.NotEmpty(t, second.Header().Get("Retry-After"))

	assert.Equal(t, http.StatusUnauthorized, w.do(t.Context(), http.MethodGet, "/v1/apps", "", wrongKey).Code, "an address has a bucket of its own")
	for _, headers := range []map[string]string{wrongKey, noKey} {
		refused := w.do(t.Context(), http.MethodGet, "/v1/apps", "", headers)
		assert.Equal(t, http.StatusTooManyRequests, refused.Code)
		assert.Contains(t, refused.Body.String(), "this address")
	}
	assert.Equal(t, http.StatusTooManyRequests, w.do(t.Context(), http.MethodPost, "/run/shop/hello", "", noKey).Code, "the ingress is no way around it")
	assert.Equal(t, http.StatusOK, w.do(t.Context(), http.MethodGet, "/healthz", "", noKey).Code, "health is asked by machines that never tire")
}

// A sender's own bearer is no guess at a key where no key is asked for; where one is, it is, and it counts for the address everywhere.
func TestABearerOfAnotherHouse(t *testing.T) {
	t.Parallel()
	foreign := map[string]string{"Authorization": "Bearer the sender's own"}
	for auth, want := range map[string]struct {
		status int
		says   string
	}{
		"none":    {http.StatusAccepted, `"status":"queued"`},
		"webhook": {http.StatusServiceUnavailable, `"code":"webhook_secret_missing"`},
		"key":     {http.StatusUnauthorized, `"code":"wrong_key"`},
	} {
		w := newWorld(t, func(o *Options) { o.RateLimits = RateLimits{Address: 0.001} })
		w.triggers[0].HTTP.Auth, w.triggers[0].HTTP.Signature = auth, "standard"
		rec := w.do(t.Context(), http.MethodPut, "/run/shop/hello/later/1", "{}", foreign)
		assert.Equal(t, want.status, rec.Code, rec.Body)
		assert.Contains(t, rec.Body.String(), want.says)
		assert.Equal(t, http.StatusTooManyRequests, w.do(t.Context(), http.MethodPut, "/run/shop/hello/later/1", "{}", foreign).Code)
	}
}
