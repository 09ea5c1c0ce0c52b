package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/api"
	"github.com/picloud/picloud/deployments/embedded/pgserver"
	"github.com/picloud/picloud/deployments/embedded/temporalserver"
	"github.com/picloud/picloud/deployments/embedded/temporalui"
	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/certificate"
	"github.com/picloud/picloud/internal/config"
	"github.com/picloud/picloud/internal/dispatch"
	"github.com/picloud/picloud/internal/dryrun"
	"github.com/picloud/picloud/internal/engine"
	"github.com/picloud/picloud/internal/mail"
	"github.com/picloud/picloud/internal/metrics"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/egress"
	"github.com/picloud/picloud/internal/sandbox/program"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/worker"
	"github.com/picloud/picloud/workflows"
)

// How long each part may take to stop; together they are less than stopTimeout, save for the last one's slack.
const (
	httpStopTimeout   = 5 * time.Second
	workerStopTimeout = 10 * time.Second
)

// instance is a running PiCloud: all its parts, and how to stop them.
type instance struct {
	config config.Config
	role   role
	log    logrus.FieldLogger

	url             string
	key             string
	keyFile         string
	keyCreated      bool
	smtpAddress     string      // "" = it takes no mail
	relay           *mail.Relay // nil = none
	temporalAddress string

	fatal chan error // the first part that ended by itself
	mutex sync.Mutex // parts may be started at the same time
	stops []stopper  // in the order of starting
}

// stopper ends one part.
type stopper struct {
	name string
	stop func(ctx context.Context) error
}

// start brings up every part of the role, and stops those that are up when one fails.
func start(ctx context.Context, c config.Config, r role, log logrus.FieldLogger) (_ *instance, err error) {
	i := &instance{config: c, role: r, log: log, fatal: make(chan error, 8)}
	defer func() {
		if err != nil {
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			err = errors.Join(err, i.stop(stopCtx))
		}
	}()
	// The addresses are taken first: that one is in use should be said before anything is started.
	listener, err := listen(c)
	if err != nil {
		return nil, err
	}
	i.onStop("listener", func(context.Context) error { _ = listener.Close(); return nil })
	var mailbox net.Listener
	if r.dispatches {
		if mailbox, err = i.listenSMTP(); err != nil {
			return nil, err
		}
	}
	if i.relay, err = mail.ParseRelay(c.Mail.RelayURL); err != nil {
		return nil, fmt.Errorf("PICLOUD_SMTP_RELAY_URL %w", err)
	}
	i.url = c.URL()
	if c.PublicURL == "" {
		i.url = c.Scheme() + "://" + listener.Addr().String()
	}
	if err := i.chooseDataDir(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(i.config.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make PICLOUD_DATA_DIR: %w", err)
	}
	if r.controls {
		if err := i.loadKey(); err != nil {
			return nil, err
		}
	}
	p, err := i.startParts(ctx)
	if err != nil {
		return nil, err
	}
	if r.dispatches {
		if err := i.startSMTP(mailbox, p.data); err != nil {
			return nil, err
		}
	}
	if err := i.serveMetrics(ctx, p.counts); err != nil {
		return nil, err
	}
	return i, i.serve(listener, p)
}

// parts are what the doors and the work of a process share.
type parts struct {
	data      *store.Store
	engine    *engine.Engine
	pool      *sandbox.Pool // nil in a role that neither compiles nor runs
	inbox     *dispatch.Inbox
	schedules picloud.Schedules // nil in a role that does not control
	counts    *metrics.Metrics
}

// startParts starts what is behind the doors.
func (i *instance) startParts(ctx context.Context) (p parts, err error) {
	databases, err := i.startPostgres(ctx)
	if err != nil {
		return p, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { p.data, err = i.openStore(groupCtx, databases); return err })
	group.Go(func() (err error) { p.engine, err = i.startEngine(groupCtx, databases.temporal); return err })
	if err := group.Wait(); err != nil {
		return p, err
	}
	stats := func() picloud.SandboxStats { return picloud.SandboxStats{} }
	if i.role.controls || i.role.executes {
		if p.pool, err = i.startSandbox(p.data); err != nil {
			return p, err
		}
		stats = p.pool.Stats
	}
	running := new(activities.Running)
	p.inbox, p.counts = dispatch.NewInbox(p.data.Process()), metrics.New(p.data, stats)
	replies := dispatch.NewReplies(p.data, p.inbox, i.log)
	i.onStop("replies", func(context.Context) error { replies.Stop(); return nil })
	attendant := dispatch.NewAttendant(p.data, picloud.Hearing{Stop: running.Stop, Ended: replies.Ended}, i.log)
	if err := attendant.Start(ctx); err != nil {
		return p, err
	}
	i.onStop("attendant", func(context.Context) error { attendant.Stop(); return nil })
	var progress *dispatch.Progress
	if i.role.executes {
		if progress, err = i.startWorkers(p, running); err != nil {
			return p, err
		}
	}
	if i.role.dispatches {
		if err := i.startDispatch(ctx, p, progress); err != nil {
			return p, err
		}
	}
	if i.role.controls {
		p.schedules, err = i.startSchedules(ctx, p)
	}
	return p, err
}

// listen takes the HTTP address, with TLS where there is a certificate.
func listen(c config.Config) (net.Listener, error) {
	var secured *tls.Config
	if c.TLSCertFile != "" {
		var err error
		if secured, err = certificate.Load(certificate.Files{Cert: c.TLSCertFile, Key: c.TLSKeyFile}); err != nil {
			return nil, fmt.Errorf("PICLOUD_TLS_CERT_FILE, PICLOUD_TLS_KEY_FILE: %w", err)
		}
		secured.NextProtos = []string{"http/1.1"}
	}
	listener, err := net.Listen("tcp", c.HTTPAddr)
	if err != nil {
		return nil, fmt.Errorf("listen on PICLOUD_HTTP_ADDR: %w", err)
	}
	if secured != nil {
		return tls.NewListener(listener, secured), nil
	}
	return listener, nil
}

// onStop adds a part to those that stop ends, last one first.
func (i *instance) onStop(name string, stop func(ctx context.Context) error) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.stops = append(i.stops, stopper{name, stop})
}

