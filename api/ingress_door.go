package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// errAnswered says that the request has its answer already.
var errAnswered = errors.New("answered")

// letIn finds the endpoint of a request and the trigger that covers it, and lets in who may call: by a key, or whoever comes where that trigger asks for none (a webhook's
// signature is looked at with its body). It answers preflights by itself: errAnswered.
func (s *server) letIn(c *gin.Context) (picloud.Endpoint, picloud.HTTPMatch, string, error) {
	r := c.Request
	endpoint, err := s.endpoint(r.Context(), c.Param("app"), c.Param("script"))
	if err != nil && picloud.AsError(err) == nil {
		return endpoint, picloud.HTTPMatch{}, "", err
	}
	path, malformed := cleanPath(pathOf(c))
	match := picloud.MatchHTTP(endpoint.Triggers, r.Method, path)
	if crossOrigin(c, endpoint.Triggers, match, path) {
		return endpoint, match, path, errAnswered
	}
	if !match.Open { // whoever may not call does not learn what is there
		if err := authorizeIngress(r.Context(), c.Param("app")); err != nil {
			return endpoint, match, path, err
		}
	}
	switch {
	case err != nil:
		return endpoint, match, path, err
	case malformed != nil:
		return endpoint, match, path, malformed
	case len(match.Allow) > 0:
		c.Header("Allow", strings.Join(match.Allow, ", "))
		s.write(c, http.StatusMethodNotAllowed, problem{Code: "method_not_allowed", Detail: "the triggers of this path take " + strings.Join(match.Allow, ", ")})
		return endpoint, match, path, errAnswered
	}
	return endpoint, match, path, nil
}

// authorizeIngress says whether the caller may invoke the app's scripts.
func authorizeIngress(ctx context.Context, app string) error {
	caller, known := auth.CallerFrom(ctx)
	if !known {
		if err, ok := ctx.Value(strangerKey{}).(error); ok {
			return denial{err}
		}
		return denial{auth.ErrNoKey()}
	}
	if err := authorize(caller, picloud.ScriptInvoke, app); err != nil {
		return denial{err}
	}
	return nil
}

// crossOrigin sets the headers by which pages of other origins may read the answer, where the trigger says so, and answers a preflight: then it gives true.
// A preflight comes without key and signature, and fires nothing.
func crossOrigin(c *gin.Context, triggers []picloud.Trigger, match picloud.HTTPMatch, path string) (answered bool) {
	r := c.Request
	asked := r.Header.Get("Access-Control-Request-Method")
	preflight := r.Method == http.MethodOptions && asked != ""
	if r.Header.Get("Origin") == "" {
		return false
	}
	if preflight {
		match = picloud.MatchHTTP(triggers, asked, path)
	}
	if match.Trigger == nil || match.Trigger.HTTP.CORS == nil {
		return false
	}
	corsOf(*match.Trigger.HTTP).HandlerFunc(c.Writer, r)
	if preflight {
		c.Writer.WriteHeaderNow()
	}
	return preflight
}

func corsOf(config picloud.HTTPConfig) *cors.Cors {
	c := config.CORS
	methods := c.Methods
	if len(methods) == 0 {
		methods = config.Methods
	}
	return cors.New(cors.Options{
		AllowedOrigins: c.Origins, AllowedMethods: methods, AllowedHeaders: c.Headers, AllowCredentials: c.Credentials, MaxAge: int(c.MaxAge / time.Second),
		ExposedHeaders: []string{executionHeader, "Location"},
	})
}

// isCORS says whether a header is one by which a server answers pages of other origins.
func isCORS(name string) bool { return strings.HasPrefix(name, "Access-Control-") }

// pathOf gives the path below the endpoint.
func pathOf(c *gin.Context) string {
	if path := c.Param("path"); path != "" {
		return path
	}
	return "/"
}
