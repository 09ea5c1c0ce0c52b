// Package temporalserver runs a Temporal server inside this process, on a PostgreSQL that it is given: the engine of a
// PiCloud that was given none. All four services listen on loopback; histories, timers and visibility are in PostgreSQL.
package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sirupsen/logrus"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"

	"github.com/picloud/picloud/internal/engine"
)

// The defaults of Options.
const (
	DefaultFrontendAddress  = "127.0.0.1:7233"
	DefaultNamespace        = "default"
	DefaultShards           = 4
	DefaultRetention        = 72 * time.Hour
	DefaultNamespaceRefresh = 10 * time.Second
)

// bootRefresh is how often the services look for changes of namespaces while Start waits for its own.
const bootRefresh = 100 * time.Millisecond

// Options say where the server keeps its data and what it offers.
type Options struct {
	// PostgresURL is a connection string of a role that may create databases (or for which temporal and
	// temporal_visibility exist). Every option of pgx in it holds for Temporal's connections too. Required.
	PostgresURL string
	// FrontendAddress is the IP address and port that the gRPC frontend listens on; port 0 takes a free one.
	FrontendAddress string
	// Shards is the number of history shards. It is fixed by the first start on a database; a different number later is
	// ignored by Temporal.
	Shards int32
	// Namespace is registered when missing, its closed workflows kept for Retention.
	Namespace string
	Retention time.Duration
	// SearchAttributes are the custom search attributes that Namespace must have.
	SearchAttributes map[string]enumspb.IndexedValueType
	// NamespaceRefresh is how often the services look for namespaces and search attributes that others changed. Every look
	// is a query of each service, also when idle.
	NamespaceRefresh time.Duration
	// Log gets Temporal's warnings and errors. Required.
	Log logrus.FieldLogger
}

func (o Options) withDefaults() Options {
	if o.FrontendAddress == "" {
		o.FrontendAddress = DefaultFrontendAddress
	}
	if o.Shards == 0 {
		o.Shards = DefaultShards
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.NamespaceRefresh == 0 {
		o.NamespaceRefresh = DefaultNamespaceRefresh
	}
	return o
}

// Server is a running Temporal server.
type Server struct {
	server  temporal.Server
	address string
	owner   *pgx.Conn
	log     *logger
}

// Start makes or updates the two databases, starts the services, and returns when workflows can be started in the namespace
// with the search attributes. ctx bounds the start only. The error wraps ErrInUse when another process runs a server
// on the same databases.
func Start(ctx context.Context, opts Options) (*Server, error) {
	opts = opts.withDefaults()
	// pgxpool's parser, because it takes away the pool's own parameters, which PostgreSQL would refuse.
	parsed, err := pgxpool.ParseConfig(opts.PostgresURL)
	if err != nil {
		return nil, fmt.Errorf("parse postgres url: %w", err)
	}
	stores := newStores(parsed.ConnConfig)
	if err := stores.ensureDatabases(ctx); err != nil {
		return nil, err
	}
	owner, err := stores.own(ctx)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, stores, opts)
	if err != nil {
		_ = owner.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	s.owner = owner
	return s, nil
}

func start(ctx context.Context, stores stores, opts Options) (*Server, error) {
	log := newLogger(opts.Log)
	if err := stores.ensureSchemas(log); err != nil {
		return nil, err
	}
	ports, err := allocate(opts.FrontendAddress)
	if err != nil {
		return nil, err
	}
	settings := newSettings()
	refresh := settings.OverrideValue(dynamicconfig.NamespaceCacheRefreshInterval.Key(), bootRefresh)
	server, err := newServer(newConfig(stores, ports, opts), ports, settings, log)
	if err != nil {
		return nil, fmt.Errorf("make temporal server: %w", err)
	}
	if err := server.Start(); err != nil {
		log.mute()
		return nil, fmt.Errorf("start temporal server: %w", errors.Join(err, server.Stop()))
	}
	s := &Server{server: server, address: ports.frontend, log: log}
	if err := s.bootstrap(ctx, opts); err != nil {
		log.mute()
		return nil, errors.Join(err, server.Stop())
	}
	refresh()
	settings.OverrideValue(dynamicconfig.NamespaceCacheRefreshInterval.Key(), opts.NamespaceRefresh)
	return s, nil
}

func newServer(cfg *config.Config, ports addresses, settings *dynamicconfig.MemoryClient, log *logger) (temporal.Server, error) {
	authorizer, err := authorization.GetAuthorizerFromConfig(&cfg.Global.Authorization)
	if err != nil {
		return nil, fmt.Errorf("make authorizer: %w", err)
	}
	claims, err := authorization.GetClaimMapperFromConfig(&cfg.Global.Authorization, log)
	if err != nil {
		return nil, fmt.Errorf("make claim mapper: %w", err)
	}
	return temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(ports.frontend),
			primitives.HistoryService:  static.SingleLocalHost(ports.history),
			primitives.MatchingService: static.SingleLocalHost(ports.matching),
			primitives.WorkerService:   static.SingleLocalHost(ports.worker),
		}),
		temporal.WithLogger(log),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(settings),
	)
}

// bootstrap sees to the namespace and its search attributes.
func (s *Server) bootstrap(ctx context.Context, opts Options) error {
	c, err := client.NewLazyClient(client.Options{HostPort: s.address, Namespace: opts.Namespace, Logger: s.log.sdk()})
	if err != nil {
		return fmt.Errorf("make temporal client: %w", err)
	}
	defer c.Close()
	if err := engine.EnsureNamespace(ctx, c, opts.Namespace, opts.Retention); err != nil {
		return err
	}
	return engine.EnsureSearchAttributes(ctx, c, opts.Namespace, opts.SearchAttributes)
}

// Address is the host:port of the gRPC frontend, reachable from this machine.
func (s *Server) Address() string { return s.address }

// Stop ends the services. Running workflows stay as they are in the database and go on after the next start.
func (s *Server) Stop() {
	s.log.mute()
	if err := s.server.Stop(); err != nil {
		s.log.out.WithError(err).Warn("temporal server did not stop cleanly")
	}
	_ = s.owner.Close(context.Background())
}

// addresses are where the services listen.
type addresses struct {
	frontend, history, matching, worker string
	frontendIP                          string
}

// allocate finds a free loopback port for every service that was not given one. All are held until all are found.
func allocate(frontend string) (addresses, error) {
	host, port, err := net.SplitHostPort(frontend)
	if err != nil {
		return addresses{}, fmt.Errorf("parse frontend address: %w", err)
	}
	if host == "localhost" || host == "" {
		host = "127.0.0.1"
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return addresses{}, fmt.Errorf("parse frontend address: %q is not an IP address", host)
	}
	found := make([]string, 4)
	for i, want := range []string{net.JoinHostPort(host, port), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"} {
		listener, err := net.Listen("tcp", want)
		if err != nil {
			return addresses{}, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() //nolint:errcheck // held until all ports are found
		found[i] = listener.Addr().String()
	}
	a := addresses{frontend: found[0], history: found[1], matching: found[2], worker: found[3], frontendIP: host}
	if ip.IsUnspecified() { // listening everywhere, it is called over loopback
		_, port, _ := net.SplitHostPort(a.frontend)
		a.frontend = net.JoinHostPort("127.0.0.1", port)
	}
	return a, nil
}
