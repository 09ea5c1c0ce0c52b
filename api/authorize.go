package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"go.yaml.in/yaml/v3"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// rule is what openapi.yaml says about who may call an operation.
type rule struct {
	operation  string
	method     string
	path       string             // as in openapi.yaml
	capability picloud.Capability // "" = public
	dataPlane  bool               // x-data-plane: work, not administration; its record is the executions
}

// read says whether the operation changes nothing.
func (r rule) read() bool { return r.method == http.MethodGet || r.method == http.MethodHead }

// ownRules are those of the program's own description.
var ownRules = sync.OnceValues(func() (map[string]rule, error) { return rulesOf(openAPI) })

// rulesOf reads the rules of a description, by method and gin's route. An operation is public, with `security: []`, or carries `x-capability`: anything else is an error.
func rulesOf(description []byte) (map[string]rule, error) {
	var doc struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	if err := yaml.Unmarshal(description, &doc); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	rules := map[string]rule{}
	for path, item := range doc.Paths {
		for method, node := range item {
			if !isMethod(method) {
				continue
			}
			var operation struct {
				ID         string             `yaml:"operationId"`
				Capability picloud.Capability `yaml:"x-capability"`
				DataPlane  bool               `yaml:"x-data-plane"`
				Security   *[]map[string]any  `yaml:"security"`
			}
			if err := node.Decode(&operation); err != nil {
				return nil, fmt.Errorf("read %s %s of openapi.yaml: %w", method, path, err)
			}
			public := operation.Security != nil && len(*operation.Security) == 0
			switch {
			case public && operation.Capability != "":
				return nil, fmt.Errorf("openapi.yaml: %s is public and needs a capability: it can be one of the two", operation.ID)
			case !public && !operation.Capability.Known():
				return nil, fmt.Errorf("openapi.yaml: %s has x-capability %q, which is none: name one of picloud.Capabilities, or make it public with security: []", operation.ID, operation.Capability)
			}
			r := rule{operation.ID, strings.ToUpper(method), path, operation.Capability, operation.DataPlane}
			rules[r.method+" "+ginRoute(path)] = r
		}
	}
	return rules, nil
}

func isMethod(s string) bool {
	switch s {
	case "get", "put", "post", "delete", "patch", "head", "options", "trace":
		return true
	}
	return false
}

// ginRoute writes {app} as :app.
func ginRoute(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// ruleOf gives the rule of a request. What openapi.yaml does not have is for every known caller (an unknown address, the pages), save Temporal's UI, which shows and ends the executions of all apps, and the metrics, which name all apps.
// The ingress asks by itself: whether it wants to know who calls is its triggers' to say.
func (s *server) ruleOf(c *gin.Context) (r rule, public bool) {
	route := c.FullPath()
	r, ok := s.rules[c.Request.Method+" "+route]
	switch {
	case ok:
		return r, r.capability == ""
	case underPrefix(route, "/login"):
		return rule{operation: "login", method: c.Request.Method, path: route}, true
	case underPrefix(route, "/temporal"):
		return rule{operation: "temporalUI", method: c.Request.Method, path: route, capability: picloud.InstanceAdmin}, false
	case route == "/metrics":
		return rule{operation: "metrics", method: c.Request.Method, path: route, capability: picloud.InstanceAdmin}, false
	default:
		return rule{operation: "route", method: c.Request.Method, path: route, capability: picloud.SignedIn, dataPlane: true}, false
	}
}

// guard lets nobody through who is not known and may not do what the matched route does. The matched route counts, not the path: the two differ where a path is percent-encoded.
func (s *server) guard(c *gin.Context) {
	s.withVisitor(c)
	if isIngress(c) {
		dropSession(c.Request.Header) // it is none of the script's
	}
	r, public := s.ruleOf(c)
	if public {
		c.Next()
		return
	}
	s.draftAudit(c, r)
	caller, err := s.authenticate(c)
	if !s.admit(c, caller, err) {
		return
	}
	if err == nil {
		c.Request = c.Request.WithContext(auth.WithCaller(c.Request.Context(), caller))
		identifyAudit(c.Request.Context(), caller)
	}
	if isIngress(c) && (err == nil || isUnauthenticated(err)) { // a bearer that is none of ours may be the sender's own
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), strangerKey{}, err))
		c.Next()
		return
	}
	if err == nil {
		err = authorize(caller, r.capability, c.Param("app"))
	}
	if err != nil {
		s.refuse(c, err)
		return
	}
	if r.operation == "temporalUI" && !r.read() {
		if err := s.auditNow(c.Request.Context()); err != nil {
			s.fail(c, err)
			return
		}
	}
	c.Next()
}

// strangerKey is the context's key of why the caller of the ingress is not known.
type strangerKey struct{}

func isUnauthenticated(err error) bool {
	e := picloud.AsError(err)
	return e != nil && e.Kind == picloud.Unauthenticated
}

func isIngress(c *gin.Context) bool { return underPrefix(c.FullPath(), "/run") }

// authenticate gives the caller by the request's key.
func (s *server) authenticate(c *gin.Context) (auth.Caller, error) {
	if token := visitorFrom(c.Request.Context()).token; token != "" {
		return s.sessionOf(c, token)
	}
	if isAPI(c.Request.URL.Path) {
		return s.auth.Key(c.Request.Context(), auth.BearerKey(c.Request))
	}
	return s.auth.Key(c.Request.Context(), auth.BrowserKey(c.Request))
}

// authorize is Caller.Authorize for an app's name as it came from outside.
func authorize(caller auth.Caller, capability picloud.Capability, app string) error {
	err := caller.Authorize(capability, app)
	if picloud.ErrorCode(err) == "app_not_found" {
		return missing("app", app)
	}
	return err
}

// refuse answers a call that is denied, and notes it in the audit log first.
func (s *server) refuse(c *gin.Context, err error) {
	if kind := picloud.AsError(err); kind == nil || kind.Kind == picloud.Internal { // the database is away: nothing is decided
		s.fail(c, err)
		return
	}
	if isUnauthenticated(err) && wantsPage(c) { // who has not signed in yet is asked to, and not denied
		c.Abort()
		c.Redirect(http.StatusSeeOther, "/login?next="+url.QueryEscape(c.Request.URL.RequestURI()))
		return
	}
	if err := s.auditDenied(c, err); err != nil {
		s.fail(c, err)
		return
	}
	if isUnauthenticated(err) {
		challenge := `Bearer realm="PiCloud"`
		if !isAPI(c.Request.URL.Path) {
			challenge = `Basic realm="PiCloud", charset="UTF-8"`
		}
		c.Header("WWW-Authenticate", challenge)
	}
	s.fail(c, err)
}

// denial is an error about who calls.
type denial struct{ error }

// Unwrap gives the error itself.
func (d denial) Unwrap() error { return d.error }
