package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/program"
)

// debugging is one picloud debug.
type debugging struct {
	url, key, app, file string
	letter              string
	client              *client.ClientWithResponses
	out                 io.Writer
}

// newDebug repeats a failed attempt on this machine.
func newDebug() *cobra.Command {
	var d debugging
	cmd := &cobra.Command{
		Use:   "debug DEAD-LETTER",
		Short: "Run a dead letter's last attempt again, on this machine, from its tape",
		Long: "Runs the last attempt of a dead letter again, in a sandbox on this machine: with the event, the clock, the random numbers and the answers from the outside that it had then,\n" +
			"so with the same outcome and the same stack. Nothing is asked of the outside, and nothing is committed. With --file it runs a file that you edit on the same tape.\n" +
			"It exits with 1 when the script fails.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if d.key == "" {
				if d.key, err = localKey(); err != nil {
					return err
				}
			}
			if d.client, err = client.New(d.url, d.key); err != nil {
				return err
			}
			d.letter, d.out = args[0], cmd.OutOrStdout()
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&d.url, "url", or(os.Getenv("PICLOUD_URL"), "http://127.0.0.1:8080"), "the instance (PICLOUD_URL)")
	cmd.Flags().StringVar(&d.key, "key", "", "an API key (PICLOUD_KEY; on the instance's own machine its admin key is found by itself)")
	cmd.Flags().StringVar(&d.app, "app", "", "the letter's app (left out: it is looked for in all apps of the key)")
	cmd.Flags().StringVar(&d.file, "file", "", "a TypeScript or JavaScript file to run in place of the stored version")
	return cmd
}