// stop ends all parts, the last started first. It may be called once.
func (i *instance) stop(ctx context.Context) error {
	var all error
	for _, s := range slices.Backward(i.stops) {
		if err := s.stop(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	return all
}

// fail reports that a part ended by itself.
func (i *instance) fail(err error) {
	select {
	case i.fatal <- err:
	default:
	}
}

// rootDataDir is where root's data goes when the default folder is below one that PostgreSQL's user may not enter, such as /root.
const rootDataDir = "/var/lib/picloud"

// chooseDataDir keeps the configured folder; only the default gives way to one that works.
func (i *instance) chooseDataDir() error {
	if _, configured := os.LookupEnv("PICLOUD_DATA_DIR"); configured || i.config.DatabaseURL != "" {
		return nil
	}
	barrier, err := pgserver.Barrier(i.config.DataDir)
	if err != nil || barrier == "" {
		return err
	}
	i.log.Infof("the data goes to %s: PostgreSQL does not run as root, and its user cannot pass through %s (PICLOUD_DATA_DIR chooses another folder)", rootDataDir, barrier)
	i.config.DataDir = rootDataDir
	return nil
}

func (i *instance) loadKey() (err error) {
	i.key, i.keyCreated, err = auth.LoadAdminKey(i.config.DataDir, i.config.AdminKey)
	if err != nil {
		return err
	}
	if i.config.AdminKey == "" {
		i.keyFile = filepath.Join(i.config.DataDir, "admin-key")
	}
	return nil
}

// startEngine starts the in-process Temporal, unless TEMPORAL_ADDRESS names another, and sees to namespace and search attributes.
func (i *instance) startEngine(ctx context.Context, databaseURL string) (*engine.Engine, error) {
	address := ""
	if i.config.TemporalAddress == "" {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(engineGOGC)
		}
		server, err := temporalserver.Start(ctx, temporalserver.Options{
			PostgresURL: databaseURL, FrontendAddress: i.config.TemporalAddr, SearchAttributes: workflows.SearchAttributes, Log: i.log,
		})
		if err != nil {
			return nil, fmt.Errorf("start temporal: %w", err)
		}
		i.onStop("temporal", func(context.Context) error { server.Stop(); return nil })
		address = server.Address()
	}
	eng, err := engine.New(engine.Options{Address: address, BaseURL: i.url, Log: i.log})
	if err != nil {
		return nil, err
	}
	i.onStop("engine", func(context.Context) error { eng.Close(); return nil })
	i.temporalAddress = address
	if address == "" {
		i.temporalAddress = i.config.TemporalAddress
		if err := engine.EnsureNamespace(ctx, eng.Client(), eng.Namespace(), temporalserver.DefaultRetention); err != nil {
			return nil, err
		}
		if err := engine.EnsureSearchAttributes(ctx, eng.Client(), eng.Namespace(), workflows.SearchAttributes); err != nil {
			return nil, err
		}
	}
	return eng, nil
}

func (i *instance) startSandbox(data *store.Store) (*sandbox.Pool, error) {
	command, err := program.Command()
	if err != nil {
		return nil, err
	}
	processes := i.config.Sandbox.Processes
	if processes == 0 {
		processes = 2*runtime.GOMAXPROCS(0) + 1 // no app has them all
	}
	pool, err := sandbox.New(sandbox.Options{
		Command: command, Size: processes, KV: data, Secrets: data, Mail: i.mailRules(), Ceiling: i.config.Ceiling(), Log: i.log,
		RequireAll: i.config.Sandbox.Require == config.RequireFull,
		Egress:     &egress.Guard{AllowPrivate: i.config.Fetch.AllowPrivate, Allow: i.config.FetchRules()},
	})
	if err != nil {
		return nil, err
	}
	i.onStop("sandbox", func(context.Context) error { pool.Close(); return nil })
	return pool, nil
}

// dryRunner runs what is to leave no trace.
func dryRunner(data *store.Store, pool *sandbox.Pool) *dryrun.Runner {
	return &dryrun.Runner{Sandbox: pool, Endpoints: data, Scripts: data, KV: data, Grants: data, Tapes: data}
}

// startWorkers starts the workers, and gives what tells a dispatcher of the same process how they come on.
func (i *instance) startWorkers(p parts, running *activities.Running) (*dispatch.Progress, error) {
	progress := dispatch.NewProgress()
	w := worker.New(p.engine.Client(), &activities.Activities{
		Journal: p.counts.Journal(p.data), Sandbox: p.pool, Inbox: p.inbox, Presence: p.data, Running: running, Keeper: p.data, Ticks: p.data, Bulk: p.data,
		DryRunner: dryRunner(p.data, p.pool), Mails: p.data, Courier: i.courier(p.data), MailDomain: i.config.Mail.Domain,
	}, worker.Options{
		StopTimeout: workerStopTimeout,
		Worked:      progress.Worked,
		OnFatal:     func(err error) { i.fail(fmt.Errorf("temporal worker: %w", err)) },
	})
	if err := w.Start(); err != nil {
		return nil, err
	}
	i.onStop("workers", func(context.Context) error { w.Stop(); return nil })
	return progress, nil
}

// startDispatch starts what gives the workers work.
func (i *instance) startDispatch(ctx context.Context, p parts, progress *dispatch.Progress) error {
	d := dispatch.New(p.counts.Dispatching(p.data), p.engine, i.log, dispatch.Options{Progress: progress})
	if err := d.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	slots := dispatch.NewSlotKeeper(p.data, p.engine, i.log, 0, 0)
	slots.Start(context.WithoutCancel(ctx))
	i.onStop("slots", func(context.Context) error { slots.Stop(); return nil })
	i.onStop("dispatcher", func(context.Context) error { d.Stop(); return nil })
	return nil
}

// startSchedules keeps Temporal's Schedules as the triggers want them, and that of the retention.
func (i *instance) startSchedules(ctx context.Context, p parts) (picloud.Schedules, error) {
	if err := p.engine.EnsureRetentionSchedule(ctx); err != nil {
		return nil, err
	}
	schedules := engine.NewReconciler(p.engine, p.data, p.data, i.log, 0)
	schedules.Start(context.WithoutCancel(ctx))
	i.onStop("schedules", func(context.Context) error { schedules.Stop(); return nil })
	return schedules, nil
}

// serve starts the HTTP listener: the last to come and the first to go.
func (i *instance) serve(listener net.Listener, p parts) error {
	options := api.Options{
		Serves: i.role.serves, Apps: p.data, Scripts: p.data, Triggers: p.data, KV: p.data, Topics: p.data, Queues: p.data, Secrets: p.data, Executions: p.data, Chains: p.data,
		Abandoned: p.data, DeadLetters: p.data, Bulk: p.data, BulkEngine: p.engine, Engine: p.engine, Inbox: p.inbox, Leaving: p.counts.Journal(p.data), Presence: p.data, Outbox: p.data,
		Endpoints: p.data, Idempotency: p.data, Schedules: p.schedules, Principals: p.data, APIKeys: p.data, Credentials: p.data, Audit: p.data, Sessions: p.data, AuditData: i.config.AuditData,
		Log: i.log, PublicURL: i.config.PublicURL, MailDomain: i.config.Mail.Domain, TrustedProxies: i.config.TrustedProxies,
		RateLimits: api.RateLimits{Key: i.config.RateLimitKey, Address: i.config.RateLimitAddress}, Ceiling: i.config.Ceiling(), Retry: i.config.RetryPolicy(), MaxDepth: i.config.MaxTriggerDepth,
		Ready: func(ctx context.Context) error { return errors.Join(p.data.Ping(ctx), p.engine.Ping(ctx)) }, Metrics: p.counts.Handler(),
	}
	if i.role.controls {
		if err := i.addControl(&options, p); err != nil {
			return err
		}
	}
	server := api.NewHTTPServer(listener.Addr().String(), p.counts.HTTP(api.New(options)), api.Patience{})
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			i.fail(fmt.Errorf("serve http: %w", err))
		}
	}()
	i.onStop("http", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, httpStopTimeout)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close() // callers that still wait are cut off; their executions go on
		}
		return nil
	})
	return nil
}

// addControl adds what only the control plane has.
func (i *instance) addControl(options *api.Options, p parts) error {
	ui, err := temporalui.New(temporalui.Options{TemporalAddress: i.temporalAddress, Namespace: p.engine.Namespace(), PublicPath: "/temporal"})
	if err != nil {
		return err
	}
	i.onStop("temporal ui", func(context.Context) error { return ui.Close() })
	if i.config.OIDC.Set() {
		if options.OIDC, err = auth.NewOIDC(auth.OIDCOptions(i.config.OIDC)); err != nil {
			return err
		}
	}
	options.TemporalUI, options.Compiler, options.DryRunner = ui, p.pool, dryRunner(p.data, p.pool)
	return nil
}
