package api

import (
	"context"
	"net/http"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// readyTimeout bounds the questions that /readyz asks.
const readyTimeout = 5 * time.Second

// GetHealth implements StrictServerInterface.
func (s *server) GetHealth(context.Context, GetHealthRequestObject) (GetHealthResponseObject, error) {
	return GetHealth200JSONResponse{Status: Ok}, nil
}

// GetReadiness implements StrictServerInterface.
func (s *server) GetReadiness(ctx context.Context, _ GetReadinessRequestObject) (GetReadinessResponseObject, error) {
	if s.Ready != nil {
		ctx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		if err := s.Ready(ctx); err != nil {
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
