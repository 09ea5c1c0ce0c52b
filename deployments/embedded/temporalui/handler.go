// Package temporalui serves the Temporal UI, its pages and its API, as an http.Handler below a path of another server.
//
// It puts together the routes of github.com/temporalio/ui-server by itself, because that module's server listens on a port of
// its own, where nobody is asked who they are. Who may see the UI is the business of whoever mounts the handler.
package temporalui

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// maxMessage is the largest answer taken from Temporal, in bytes: histories are long.
const maxMessage = 64 << 20

// assetPaths are the static files of the UI; every other path is a page of the single-page application.
var assetPaths = []string{"/_app/*", "/favicon*", "/css/*", "/codemirror/*", "/android*", "/apple*", "/banner*", "/logo*", "/i18n/*", "/site.webmanifest"}

// Options say which Temporal is shown, and where.
type Options struct {
	// TemporalAddress is the host:port of the gRPC frontend. Required.
	TemporalAddress string
	// Namespace is the one shown first.
	Namespace string
	// PublicPath is the path below which the handler is mounted, "/temporal" say, without a slash at its end. Requests must
	// come with it: do not strip it. Required.
	PublicPath string
	// TLS is how Temporal is called; nil: in plain text.
	TLS *tls.Config
	// APIKey is sent to Temporal with every call, where it wants one. It needs TLS.
	APIKey string
}

// Handler is the UI. It calls Temporal at the first request, not before.
type Handler struct {
	http.Handler
	conn *grpc.ClientConn
}

// New makes the handler. Temporal need not run yet.
func New(opts Options) (*Handler, error) {
	if !strings.HasPrefix(opts.PublicPath, "/") || path.Clean(opts.PublicPath) != opts.PublicPath || opts.PublicPath == "/" {
		return nil, fmt.Errorf("make temporal ui: public path %q is not of the form /name", opts.PublicPath)
	}
	conn, err := dial(opts)
	if err != nil {
		return nil, err
	}
	routes, err := newRoutes(opts, conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	mux := http.NewServeMux()
	mux.Handle(opts.PublicPath+"/", http.StripPrefix(opts.PublicPath, routes))
	mux.Handle(opts.PublicPath, http.RedirectHandler(opts.PublicPath+"/", http.StatusPermanentRedirect))
	return &Handler{Handler: mux, conn: conn}, nil
}

// Close ends the connection to Temporal.
func (h *Handler) Close() error { return h.conn.Close() }

func dial(opts Options) (*grpc.ClientConn, error) {
	dialOptions := []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage))}
	if opts.TLS != nil {
		dialOptions = append(dialOptions, grpc.WithTransportCredentials(credentials.NewTLS(opts.TLS)))
	} else {
		dialOptions = append(dialOptions, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	if opts.APIKey != "" {
		dialOptions = append(dialOptions, grpc.WithPerRPCCredentials(apiKey{key: opts.APIKey, namespace: opts.Namespace}))
	}
	conn, err := grpc.NewClient(opts.TemporalAddress, dialOptions...)
	if err != nil {
		return nil, fmt.Errorf("make connection to temporal: %w", err)
	}
	return conn, nil
}

// apiKey is the credential of Temporal Cloud, as the SDK sends it.
type apiKey struct{ key, namespace string }

func (a apiKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + a.key, "temporal-namespace": a.namespace}, nil
}

func (apiKey) RequireTransportSecurity() bool { return true }

// newRoutes are the UI's routes, without the public path.
func newRoutes(opts Options, conn *grpc.ClientConn) (http.Handler, error) {
	assets, err := ui.Assets()
	if err != nil {
		return nil, fmt.Errorf("open temporal ui's files: %w", err)
	}
	if assets, err = fs.Sub(assets, "local"); err != nil {
		return nil, fmt.Errorf("open temporal ui's files: %w", err)
	}
	page, err := indexPage(assets, opts.PublicPath)
	if err != nil {
		return nil, err
	}
	settings, err := config.NewConfigProviderWithRefresh(&config.Config{
		TemporalGRPCAddress: opts.TemporalAddress,
		PublicPath:          opts.PublicPath,
		DefaultNamespace:    opts.Namespace,
		EnableUI:            true,
		HideLogs:            true,
		DisableNewsFetch:    true,
	})
	if err != nil {
		return nil, fmt.Errorf("configure temporal ui: %w", err)
	}

	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.Secure())
	// The token guards against other sites, and is no secret of the connection: it must also get through on plain HTTP in a home network.
	const overHTTPSOnly = false
	e.Use(csrf.EnsureTokenCookie(overHTTPSOnly), middleware.CSRFWithConfig(csrf.MiddlewareConfig(settings, overHTTPSOnly)))

	forward := []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}
	calls := e.Group("/api/v1", withoutCredentials)
	calls.GET("/settings", api.GetSettings(settings))
	calls.GET(api.WorkflowRawHistoryUrl, api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(conn)))
	calls.Any("/*", api.TemporalAPIHandler(settings, forward, conn))

	files := echo.WrapHandler(http.FileServerFS(assets))
	for _, p := range assetPaths {
		e.GET(p, files)
	}
	route.SetRenderRoute(e, "/")
	e.GET("/*", func(c echo.Context) error { return c.HTMLBlob(http.StatusOK, page) })
	return e, nil
}

// withoutCredentials takes away what the browser sent for PiCloud: the gateway would hand it on to Temporal, which may be
// someone else's.
func withoutCredentials(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Request().Header.Del(echo.HeaderAuthorization)
		c.Request().Header.Del(echo.HeaderCookie)
		return next(c)
	}
}
