package api

import (
	"net/netip"

	"github.com/gin-gonic/gin"
)

// door is one of the parts of the address space, with what a browser may do with its answers.
type door struct {
	prefix string // of the path; "" = the rest
	policy string // Content-Security-Policy; "" = the page brings its own
	store  bool   // caches may keep the answers
}

// doors are tried in their order. Scripts' answers share the host with the dashboard and may be anybody's HTML: the sandbox gives such a page an origin of its
// own, so that it runs, but reads and sends nothing as the person who is signed in here (CSP Level 3, section 6.3.2).
var doors = []door{
	{prefix: "/v1", policy: "default-src 'none'; frame-ancestors 'none'"},
	{prefix: "/run", policy: "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts", store: true},
	{prefix: "/temporal", store: true},
	{prefix: "", policy: "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'", store: true},
}

// secure sets the security headers; a handler may set a stricter policy in their place.
func (s *server) secure(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if s.secured(c) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	for _, d := range doors {
		if d.prefix != "" && !underPrefix(c.Request.URL.Path, d.prefix) {
			continue
		}
		if d.policy != "" {
			h.Set("Content-Security-Policy", d.policy)
		}
		if !d.store {
			h.Set("Cache-Control", "no-store")
		}
		break
	}
	c.Next()
}

// secured says whether the caller's connection is encrypted, up to this server or to a trusted proxy before it.
func (s *server) secured(c *gin.Context) bool {
	return c.Request.TLS != nil || (s.fromProxy(c) && c.GetHeader("X-Forwarded-Proto") == "https")
}

// fromProxy says whether the connection comes from a proxy whose X-Forwarded-* headers are believed.
func (s *server) fromProxy(c *gin.Context) bool {
	peer, err := netip.ParseAddr(c.RemoteIP())
	if err != nil {
		return false
	}
	for _, prefix := range s.TrustedProxies {
		if prefix.Contains(peer.Unmap()) {
			return true
		}
	}
	return false
}
