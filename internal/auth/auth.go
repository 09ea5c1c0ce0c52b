// Package auth says who a caller is and what it may do: by an API key, or by a session of a person who has signed in.
package auth

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// Caller is who calls, and what with.
type Caller struct {
	Principal picloud.Principal
	Key       *picloud.APIKey // the key, or the one that began the session; nil = a session of a password or a provider
	Expires   time.Time       // of the session, or of the key; zero = never
	roles     map[string]picloud.Role
}

// Scopes gives what the caller may do in an app (by slug; "" = the instance): what its principal may do there, as far as its key goes. A key never exceeds its principal.
func (c Caller) Scopes(app string) picloud.Scopes {
	have := c.Principal.Scopes(c.roles[app])
	if c.Key == nil {
		return have.And(have)
	}
	if c.Key.App != "" && c.Key.App != app {
		return nil
	}
	return have.And(c.Key.Scopes)
}

// Sees says whether the app is there at all for the caller: for anybody else it looks as if it were not.
func (c Caller) Sees(app string) bool {
	_, member := c.roles[app]
	return (member || c.Principal.InstanceAdmin) && (c.Key == nil || c.Key.App == "" || c.Key.App == app)
}

// Apps gives the slugs of the apps that the caller sees; nil = all.
func (c Caller) Apps() []string {
	if c.Key != nil && c.Key.App != "" {
		if c.Sees(c.Key.App) {
			return []string{c.Key.App}
		}
		return []string{}
	}
	if c.Principal.InstanceAdmin {
		return nil
	}
	apps := make([]string, 0, len(c.roles))
	for app := range c.roles {
		apps = append(apps, app)
	}
	slices.Sort(apps)
	return apps
}

// Role gives the principal's role in an app; "" = none.
func (c Caller) Role(app string) picloud.Role { return c.roles[app] }

// Authorize says whether the caller may do what capability guards, in an app (by slug; "" = in the instance). NotFound "app_not_found" for an app that it does not see, as for
// one that is not there; Forbidden "forbidden" names what is missing.
func (c Caller) Authorize(capability picloud.Capability, app string) error {
	if app != "" && !c.Sees(app) {
		return picloud.NotFoundError("app", app)
	}
	have := c.Scopes(app)
	if have.Allows(capability) {
		return nil
	}
	where := "in the instance"
	if app != "" {
		where = fmt.Sprintf("in the app %q", app)
	}
	what := "nothing"
	if len(have) > 0 {
		names := make([]string, len(have))
		for i, s := range have {
			names[i] = string(s)
		}
		what = strings.Join(names, ", ")
	}
	by := "principal"
	if c.Key != nil {
		by = "key of principal"
	}
	return picloud.Errorf(picloud.Forbidden, "forbidden", "this needs the capability %s (scope %s) %s: the %s %q has %s there",
		capability, capability.Scope(), where, by, c.Principal.Name, what)
}

// BearerKey gives the key of "Authorization: Bearer <key>"; "" if there is none. Source: RFC 6750, section 2.1.
func BearerKey(r *http.Request) string {
	scheme, key, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// BrowserKey gives the key of a bearer or of HTTP Basic, where it is the password and the user name does not matter; "" if there is none.
func BrowserKey(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return BearerKey(r)
}

type callerKey struct{}

// WithCaller gives a context that carries c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom gives the caller that ctx carries; known is false if there is none: then the zero Caller may do nothing.
func CallerFrom(ctx context.Context) (c Caller, known bool) {
	c, known = ctx.Value(callerKey{}).(Caller)
	return c, known
}

// PrincipalFrom gives the principal of the caller that ctx carries; the zero Principal if none.
func PrincipalFrom(ctx context.Context) picloud.Principal {
	c, _ := CallerFrom(ctx)
	return c.Principal
}
