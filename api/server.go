// Package api is the outside of PiCloud: the REST API under /v1, the ingress under /run, and the doors to the dashboard and to the Temporal UI.
//
// openapi.yaml is its source: openapi.gen.go (the gin interface and the types) and client/ are generated from it.
package api

import (
	"cmp"
	"context"
	_ "embed"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config codegen/server.yaml openapi.yaml
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config codegen/client.yaml openapi.yaml

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI gives the document that describes the API, as YAML.
func OpenAPI() []byte { return openAPI }

// Options are what the API is made of. All interfaces and Log are required, of a process that serves scripts only those that the endpoints of scripts need.
type Options struct {
	Apps        picloud.Apps
	Scripts     picloud.Scripts
	Compiler    picloud.Compiler
	Triggers    picloud.Triggers
	KV          picloud.KV
	Topics      picloud.Topics
	Queues      picloud.Queues
	Secrets     picloud.Secrets
	Executions  picloud.Executions
	Chains      picloud.Chains
	Abandoned   picloud.Abandoned
	DeadLetters picloud.DeadLetters
	Bulk        picloud.BulkReplays
	BulkEngine  picloud.BulkEngine
	Engine      picloud.Engine
	Inbox       picloud.Inbox
	Leaving     Leaving
	Presence    picloud.Presence
	Outbox      picloud.Outbox
	Endpoints   picloud.Endpoints
	Schedules   picloud.Schedules
	Idempotency picloud.Idempotency
	Principals  picloud.Principals
	APIKeys     picloud.APIKeys
	Credentials picloud.Credentials
	Audit       picloud.AuditLog
	Sessions    picloud.Sessions
	DryRunner   picloud.DryRunner // nil = this process runs no scripts
	OIDC        *auth.OIDC        // nil = persons sign in by password only

	Log        logrus.FieldLogger
	PublicURL  string              // e.g. "https://example.com"; "" = what the request says
	MailDomain picloud.MailDomain  // below which the apps have theirs; "" = localhost
	Ceiling    picloud.Limits      // what a script may ask for at most; zero fields = picloud.DefaultLimits
	Retry      picloud.RetryPolicy // the instance's default; zero = picloud.DefaultRetryPolicy
	MaxDepth   int                 // of a chain of triggers; 0 = 16

	RateLimits     RateLimits     // zero = no bounds
	TrustedProxies []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed
	AuditData      bool           // the audit log gets changes of data and direct calls too: keys written and deleted, messages, invocations

	Serves     Serves       // the doors that are open; zero = all
	TemporalUI http.Handler // serves /temporal/…, prefix included; nil = 404
	Dashboard  http.Handler // serves what nothing else does; nil = a page that names the addresses

	Metrics http.Handler // serves /metrics; nil = 404

	// Ready says whether database and engine answer; nil = always. Its error goes to the log only.
	Ready func(ctx context.Context) error
}

// server implements the operations of openapi.yaml (StrictServerInterface) and the ingress.
type server struct {
	Options
	auth      *auth.Authenticator
	rules     map[string]rule // by method and route
	strangers *strangers
	limiters  limiters
	signIns   signIns
	readiness readiness
}

// New makes the handler of everything that PiCloud serves over HTTP.
func New(options Options) http.Handler {
	if options.Retry.MaximumAttempts == 0 {
		options.Retry = picloud.DefaultRetryPolicy
	}
	if options.MaxDepth == 0 {
		options.MaxDepth = 16
	}
	options.MailDomain = cmp.Or(options.MailDomain, "localhost")
	options.Ceiling = options.Ceiling.Or(picloud.DefaultLimits)
	options.PublicURL = strings.TrimRight(options.PublicURL, "/")
	rules, err := ownRules()
	if err != nil {
		panic(err) // openapi.yaml is part of the program
	}
	s := &server{Options: options, auth: auth.New(options.Credentials), rules: rules, strangers: newStrangers(), limiters: newLimiters(options.RateLimits), signIns: newSignIns()}
	return s.routes()
}
