// Package store keeps PiCloud's state in PostgreSQL. Store implements the domain's keeping interfaces; its SQL is in schema/queries.
package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// Store is PiCloud's database. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	queries  *sqlc.Queries
	options  Options
	notifier *notifier
	programs *programCache
	process  string // see Process
}

// Options are what the store adds to the firings that it hands out, and how long it keeps things.
type Options struct {
	MaxConnections       int                 // of the pool; 0 = 16
	Retry                picloud.RetryPolicy // for triggers without a policy of their own
	MaxDepth             int                 // PICLOUD_MAX_TRIGGER_DEPTH
	Budget               picloud.Budget      // PICLOUD_ROOT_MAX_*
	ExecutionDays        int                 // PICLOUD_EXECUTION_RETENTION_DAYS
	DeadLetterDays       int                 // PICLOUD_DEAD_LETTER_RETENTION_DAYS
	UnresolvedLetterDays int                 // PICLOUD_UNRESOLVED_DEAD_LETTER_RETENTION_DAYS
	AbandonedExecDays    int                 // PICLOUD_ABANDONED_EXECUTIONS_RETENTION_DAYS
	Sealer               picloud.Sealer      // of secrets: AdoptInstanceKey before the first is put
	Log                  logrus.FieldLogger
}

// The promises that Store keeps.
var (
	_ picloud.Apps     = (*Store)(nil)
	_ picloud.Scripts  = (*Store)(nil)
	_ picloud.Triggers = (*Store)(nil)
	_ picloud.KV       = (*Store)(nil)
	_ picloud.Topics   = (*Store)(nil)
	_ picloud.Queues   = (*Store)(nil)
	_ picloud.Slots    = (*Store)(nil)
	_ picloud.Emails   = (*Store)(nil)

	_ picloud.OutgoingMails = (*Store)(nil)

	_ picloud.Ticks       = (*Store)(nil)
	_ picloud.Executions  = (*Store)(nil)
	_ picloud.Chains      = (*Store)(nil)
	_ picloud.DeadLetters = (*Store)(nil)
	_ picloud.BulkReplays = (*Store)(nil)
	_ picloud.BulkWork    = (*Store)(nil)
	_ picloud.Endpoints   = (*Store)(nil)
	_ picloud.Outbox      = (*Store)(nil)
	_ picloud.Dispatching = (*Store)(nil)
	_ picloud.Journal     = (*Store)(nil)
	_ picloud.Principals  = (*Store)(nil)
	_ picloud.APIKeys     = (*Store)(nil)
	_ picloud.Credentials = (*Store)(nil)
	_ picloud.AuditLog    = (*Store)(nil)
	_ picloud.Sessions    = (*Store)(nil)
	_ picloud.Secrets     = (*Store)(nil)
)

// Open connects to the migrated database at url (a PostgreSQL URL) and checks that it answers. Close it after use.
func Open(ctx context.Context, url string, options Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("parse database url: %w", err)
	}
	config.MaxConns = 16
	if options.MaxConnections > 0 {
		config.MaxConns = int32(min(options.MaxConnections, 1000))
	}
	config.ConnConfig.RuntimeParams["application_name"] = "picloud"
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// The statements are few, and made for one plan each. Left to itself PostgreSQL plans those on partitioned tables anew at every execution.
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	if n := options.Budget.Executions; n > 0 { // see the function outbox_charge
		config.ConnConfig.RuntimeParams["picloud.root_max_executions"] = strconv.Itoa(n)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach database: %w", err)
	}
	s := &Store{pool: pool, queries: sqlc.New(pool), options: options, programs: newProgramCache(), process: uuid.NewString()}
	s.notifier = startNotifier(pool, options.Log)
	return s, nil
}

// Close ends the store's connections.
func (s *Store) Close() {
	s.notifier.stop()
	s.pool.Close()
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// inTx runs fn in one transaction: committed when fn gives nil, else rolled back.
func (s *Store) inTx(ctx context.Context, fn func(q *sqlc.Queries) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return fn(s.queries.WithTx(tx)) })
}

// SQLSTATE codes, from the PostgreSQL manual, appendix A.
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
)

// violates reports whether err is the violation of the given class, by a constraint with that name ("" = any).
func violates(err error, sqlstate, constraint string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == sqlstate && (constraint == "" || e.ConstraintName == constraint)
}

// isMissing reports whether err says that no row was found.
func isMissing(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
