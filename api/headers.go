package api

import (
	"net/netip"

	"github.com/gin-gonic/gin"
)

// secure sets the security headers; a handler may set a stricter policy in their place.
func (s *server) secure(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if s.secured(c) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	d := doorOf(c.Request.URL.Path)
	if d.policy != "" {
		h.Set("Content-Security-Policy", d.policy)
	}
	if !d.store {
		h.Set("Cache-Control", "no-store")
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
