package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/picloud/picloud/deployments/embedded/pgserver"
	"github.com/picloud/picloud/deployments/embedded/temporalserver"
	"github.com/picloud/picloud/workflows"
)

// engineStopTimeout bounds the shutdown of the private PostgreSQL.
const engineStopTimeout = 20 * time.Second

// engineGOGC is the garbage collector's target while Temporal runs in the process: its live heap is small (some 100 MB under
// load) and its rate of allocation high. Measured with 32 workflows at a time: collecting costs 2 % of the CPU at 200;
// 400 gains nothing that could be measured and takes 200 MB more. GOGC in the environment overrides it.
const engineGOGC = 200

// engineOptions are the flags of picloud engine.
type engineOptions struct {
	dataDir          string
	postgresURL      string
	temporalAddr     string
	namespace        string
	searchAttributes []string
	unsafe           bool
}

// engineReady is the line that picloud engine prints when everything answers.
type engineReady struct {
	DatabaseURL     string `json:"database_url"`
	TemporalAddress string `json:"temporal_address"`
}

// newEngine is a hidden command: PostgreSQL and Temporal without PiCloud, for tests and for measuring. It ends with
// SIGTERM, SIGINT, or the end of stdin, so that whoever started it can not leave it behind.
func newEngine() *cobra.Command {
	var opts engineOptions
	cmd := &cobra.Command{
		Use:    "engine",
		Short:  "Run only the private PostgreSQL and the in-process Temporal, and print where they are",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := logrus.New()
			log.SetOutput(cmd.ErrOrStderr())
			return runEngine(cmd.Context(), opts, Streams{In: cmd.InOrStdin(), Out: cmd.OutOrStdout(), Err: cmd.ErrOrStderr()}, log)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.dataDir, "data-dir", "", "folder of the private PostgreSQL (required without --postgres-url)")
	flags.StringVar(&opts.postgresURL, "postgres-url", "", "use this PostgreSQL in place of a private one")
	flags.StringVar(&opts.temporalAddr, "temporal-addr", "127.0.0.1:0", "where Temporal's gRPC frontend listens")
	flags.StringVar(&opts.namespace, "namespace", temporalserver.DefaultNamespace, "Temporal namespace to register")
	flags.StringArrayVar(&opts.searchAttributes, "search-attribute", nil, "one more custom search attribute of the namespace, Name=Keyword|Int|… (repeatable)")
	flags.BoolVar(&opts.unsafe, "unsafe", false, "for tests: no flushing to disk, and quick to notice changed namespaces")
	return cmd
}

func runEngine(ctx context.Context, opts engineOptions, streams Streams, log logrus.FieldLogger) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, streams.In)
		cancel(nil)
	}()
	attributes, err := engineSearchAttributes(opts.searchAttributes)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(engineGOGC)
	}

	url := opts.postgresURL
	var exited <-chan struct{}
	if url == "" {
		if opts.dataDir == "" {
			return errors.New("run engine: neither --data-dir nor --postgres-url is given")
		}
		pg, err := pgserver.Start(ctx, pgserver.Options{DataDir: filepath.Join(opts.dataDir, "postgres"), Unsafe: opts.unsafe, Log: log})
		if err != nil {
			return fmt.Errorf("start postgres: %w", err)
		}
		defer func() {
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineStopTimeout)
			defer cancel()
			err = errors.Join(err, pg.Stop(stopCtx))
		}()
		url, exited = pg.URL("postgres"), pg.Exited()
	}

	server, err := temporalserver.Start(ctx, temporalserver.Options{
		PostgresURL: url, FrontendAddress: opts.temporalAddr, Namespace: opts.namespace,
		SearchAttributes: attributes, NamespaceRefresh: engineRefresh(opts.unsafe), Log: log,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it was up
		}
		return fmt.Errorf("start temporal: %w", err)
	}
	defer server.Stop()

	if err := json.NewEncoder(streams.Out).Encode(engineReady{DatabaseURL: url, TemporalAddress: server.Address()}); err != nil {
		return fmt.Errorf("print addresses: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-exited:
		return errors.New("run engine: postgres ended by itself")
	}
}

// engineRefresh is how often Temporal looks for changed namespaces: tests register them and want to use them at once.
func engineRefresh(unsafe bool) time.Duration {
	if unsafe {
		return 200 * time.Millisecond
	}
	return temporalserver.DefaultNamespaceRefresh
}

// engineSearchAttributes are PiCloud's own and those of the flags.
func engineSearchAttributes(pairs []string) (map[string]enumspb.IndexedValueType, error) {
	attributes, err := parseSearchAttributes(pairs)
	if err != nil {
		return nil, err
	}
	maps.Copy(attributes, workflows.SearchAttributes)
	return attributes, nil
}

// parseSearchAttributes reads Name=Type pairs; Type is one of Temporal's, in any case: Keyword, Int, Bool and so on.
func parseSearchAttributes(pairs []string) (map[string]enumspb.IndexedValueType, error) {
	attributes := make(map[string]enumspb.IndexedValueType, len(pairs))
	for _, pair := range pairs {
		name, typ, _ := strings.Cut(pair, "=")
		value, err := enumspb.IndexedValueTypeFromString(typ)
		if name == "" || err != nil || value == enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED {
			return nil, fmt.Errorf("parse search attribute %q: want Name=Type, with a type of %s", pair, strings.Join(searchAttributeTypes(), ", "))
		}
		attributes[name] = value
	}
	return attributes, nil
}

// searchAttributeTypes are the names of Temporal's types, sorted.
func searchAttributeTypes() []string {
	var names []string
	for number := range enumspb.IndexedValueType_name {
		if number != int32(enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED) {
			names = append(names, enumspb.IndexedValueType(number).String())
		}
	}
	slices.Sort(names)
	return names
}
