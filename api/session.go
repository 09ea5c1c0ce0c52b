package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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
	secured       bool // the connection is encrypted
}

type visitorKey struct{}

func (s *server) withVisitor(c *gin.Context) {
	v := visitor{ip: c.ClientIP(), requestID: c.Writer.Header().Get(requestIDHeader), secured: s.secured(c)}
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
func tokenOf(c *gin.Context) string {
	if isIngress(c) || c.GetHeader("Authorization") != "" {
		return ""
	}
	cookie, err := c.Request.Cookie(auth.SessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// dropSession takes the session's cookie out of the headers of a request, and leaves others.
func dropSession(h http.Header) {
	cookies := (&http.Request{Header: h}).Cookies()
	if !slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return c.Name == auth.SessionCookie }) {
		return
	}
	h.Del("Cookie")
	for _, c := range cookies {
		if c.Name != auth.SessionCookie {
			(&http.Request{Header: h}).AddCookie(c)
		}
	}
}

// signIn checks name and password, begins a session and gives its cookie. Every attempt that is not too early is in the audit log.
func (s *server) signIn(ctx context.Context, name, password string) (*http.Cookie, error) {
	v := visitorFrom(ctx)
	for _, d := range []ratelimit.Decision{s.signIns.addresses.Take(v.ip), s.signIns.names.Take(name[:min(len(name), 100)])} {
		if !d.Allowed {
			return nil, &tooMany{d.RetryAfter}
		}
	}
	entry := picloud.AuditEntry{Action: "createSession", TargetKind: "principal", TargetID: auditText(name), IP: v.ip, RequestID: v.requestID}
	p, err := auth.SignIn(ctx, s.Sessions, auditText(name), password)
	var cookie *http.Cookie
	switch {
	case err == nil:
		token, err := auth.NewSession(ctx, s.Sessions, p)
		if err != nil {
			return nil, err
		}
		cookie, entry.Principal, entry.Outcome = auth.Cookie(token, v.secured), p.Name, picloud.AuditDone
	case picloud.AsError(err) == nil:
		return nil, err
	default:
		entry.Outcome, entry.After = picloud.AuditDenied, json.RawMessage(`{"code":"wrong_credentials"}`)
	}
	if err := s.Audit.AppendAudit(ctx, entry); err != nil {
		return nil, err
	}
	return cookie, err
}

// tooMany says that somebody has tried to sign in too often.
type tooMany struct{ after time.Duration }

// Error implements error.
func (e *tooMany) Error() string {
	return "too many attempts to sign in: wait as long as Retry-After says"
}

// seconds gives the time to wait, at least one second.
func (e *tooMany) seconds() int { return max(1, int(e.after.Seconds()+0.999)) }

// CreateSession implements StrictServerInterface.
func (s *server) CreateSession(ctx context.Context, request CreateSessionRequestObject) (CreateSessionResponseObject, error) {
	cookie, err := s.signIn(ctx, request.Body.Name, request.Body.Password)
	if early, ok := err.(*tooMany); ok { //nolint:errorlint // signIn wraps nothing
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
func (s *server) DeleteSession(ctx context.Context, request DeleteSessionRequestObject) (DeleteSessionResponseObject, error) {
	if token := deref(request.Params.PicloudSession); token != "" {
		if err := s.Sessions.DeleteSession(ctx, auth.Digest(token)); err != nil {
			return nil, err
		}
		s.auth.Forget()
	}
	return DeleteSession204Response{Headers: DeleteSession204ResponseHeaders{SetCookie: auth.Cookie("", visitorFrom(ctx).secured).String()}}, nil
}

const loginStyle = `body{font:16px/1.5 system-ui,sans-serif;margin:4rem auto;max-width:20rem;padding:0 1rem}label{display:block;margin:1rem 0}input,button{font:inherit;width:100%;box-sizing:border-box;padding:.4em}`

// loginPage is the form before the pages.
var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>PiCloud: sign in</title><style>` + loginStyle + `</style></head>
<body><h1>PiCloud</h1>{{with .Problem}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/login"><input type="hidden" name="next" value="{{.Next}}">
<label>Name <input name="name" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button></form></body></html>
`))

// loginPolicy lets the page do nothing but show its own style and send its form here.
var loginPolicy = func() string {
	sum := sha256.Sum256([]byte(loginStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// login shows the form, and takes it.
func (s *server) login(c *gin.Context) {
	next := localPath(c.Query("next"))
	if c.Request.Method != http.MethodPost {
		showLogin(c, http.StatusOK, next, "")
		return
	}
	if http.NewCrossOriginProtection().Check(c.Request) != nil {
		s.fail(c, errCrossOrigin())
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 16<<10)
	next = localPath(c.PostForm("next"))
	cookie, err := s.signIn(c.Request.Context(), c.PostForm("name"), c.PostForm("password"))
	if early, ok := err.(*tooMany); ok { //nolint:errorlint // signIn wraps nothing
		c.Header("Retry-After", strconv.Itoa(early.seconds()))
		showLogin(c, http.StatusTooManyRequests, next, "Too many attempts: wait a little.")
		return
	}
	if picloud.ErrorCode(err) == "wrong_credentials" {
		showLogin(c, http.StatusUnauthorized, next, "Name or password are wrong.")
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	http.SetCookie(c.Writer, cookie)
	c.Redirect(http.StatusSeeOther, next)
}

func showLogin(c *gin.Context, status int, next, problem string) {
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Header("Content-Security-Policy", loginPolicy)
	c.Header("Cache-Control", "no-store")
	c.Status(status)
	_ = loginPage.Execute(c.Writer, map[string]string{"Next": next, "Problem": problem}) // the caller may be gone
}

// localPath gives a path of this server to go on to; "/" for anything else.
func localPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\r\n") {
		return "/"
	}
	return s
}

// wantsPage says whether a browser asks for a page that a person who is not signed in should get the form for.
func wantsPage(c *gin.Context) bool {
	return c.Request.Method == http.MethodGet && !isAPI(c.Request.URL.Path) && c.GetHeader("Authorization") == "" && strings.Contains(c.GetHeader("Accept"), "text/html")
}
