package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/config"
)

// stopTimeout is how long a stop may take in all: work that is not finished by then is handed back to Temporal.
const stopTimeout = 28 * time.Second

// serveOptions are the flags of picloud up and of the roles of a cluster.
type serveOptions struct {
	apply string
	json  bool
}

// serveReady is the line that --json prints when everything answers. It has no secret in it.
type serveReady struct {
	URL             string `json:"url"`
	TemporalAddress string `json:"temporal_address"`
	SMTPAddress     string `json:"smtp_address,omitempty"` // empty when it takes no mail
	KeyFile         string `json:"key_file,omitempty"`     // empty when the key came from PICLOUD_ADMIN_KEY
}

// newServe is the command that serves in a role, until it is told to stop.
func newServe(r role) *cobra.Command {
	var opts serveOptions
	cmd := &cobra.Command{
		Use: r.name, Short: r.short, Long: r.long,
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
			return serve(cmd.Context(), c, r, opts, cmd.OutOrStdout(), log)
		},
	}
	if r.alone() {
		cmd.Flags().StringVar(&opts.apply, "apply", "", "folder with a picloud.yaml to deploy once everything answers")
	}
	cmd.Flags().BoolVar(&opts.json, "json", false, "print one line of JSON when ready, in place of the welcome")
	return cmd
}

func serve(ctx context.Context, c config.Config, r role, opts serveOptions, out io.Writer, log *logrus.Logger) (err error) {
	if err := r.check(c); err != nil {
		return err
	}
	began := time.Now()
	i, err := start(ctx, c, r, log)
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
func welcome(out io.Writer, i *instance, opts serveOptions) error {
	if opts.json {
		if err := json.NewEncoder(out).Encode(serveReady{URL: i.url, TemporalAddress: i.temporalAddress, SMTPAddress: i.smtpAddress, KeyFile: i.keyFile}); err != nil {
			return fmt.Errorf("print addresses: %w", err)
		}
		return nil
	}
	key := "$PICLOUD_ADMIN_KEY"
	if i.keyFile != "" {
		key = "$(cat " + i.keyFile + ")"
	}
	var text strings.Builder
	if i.keyCreated {
		text.WriteString("\n  The key, shown this once and kept in " + i.keyFile + ":\n    " + i.key + "\n")
	}
	text.WriteString("\n  " + i.role.title() + " is up.\n")
	for _, line := range []struct {
		of         bool
		name, what string
	}{
		{i.role.controls, "API", i.url + "/v1"},
		{i.role.dispatches, "Scripts", i.url + "/run/<app>/<script>"},
		{i.role.controls, "Temporal UI", i.url + "/temporal/   (any user name; the key is the password)"},
		{i.role.dispatches, "Mail", i.mailInWords()},
		{!i.role.controls, "Health", i.url + "/readyz"},
		{i.role.controls, "Key", key},
	} {
		if line.of {
			fmt.Fprintf(&text, "    %-13s %s\n", line.name, line.what)
		}
	}
	if opts.apply != "" {
		fmt.Fprintf(&text, `
  Three commands to try:
    export PICLOUD_URL=%[1]s PICLOUD_KEY=%[2]s
    (cd examples/github-triage && npm ci --silent && npm run --silent deliver)
    curl -sH "Authorization: Bearer $PICLOUD_KEY" "$PICLOUD_URL/v1/apps/github-triage/kv/stats?limit=3"
    curl -sH "Authorization: Bearer $PICLOUD_KEY" "$PICLOUD_URL/v1/apps/github-triage/dead-letters?limit=1"

  Ctrl-C stops everything; the data stays.
`, i.url, key)
	}
	if _, err := fmt.Fprintln(out, text.String()); err != nil {
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
