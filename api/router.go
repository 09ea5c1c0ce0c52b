package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/picloud"
)

// routes wires all routes. Every request passes the guard, unknown ones too.
func (s *server) routes() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.RedirectTrailingSlash = false
	r.HandleMethodNotAllowed = true
	r.UseRawPath = true // a kv key may hold %2F
	r.UnescapePathValues = true
	trusted := make([]string, len(s.TrustedProxies))
	for i, prefix := range s.TrustedProxies {
		trusted[i] = prefix.String()
	}
	_ = r.SetTrustedProxies(trusted) // prefixes can all be parsed

	r.Use(s.identify, s.secure, s.logAccess, s.recover, s.misdirected, s.guard, s.limitBody)
	RegisterHandlersWithOptions(r, NewStrictHandler(s, StrictErrors{Request: s.fail, Handler: s.fail, Response: s.fail, Done: s.auditChange}),
		GinServerOptions{ErrorHandler: s.failParameter})

	r.Any("/run/:app/:script", s.ingress)
	r.Any("/run/:app/:script/*path", s.ingress)
	r.GET("/login", s.login)
	r.POST("/login", s.login)
	if s.OIDC != nil {
		r.GET(oidcPath, s.oidcBegin)
		r.GET(oidcCallback, s.oidcFinish)
	}
	reference(r)
	if s.Metrics != nil {
		r.GET("/metrics", gin.WrapH(s.Metrics))
	}
	if s.TemporalUI != nil {
		ui := forBrowsers(s.TemporalUI)
		r.Any("/temporal", gin.WrapH(ui))
		r.Any("/temporal/*path", gin.WrapH(ui))
	}
	dashboard := s.Dashboard
	if dashboard == nil {
		dashboard = http.HandlerFunc(landing)
	}
	dashboard = forBrowsers(dashboard)
	r.NoMethod(func(c *gin.Context) {
		s.write(c, http.StatusMethodNotAllowed, problem{Code: "method_not_allowed", Detail: "this address does not take " + c.Request.Method})
	})
	r.NoRoute(func(c *gin.Context) {
		path := c.Request.URL.Path
		if isAPI(path) || underPrefix(path, "/temporal") || (s.Dashboard == nil && path != "/") {
			s.fail(c, picloud.Errorf(picloud.NotFound, "route_not_found", "there is nothing at this address"))
			return
		}
		c.Status(http.StatusOK) // gin has set 404
		dashboard.ServeHTTP(c.Writer, c.Request)
	})
	return r
}

// forBrowsers guards handlers that browsers reach by HTTP Basic. A browser sends its password by itself, so requests that change something and come from
// other origins are refused; and the key is kept from handlers that have no use for it and may pass headers on.
func forBrowsers(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"type":"about:blank","title":"Forbidden","status":403,"code":"cross_origin","detail":"the request comes from another site"}`))
	}))
	next = protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.Header.Del("Authorization")
		dropSession(r.Header)
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		next.ServeHTTP(w, r)
	})
}
