package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/ratelimit"
)

// Attempts to sign in, right or wrong, up to these: for one address, and for one name from wherever.
const (
	signInsPerSecond = 1.0 / 6
	signInBurst      = 10
)

// signIns are the buckets of both.
type signIns struct{ addresses, names *ratelimit.Limiter }

func newSignIns() signIns {
	policy := ratelimit.Policy{Name: "sign-in", PerSecond: signInsPerSecond, Burst: signInBurst}
	return signIns{addresses: ratelimit.New(policy), names: ratelimit.New(policy)}
}

// visitor is what a request says besides its content.
type visitor struct {
	ip, requestID string
	secured       bool   // the connection is encrypted
	token         string // of the session, see tokenOf
}

type visitorKey struct{}

func (s *server) withVisitor(c *gin.Context) {
	v := visitor{ip: c.ClientIP(), requestID: c.Writer.Header().Get(requestIDHeader), secured: s.secured(c)}
	v.token = tokenOf(c, v.secured)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), visitorKey{}, v))
}

func visitorFrom(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}

// sessionOf gives the caller of the request's cookie. Forbidden "cross_origin" where another site makes the browser send it: a cookie comes along by itself.
func (s *server) sessionOf(c *gin.Context, token string) (auth.Caller, error) {
	if err := http.NewCrossOriginProtection().Check(c.Request); err != nil {
		return auth.Caller{}, errCrossOrigin()
	}
	return s.auth.Session(c.Request.Context(), s.Sessions, token)
}

func errCrossOrigin() error {
	return picloud.Errorf(picloud.Forbidden, "cross_origin", "the request comes from another site")
}

// tokenOf gives the session's token of a request; "" if there is none, and for the ingress: any page may link there.
func tokenOf(c *gin.Context, secured bool) string {
	if isIngress(c) || c.GetHeader("Authorization") != "" {
		return ""
	}
	cookie, err := c.Request.Cookie(auth.CookieName(auth.SessionCookie, secured))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// dropSession takes the server's own cookies out of the headers of a request, and leaves others.
func dropSession(h http.Header) {
	cookies := (&http.Request{Header: h}).Cookies()
	if !slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return auth.IsCookie(c.Name) }) {
		return
	}
	h.Del("Cookie")
	for _, c := range cookies {
		if !auth.IsCookie(c.Name) {
			(&http.Request{Header: h}).AddCookie(c)
		}
	}
}

// take counts an attempt from an address, and for a name unless it is "".
func (l signIns) take(address, name string) error {
	decisions := []ratelimit.Decision{l.addresses.Take(network(address))}
	if name != "" {
		decisions = append(decisions, l.names.Take(name[:min(len(name), 100)]))
	}
	for _, d := range decisions {
		if !d.Allowed {
			return &tooManyError{d}
		}
	}
	return nil
}

// signIn checks name and password, begins a session and gives its cookie. The password may be an API key, as in HTTP Basic: then the name does not matter, and the session has the rights of
// the key. Every attempt that is not too early is in the audit log.
func (s *server) signIn(ctx context.Context, name, password string) (*http.Cookie, error) {
	if err := s.signIns.take(visitorFrom(ctx).ip, name); err != nil {
		return nil, err
	}
	switch caller, err := s.auth.Key(ctx, password); {
	case err == nil:
		return s.endSignIn(ctx, signedIn{who: caller.Principal.Name, means: "api_key", principal: caller.Principal, key: caller.Key}, nil)
	case picloud.ErrorCode(err) == "expired_key" || picloud.ErrorCode(err) == "principal_disabled":
		return s.endSignIn(ctx, signedIn{who: auditText(name), means: "api_key"}, err)
	case !isUnauthenticated(err):
		return nil, err
	}
	p, err := auth.SignIn(ctx, s.Sessions, auditText(name), password)
	return s.endSignIn(ctx, signedIn{who: auditText(name), means: "password", principal: p}, err)
}

// signedIn is an attempt to sign in: who somebody said to be, by what means, and who that is.
type signedIn struct {
	who, means string
	principal  picloud.Principal
	key        *picloud.APIKey // nil: by other means
}

// endSignIn begins the session and gives its cookie, or gives err, that of the attempt. It is in the audit log, unless nothing was decided.
func (s *server) endSignIn(ctx context.Context, a signedIn, err error) (*http.Cookie, error) {
	v := visitorFrom(ctx)
	entry := picloud.AuditEntry{Action: "createSession", TargetKind: "principal", TargetID: a.who, IP: v.ip, RequestID: v.requestID}
	after := map[string]string{"means": a.means}
	var cookie *http.Cookie
	switch e := picloud.AsError(err); {
	case err == nil:
		token, err := auth.NewSession(ctx, s.Sessions, a.principal, a.key)
		if err != nil {
			return nil, err
		}
		cookie, entry.Principal, entry.TargetID, entry.Outcome = auth.Cookie(token, v.secured), a.principal.Name, a.principal.Name, picloud.AuditDone
	case e == nil || e.Kind == picloud.Internal || e.Kind == picloud.Unavailable:
		return nil, err
	default:
		entry.Outcome, after["code"] = picloud.AuditDenied, e.Code
	}
	var fault error
	if entry.After, fault = json.Marshal(after); fault != nil {
		return nil, fmt.Errorf("encode sign-in: %w", fault)
	}
	if fault := s.Audit.AppendAudit(ctx, entry); fault != nil {
		return nil, fault
	}
	return cookie, err
}

// tooManyError says that somebody has tried to sign in too often.
type tooManyError struct{ decision ratelimit.Decision }

// Error implements error.
func (e *tooManyError) Error() string {
	return "too many attempts to sign in: wait as long as Retry-After says"
}

// seconds gives the time to wait, at least one second.
func (e *tooManyError) seconds() int { return max(1, int(e.decision.RetryAfter.Seconds()+0.999)) }

// CreateSession implements StrictServerInterface.
func (s *server) CreateSession(ctx context.Context, request CreateSessionRequestObject) (CreateSessionResponseObject, error) {
	cookie, err := s.signIn(ctx, request.Body.Name, request.Body.Password)
	if early, ok := err.(*tooManyError); ok { //nolint:errorlint // signIn wraps nothing
		return CreateSession429ApplicationProblemPlusJSONResponse{
			Body: Problem{
				Type: "about:blank", Title: http.StatusText(http.StatusTooManyRequests), Status: http.StatusTooManyRequests, Code: "rate_limited",
				Detail: orNil(early.Error()), RequestID: orNil(visitorFrom(ctx).requestID),
			},
			Headers: CreateSession429ResponseHeaders{RetryAfter: early.seconds()},
		}, nil
	}
	if err != nil {
		return nil, err
	}
	return CreateSession201Response{Headers: CreateSession201ResponseHeaders{SetCookie: cookie.String()}}, nil
}

// DeleteSession implements StrictServerInterface.
func (s *server) DeleteSession(ctx context.Context, _ DeleteSessionRequestObject) (DeleteSessionResponseObject, error) {
	if token := visitorFrom(ctx).token; token != "" {
		if err := s.Sessions.DeleteSession(ctx, auth.Digest(token)); err != nil {
			return nil, err
		}
		s.auth.Forget()
	}
	return DeleteSession204Response{Headers: DeleteSession204ResponseHeaders{SetCookie: auth.Cookie("", visitorFrom(ctx).secured).String()}}, nil
}
