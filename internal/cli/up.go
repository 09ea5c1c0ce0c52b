package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/config"
)

// stopTimeout is how long a stop may take in all: work that is not finished by then is handed back to Temporal.
const stopTimeout = 28 * time.Second

// upOptions are the flags of picloud up.
type upOptions struct {
	apply string
	json  bool
}

// upReady is the line that picloud up --json prints when everything answers. It has no secret in it.
type upReady struct {
	URL             string `json:"url"`
	TemporalAddress string `json:"temporal_address"`
	SMTPAddress     string `json:"smtp_address,omitempty"` // empty when it takes no mail
	KeyFile         string `json:"key_file,omitempty"`     // empty when the key came from PICLOUD_ADMIN_KEY
}

// newUp is the whole of PiCloud in one process.
func newUp() *cobra.Command {
	var opts upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything in this process: API, dispatcher, workers, and where none are configured PostgreSQL and Temporal",
		Long: "Run everything in this process. With nothing configured it starts a private PostgreSQL and an in-process Temporal that persists in it;\n" +
			"DATABASE_URL and TEMPORAL_ADDRESS replace either. docs/operations.md lists the environment.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Read()
			if err != nil {
				return err
			}
			log, err := newLog(c, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return runUp(cmd.Context(), c, opts, cmd.OutOrStdout(), log)
		},
	}
	cmd.Flags().StringVar(&opts.apply, "apply", "", "folder with a picloud.yaml to deploy once everything answers")
	cmd.Flags().BoolVar(&opts.json, "json", false, "print one line of JSON when ready, in place of the welcome")
	return cmd
}

func runUp(ctx context.Context, c config.Config, opts upOptions, out io.Writer, log *logrus.Logger) (err error) {
	began := time.Now()
	i, err := start(ctx, c, log)
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it was up
		}
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, i.stop(stopCtx))
	}()
	if opts.apply != "" {
		if err := applyTo(ctx, i, opts.apply, log); err != nil {
			return err
		}
	}
	log.WithField("took", time.Since(began).Round(time.Millisecond)).Info("ready")
	if err := welcome(out, i, opts); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		log.Info("stopping: no more work is taken, what runs is finished or handed back")
		return nil
	case err := <-i.fatal:
		return err
	}
}

// applyTo deploys the folder to the instance, over its own API.
func applyTo(ctx context.Context, i *instance, dir string, log logrus.FieldLogger) error {
	m, err := apply.Read(dir)
	if err != nil {
		return err
	}
	c, err := client.New(i.url, i.key)
	if err != nil {
		return err
	}
	if err := apply.Apply(ctx, c, m, func(step string) { log.Info(step) }); err != nil {
		return fmt.Errorf("apply %s: %w", dir, err)
	}
	return nil
}

// welcome says where everything is and what to try.
func welcome(out io.Writer, i *instance, opts upOptions) error {
	if opts.json {
		if err := json.NewEncoder(out).Encode(upReady{URL: i.url, TemporalAddress: i.temporalAddress, SMTPAddress: i.smtpAddress, KeyFile: i.keyFile}); err != nil {
			return fmt.Errorf("print addresses: %w", err)
		}
		return nil
	}
	key := "$PICLOUD_ADMIN_KEY"
	if i.keyFile != "" {
		key = "$(cat " + i.keyFile + ")"
	}
	var text string
	if i.keyCreated {
		text += "\n  The key, shown this once and kept in " + i.keyFile + ":\n    " + i.key + "\n"
	}
	text += fmt.Sprintf(`
  PiCloud is up.
    API           %[1]s/v1
    Scripts       %[1]s/run/<app>/<script>
    Temporal UI   %[1]s/temporal/   (any user name; the key is the password)
    Mail          %[3]s
    Key           %[2]s
`, i.url, key, i.mailInWords())
	if opts.apply != "" {
		text += fmt.Sprintf(`
  Three commands to try:
    export PICLOUD_URL=%[1]s PICLOUD_KEY=%[2]s
    (cd examples/github-triage && npm ci --silent && npm run --silent deliver)
    curl -sH "Authorization: Bearer $PICLOUD_KEY" "$PICLOUD_URL/v1/apps/github-triage/kv/stats?limit=3"
    curl -sH "Authorization: Bearer $PICLOUD_KEY" "$PICLOUD_URL/v1/apps/github-triage/dead-letters?limit=1"

  Ctrl-C stops everything; the data stays.
`, i.url, key)
	}
	if _, err := fmt.Fprintln(out, text); err != nil {
		return fmt.Errorf("print welcome: %w", err)
	}
	return nil
}

// newLog makes the process's logger.
func newLog(c config.Config, out io.Writer) (*logrus.Logger, error) {
	level, err := logrus.ParseLevel(c.LogLevel)
	if err != nil {
		return nil, fmt.Errorf("read PICLOUD_LOG_LEVEL: %w", err)
	}
	log := logrus.New()
	log.SetOutput(out)
	log.SetLevel(level)
	if c.LogFormat == "json" {
		log.SetFormatter(&logrus.JSONFormatter{})
	} else {
		log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: "15:04:05"})
	}
	return log, nil
}
