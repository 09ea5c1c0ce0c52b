package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/picloud"
)

// Shown is what the workflow of a firing shows of itself beside its history, whoever starts it.
type Shown struct {
	Attributes temporal.SearchAttributes
	Memo       map[string]any
	Summary    string
	Details    string // Markdown
}

// Describe gives what the firing's workflow shows.
func Describe(f picloud.Firing) Shown {
	return Shown{Attributes: searchAttributes(f), Memo: map[string]any{MemoKey: memoOf(f)}, Summary: Summary(f), Details: details(f)}
}

// MemoKey names what a workflow carries beside its search attributes.
const MemoKey = "picloud"

// Memo is what the list of running executions shows and nobody searches for.
type Memo struct {
	AppID     string    `json:"app_id"`
	Version   int       `json:"version"`
	TriggerID string    `json:"trigger_id,omitempty"`
	ParentID  string    `json:"parent_id,omitempty"`
	EventID   string    `json:"event_id,omitempty"`
	Principal string    `json:"principal"`
	QueuedAt  time.Time `json:"queued_at"`
}

func memoOf(f picloud.Firing) Memo {
	return Memo{AppID: f.AppID, Version: f.Version, TriggerID: f.TriggerID, ParentID: f.ParentID, EventID: f.EventID, Principal: f.Principal, QueuedAt: f.QueuedAt}
}

// searchAttributes are those of the firing's workflow; what it does not have is left out.
func searchAttributes(f picloud.Firing) temporal.SearchAttributes {
	set := []temporal.SearchAttributeUpdate{
		AppKey.ValueSet(f.App),
		ScriptKey.ValueSet(f.Script),
		KindKey.ValueSet(string(f.Kind)),
		RootKey.ValueSet(f.RootID),
		DepthKey.ValueSet(int64(f.Depth)),
	}
	if f.Trigger != "" {
		set = append(set, TriggerKey.ValueSet(f.Trigger))
	}
	if f.ReplayOf != "" {
		set = append(set, ReplayOfKey.ValueSet(f.ReplayOf))
	}
	return temporal.NewSearchAttributes(set...)
}

// longestSummary bounds Summary, in bytes: Temporal allows 400.
const longestSummary = 200

// Summary is the one line that the Temporal UI shows for an execution: "fulfil v3 ← kv orders/42 created".
func Summary(f picloud.Firing) string {
	s := fmt.Sprintf("%s v%d ← %s", f.Script, f.Version, f.What)
	if f.Kind == picloud.KindMail {
		s = fmt.Sprintf("%s v%d → %s", f.Script, f.Version, f.What)
	}
	if len(s) > longestSummary {
		s = strings.ToValidUTF8(s[:longestSummary], "") + "…"
	}
	return s
}

// details is what the Temporal UI shows below the summary, in Markdown.
func details(f picloud.Firing) string {
	lines := []string{fmt.Sprintf("app %s, depth %d, as %s", f.App, f.Depth, f.Principal)}
	if f.Trigger != "" {
		lines = append(lines, "trigger "+f.Trigger)
	}
	if f.ParentID != "" {
		lines = append(lines, "fired by execution "+f.ParentID)
	}
	if f.ReplayOf != "" {
		lines = append(lines, "replay of dead letter "+f.ReplayOf)
	}
	return strings.Join(lines, "\n\n")
}
