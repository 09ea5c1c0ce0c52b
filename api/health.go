package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// readyTimeout bounds the questions that /readyz asks; readyTTL is how long their answer holds: everybody may ask, and as often as he likes.
const (
	readyTimeout = 5 * time.Second
	readyTTL     = time.Second
)

// readiness is the last answer.
type readiness struct {
	mutex sync.Mutex
	at    time.Time
	err   error
}

// ask gives an answer that is not older than readyTTL. Who comes while one is being got waits for that.
func (r *readiness) ask(ctx context.Context, ready func(context.Context) error) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if time.Since(r.at) < readyTTL {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	r.err = ready(ctx)
	r.at = time.Now()
	return r.err
}

// GetHealth implements StrictServerInterface.
func (s *server) GetHealth(context.Context, GetHealthRequestObject) (GetHealthResponseObject, error) {
	return GetHealth200JSONResponse{Status: Ok}, nil
}

// GetReadiness implements StrictServerInterface.
func (s *server) GetReadiness(ctx context.Context, _ GetReadinessRequestObject) (GetReadinessResponseObject, error) {
	if s.Ready != nil {
		if err := s.readiness.ask(ctx, s.Ready); err != nil {
			return nil, &picloud.Error{Kind: picloud.Unavailable, Code: "not_ready", Message: "the database or the engine does not answer", Cause: err}
		}
	}
	return GetReadiness200JSONResponse{Status: Ok}, nil
}

// landingPage stands in for the dashboard.
const landingPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>PiCloud</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:4rem auto;max-width:42rem;padding:0 1rem}code{background:#8882;padding:.1em .3em}</style></head>
<body><h1>PiCloud</h1><p>It runs. The addresses of this instance:</p><ul>
<li><code>/v1</code>: the REST API (<a href="/docs">its reference</a>), with <code>Authorization: Bearer &lt;api key&gt;</code></li>
<li><code>/run/{app}/{script}</code>: the endpoints of the scripts, with the same header</li>
<li><a href="/temporal/">/temporal/</a>: the Temporal UI, where every execution is a workflow</li>
<li><a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a>: is it alive, is it ready</li>
</ul></body></html>
`

// landing serves the landing page.
func landing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write([]byte(landingPage)) // the caller may be gone
}