func (d *debugging) run(ctx context.Context) error {
	tape, err := d.tape(ctx)
	if err != nil {
		return err
	}
	source, err := d.source(ctx, tape)
	if err != nil {
		return err
	}
	command, err := program.Command()
	if err != nil {
		return err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	pool, err := sandbox.New(sandbox.Options{Command: command, Size: 1, KV: nothing{}, Ceiling: source.limits, Log: log})
	if err != nil {
		return err
	}
	defer pool.Close()
	compiled, err := pool.Compile(ctx, source.name, source.language, source.text)
	if e := picloud.AsError(err); e != nil && len(e.Fields) > 0 {
		for _, f := range e.Fields {
			fmt.Fprintf(d.out, "%s:%d:%d: %s\n", source.path, f.Line, f.Column, f.Message)
		}
		return errSilent
	}
	if err != nil {
		return fmt.Errorf("compile %s: %w", source.path, err)
	}
	run, err := runOf(tape)
	if err != nil {
		return err
	}
	run.Script, run.Program, run.Limits = source.name, compiled, source.limits
	outcome, err := pool.Run(ctx, run)
	if err != nil {
		return fmt.Errorf("run script: %w", err)
	}
	fmt.Fprintf(d.out, "%s, attempt %d of %s v%d on its tape, in %s\n", source.path, tape.Attempt, tape.Script, tape.Version, tape.App)
	return d.show(outcome, tape)
}

// tape fetches the tape, from the app that has the letter.
func (d *debugging) tape(ctx context.Context) (*client.Tape, error) {
	apps := []string{d.app}
	if d.app == "" {
		var err error
		if apps, err = d.apps(ctx); err != nil {
			return nil, err
		}
	}
	for _, app := range apps {
		got, err := d.client.GetDeadLetterTapeWithResponse(ctx, app, d.letter)
		if err != nil {
			return nil, fmt.Errorf("get tape: %w", err)
		}
		if got.JSON200 != nil {
			return got.JSON200, nil
		}
		if got.StatusCode() != http.StatusNotFound || strings.Contains(string(got.Body), "tape_not_found") {
			return nil, refusal("get tape", got.StatusCode(), got.Body)
		}
	}
	return nil, fmt.Errorf("there is no dead letter %s in %s", d.letter, strings.Join(apps, ", "))
}

func (d *debugging) apps(ctx context.Context) (slugs []string, err error) {
	limit := picloud.MaxPageLimit
	params := client.ListAppsParams{Limit: &limit}
	for {
		page, err := d.client.ListAppsWithResponse(ctx, &params)
		if err != nil {
			return nil, fmt.Errorf("list apps: %w", err)
		}
		if page.JSON200 == nil {
			return nil, refusal("list apps", page.StatusCode(), page.Body)
		}
		for _, a := range page.JSON200.Items {
			slugs = append(slugs, a.Slug)
		}
		if params.Cursor = page.JSON200.NextCursor; params.Cursor == nil {
			return slugs, nil
		}
	}
}

// scriptSource is what is run.
type scriptSource struct {
	path, name, text string
	language         picloud.Language
	limits           picloud.Limits
}

// source gives the stored version, or the file in its place under the version's limits.
func (d *debugging) source(ctx context.Context, t *client.Tape) (scriptSource, error) {
	s := scriptSource{limits: picloud.DefaultLimits}
	got, err := d.client.GetScriptVersionWithResponse(ctx, t.App, t.Script, t.Version)
	switch {
	case err != nil:
		return s, fmt.Errorf("get version: %w", err)
	case got.JSON200 != nil:
		v := got.JSON200
		s.name, s.text, s.language = t.Script, v.Source, picloud.Language(v.Language)
		s.path = s.name + "." + v.Language
		if s.limits, err = limitsOf(v.Limits); err != nil {
			return s, err
		}
	case d.file == "" || got.StatusCode() != http.StatusNotFound:
		return s, refusal("get version", got.StatusCode(), got.Body)
	}
	if d.file == "" {
		return s, nil
	}
	text, err := os.ReadFile(d.file)
	if err != nil {
		return s, fmt.Errorf("read script: %w", err)
	}
	extension := filepath.Ext(d.file)
	s.path, s.text, s.name, s.language = d.file, string(text), strings.TrimSuffix(filepath.Base(d.file), extension), picloud.Language(strings.TrimPrefix(extension, "."))
	if s.language != picloud.TypeScript && s.language != picloud.JavaScript {
		return s, fmt.Errorf("%s is no script: its name ends in .ts or .js", d.file)
	}
	return s, nil
}

// limitsOf reads limits as the API writes them.
func limitsOf(shown client.Limits) (l picloud.Limits, err error) {
	text, err := json.Marshal(shown)
	if err != nil {
		return l, fmt.Errorf("read limits: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return l, fmt.Errorf("read limits: %w", err)
	}
	for _, m := range picloud.LimitTable {
		var number int64
		var duration string
		switch {
		case m.Unit == picloud.LimitDuration && json.Unmarshal(fields[m.Name], &duration) == nil:
			d, err := time.ParseDuration(duration)
			if err != nil {
				return l, fmt.Errorf("read limits: %w", err)
			}
			number = int64(d)
		case m.Unit == picloud.LimitDuration || json.Unmarshal(fields[m.Name], &number) != nil:
			continue // the default
		}
		m.Set(&l, number)
	}
	return l.Or(picloud.DefaultLimits), nil
}

// runOf gives the attempt as it was.
func runOf(t *client.Tape) (picloud.Run, error) {
	seed, err := strconv.ParseInt(t.Seed, 10, 64)
	if err != nil {
		return picloud.Run{}, fmt.Errorf("read seed: %w", err)
	}
	run := picloud.Run{ExecutionID: t.ExecutionID, App: t.App, AppID: t.App, Version: t.Version, Attempt: t.Attempt, Time: t.Clock, Seed: seed}
	event, err := json.Marshal(t.Event)
	if err == nil {
		err = json.Unmarshal(event, &run.Event)
	}
	if err != nil {
		return run, fmt.Errorf("read event: %w", err)
	}
	run.Tape = &picloud.Tape{Secrets: t.Secrets, Truncated: t.Truncated}
	for _, c := range t.Calls {
		run.Tape.Calls = append(run.Tape.Calls, picloud.TapeCall{What: c.What, At: c.At, Order: value(c.Order), Answer: c.Answer, Body: value(c.Body), Base64: value(c.Base64)})
	}
	return run, nil
}

// show prints what came of the run. errSilent when the script failed.
func (d *debugging) show(o picloud.Outcome, t *client.Tape) error {
	for _, l := range o.Logs {
		fmt.Fprintf(d.out, "  %-5s %s\n", l.Level, l.Message)
	}
	for _, name := range o.Missing {
		fmt.Fprintf(d.out, "not on the tape: %s (the failed attempt did not ask for it)\n", name)
	}
	if len(o.Missing) > 0 && t.Truncated {
		fmt.Fprintln(d.out, "the tape is cut: the attempt got more than 1 MiB from the outside")
	}
	if o.Failure != nil {
		stack := o.Failure.Stack
		if stack == "" {
			stack = o.Failure.Error()
		}
		fmt.Fprintf(d.out, "failed: %s\n%s\n", o.Failure.Reason, stack)
		if o.Failure.Type == t.Error.Type && o.Failure.Message == t.Error.Message && o.Failure.Stack == t.Error.Stack {
			fmt.Fprintln(d.out, "the same error as then, at the same place")
		}
		return errSilent
	}
	result := o.Result.Value
	if r := o.Result.Response; r != nil {
		result = fmt.Appendf(nil, "response %d, %d bytes", r.Status, len(r.Body))
	}
	fmt.Fprintf(d.out, "succeeded: %s\n", result)
	for _, e := range o.Effects {
		where := or(e.Topic, e.Queue)
		if e.Collection != "" {
			where = e.Collection + "/" + e.Key
		}
		fmt.Fprintf(d.out, "  would %s %s %s\n", e.Type, where, e.Value)
	}
	return nil
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// refusal is the error for an answer that is none of the good ones.
func refusal(doing string, status int, body []byte) error {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &problem) != nil || problem.Detail == "" {
		problem.Detail = http.StatusText(status)
	}
	return fmt.Errorf("%s: %d: %s", doing, status, problem.Detail)
}

// nothing is a store that a run from a tape does not ask.
type nothing struct{}

var errNotOnTape = errors.New("a run from a tape asks nothing outside")

func (nothing) KVGet(context.Context, string, string, string) (picloud.KVEntry, error) {
	return picloud.KVEntry{}, errNotOnTape
}

func (nothing) KVList(context.Context, string, string, string, picloud.Page) (picloud.List[picloud.KVEntry], error) {
	return picloud.List[picloud.KVEntry]{}, errNotOnTape
}
