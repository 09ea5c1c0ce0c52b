package picloud

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Resolution of a dead letter; "" = unresolved.
type Resolution string

// The resolutions.
const (
	Unresolved      Resolution = ""
	Replayed        Resolution = "replayed"
	Ignored         Resolution = "ignored"
	HandledByScript Resolution = "handled_by_script"
	HandlerFailed   Resolution = "handler_failed"
)

// DeadLetter is what an exhausted Execution leaves.
type DeadLetter struct {
	ID                string
	AppID             string
	ExecutionID       string
	ScriptID          string
	Script            string
	Version           int
	TriggerID         string
	Trigger           string
	Kind              Kind
	Reason            Reason
	Error             ScriptError
	Event             Event
	Attempts          int
	Depth             int
	RootID            string
	Fingerprint       string
	Principal         string
	Resolution        Resolution
	ResolvedAt        time.Time // zero while unresolved
	ResolvedBy        string
	Note              string
	ReplayExecutionID string // of the last replay
	ReplayOf          string // the letter whose replay left this one; "" = none
	CreatedAt         time.Time
}

// DeadLetterConfig is the config of a dead_letter trigger: the letters that its script handles.
type DeadLetterConfig struct {
	Script  Glob   `json:"script,omitempty"`  // the script that failed; "" = all
	Trigger Glob   `json:"trigger,omitempty"` // the trigger that fired it, by name; "" = all, and direct calls too
	Reasons []Glob `json:"reasons,omitempty"` // empty = all
}

// Check says what is wrong with the config; fields are named "config.<field>".
func (c DeadLetterConfig) Check() error {
	for field, g := range map[string]Glob{"config.script": c.Script, "config.trigger": c.Trigger} {
		if g == "" {
			continue
		}
		if err := CheckGlob(field, string(g)); err != nil {
			return err
		}
	}
	for _, g := range c.Reasons {
		if err := CheckGlob("config.reasons", string(g)); err != nil {
			return err
		}
		if _, ok := g.reason(); !ok {
			return InvalidField("config.reasons", "%q covers no reason: there are %s", string(g[:min(len(g), 50)]), strings.Join(words(Reasons), ", "))
		}
	}
	return nil
}

// reason gives the first reason that the glob covers, if it covers any.
func (g Glob) reason() (Reason, bool) {
	i := slices.IndexFunc(Reasons, func(r Reason) bool { return g.Match(string(r)) })
	if i < 0 {
		return "", false
	}
	return Reasons[i], true
}

// SampleReason is a reason of letters that the trigger takes.
func (c DeadLetterConfig) SampleReason() Reason {
	if len(c.Reasons) > 0 {
		if r, ok := c.Reasons[0].reason(); ok {
			return r
		}
	}
	return ReasonScriptError
}

// words gives the texts of a list of names.
func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

// DeadLetterFilter narrows a list of dead letters; zero fields = any.
type DeadLetterFilter struct {
	Resolution  *Resolution // nil = any
	Script      string
	Trigger     string // id or name
	Reason      Reason
	Fingerprint string
	Since       time.Time // made then or later
	Until       time.Time // made before
}

// DeadLetterGroup is the letters of one cause.
type DeadLetterGroup struct {
	Fingerprint string
	Count       int64
	FirstSeen   time.Time
	LastSeen    time.Time
	Sample      DeadLetter // the newest
}

// Replay says how a dead letter is replayed.
type Replay struct {
	Data      []byte // JSON that replaces the event's data; nil = as it was
	Version   int    // 0 = the active version
	Again     bool   // also when it was replayed before
	FetchLive bool   // of a dry run: ctx.fetch reaches the outside
	Principal string // who asks
}

// DeadLetters keeps the dead letters. Every method with an id gives NotFound "dead_letter_not_found".
type DeadLetters interface {
	DeadLetter(ctx context.Context, appID, id string) (DeadLetter, error)
	// LetterTape gives the tape of the letter's last attempt. NotFound "tape_not_found" when no script ran.
	LetterTape(ctx context.Context, appID, id string) (LetterTape, error)
	// ListDeadLetters gives the letters, newest first.
	ListDeadLetters(ctx context.Context, appID string, filter DeadLetterFilter, page Page) (List[DeadLetter], error)
	// GroupDeadLetters gives the letters by cause, the largest group first; at most limit groups, more says that there are others.
	GroupDeadLetters(ctx context.Context, appID string, filter DeadLetterFilter, limit int) (groups []DeadLetterGroup, more bool, err error)
	CountUnresolved(ctx context.Context, appID string) (int64, error)
	// CountDropped gives how many letters of the app were dropped unresolved, past their retention.
	CountDropped(ctx context.Context, appID string) (int64, error)
	// ReplayDeadLetter marks the letter replayed and enqueues its firing as a new execution, in one transaction, and gives the new execution's id.
	// Conflict "already_resolved"; NotFound "version_not_found"; Conflict "script_missing" when the script is gone.
	ReplayDeadLetter(ctx context.Context, appID, id string, r Replay) (executionID string, err error)
	// IgnoreDeadLetter marks the letter ignored. Conflict "already_resolved".
	IgnoreDeadLetter(ctx context.Context, appID, id, note, principal string) (DeadLetter, error)
}
