package api

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/picloud"
)

const loginStyle = `body{font:16px/1.5 system-ui,sans-serif;margin:4rem auto;max-width:20rem;padding:0 1rem}label{display:block;margin:1rem 0}input,button{font:inherit;width:100%;box-sizing:border-box;padding:.4em}a{display:block;margin:1rem 0;padding:.4em;border:1px solid;text-align:center}`

// loginPage is the form before the pages.
var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>PiCloud: sign in</title><style>` + loginStyle + `</style></head>
<body><h1>PiCloud</h1>{{with .Problem}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/login"><input type="hidden" name="next" value="{{.Next}}">
<label>Name <input name="name" autocomplete="username" autofocus></label>
<label>Password, or an API key <input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button></form>{{if .OIDC}}<a href="/login/oidc?next={{.Next}}">Sign in with {{.OIDC}}</a>{{end}}</body></html>
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
		s.showLogin(c, http.StatusOK, next, "")
		return
	}
	if http.NewCrossOriginProtection().Check(c.Request) != nil {
		s.fail(c, errCrossOrigin())
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 16<<10)
	next = localPath(c.PostForm("next"))
	cookie, err := s.signIn(c.Request.Context(), c.PostForm("name"), c.PostForm("password"))
	if early, ok := err.(*tooManyError); ok { //nolint:errorlint // signIn wraps nothing
		s.showTooMany(c, early, next)
		return
	}
	if e := picloud.AsError(err); e != nil && e.Kind == picloud.Unauthenticated {
		s.showLogin(c, http.StatusUnauthorized, next, strings.ToUpper(e.Message[:1])+e.Message[1:]+".")
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	http.SetCookie(c.Writer, cookie)
	c.Redirect(http.StatusSeeOther, next)
}

func (s *server) showTooMany(c *gin.Context, early *tooManyError, next string) {
	early.decision.WriteHeaders(c.Writer.Header())
	s.showLogin(c, http.StatusTooManyRequests, next, "Too many attempts: wait a little.")
}

func (s *server) showLogin(c *gin.Context, status int, next, problem string) {
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Header("Content-Security-Policy", loginPolicy)
	c.Header("Cache-Control", "no-store")
	c.Status(status)
	_ = loginPage.Execute(c.Writer, map[string]string{"Next": next, "Problem": problem, "OIDC": s.providerName()}) // the caller may be gone
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
