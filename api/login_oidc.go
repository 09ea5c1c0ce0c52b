package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// The doors of signing in at the OpenID Connect provider: there, and back.
const (
	oidcPath     = "/login/oidc"
	oidcCallback = "/login/oidc/callback"
)

// providerName is what the form calls the provider; "" if there is none.
func (s *server) providerName() string {
	if s.OIDC == nil {
		return ""
	}
	return s.OIDC.Name()
}

// oidcBegin sends the browser to the provider.
func (s *server) oidcBegin(c *gin.Context) {
	next := localPath(c.Query("next"))
	if d := s.signIns.addresses.Peek(network(c.ClientIP())); !d.Allowed {
		s.showTooMany(c, &tooManyError{d}, next)
		return
	}
	address, value, err := s.OIDC.Begin(c.Request.Context(), baseURL(c.Request.Context())+oidcCallback, next)
	if err != nil {
		s.failOIDC(c, err, next)
		return
	}
	http.SetCookie(c.Writer, oidcCookie(c, value, int(auth.OIDCLifetime/time.Second)))
	c.Header("Cache-Control", "no-store")
	c.Redirect(http.StatusSeeOther, address)
}

// oidcCookie makes the cookie of a sign-in under way. Lax: the provider sends the browser back from another site.
func oidcCookie(c *gin.Context, value string, maxAge int) *http.Cookie {
	secured := visitorFrom(c.Request.Context()).secured
	return &http.Cookie{ //nolint:gosec // Secure where the connection is
		Name: auth.CookieName(auth.OIDCCookie, secured), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secured,
	}
}

// oidcFinish takes the browser back from the provider. Its cookie is for one attempt.
func (s *server) oidcFinish(c *gin.Context) {
	if err := s.signIns.take(c.ClientIP(), ""); err != nil {
		s.failOIDC(c, err, "/")
		return
	}
	ctx := c.Request.Context()
	value, _ := c.Cookie(auth.CookieName(auth.OIDCCookie, visitorFrom(ctx).secured)) // without one it is ""
	http.SetCookie(c.Writer, oidcCookie(c, "", -1))
	email, next, err := s.OIDC.Finish(ctx, value, c.Request.URL.Query())
	var p picloud.Principal
	if err == nil {
		p, err = s.personOf(ctx, email)
	}
	cookie, err := s.endSignIn(ctx, signedIn{who: auditText(email), means: "oidc", principal: p}, err)
	if err != nil {
		s.failOIDC(c, err, localPath(next))
		return
	}
	http.SetCookie(c.Writer, cookie)
	c.Redirect(http.StatusSeeOther, localPath(next))
}

// personOf gives the person with that e-mail address. Forbidden "oidc_unknown".
func (s *server) personOf(ctx context.Context, email string) (picloud.Principal, error) {
	p, err := s.Sessions.PersonByEmail(ctx, email)
	if picloud.ErrorCode(err) == "principal_not_found" || (err == nil && p.Disabled) {
		return p, picloud.Errorf(picloud.Forbidden, "oidc_unknown", "nobody here has the e-mail address %s: an instance admin may add it", email)
	}
	return p, err
}

// failOIDC shows the form with what went wrong. Why the provider is not believed is for the log.
func (s *server) failOIDC(c *gin.Context, err error, next string) {
	if early, ok := err.(*tooManyError); ok { //nolint:errorlint // take wraps nothing
		s.showTooMany(c, early, next)
		return
	}
	e := picloud.AsError(err)
	if e == nil || e.Kind == picloud.Internal {
		s.fail(c, err)
		return
	}
	s.log(c).WithError(err).WithField("code", e.Code).Warn("sign-in refused")
	s.showLogin(c, statusOf[e.Kind], next, e.Message)
}
