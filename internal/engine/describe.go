package engine

import (
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// memoKey names what a workflow carries beside its search attributes.
const memoKey = "picloud"

// memo is what the list of running executions shows and nobody searches for.
type memo struct {
	AppID     string    `json:"app_id"`
	Version   int       `json:"version"`
	TriggerID string    `json:"trigger_id,omitempty"`
	ParentID  string    `json:"parent_id,omitempty"`
	EventID   string    `json:"event_id,omitempty"`
	Principal string    `json:"principal"`
	QueuedAt  time.Time `json:"queued_at"`
}

func newMemo(f picloud.Firing) memo {
	return memo{AppID: f.AppID, Version: f.Version, TriggerID: f.TriggerID, ParentID: f.ParentID, EventID: f.EventID, Principal: f.Principal, QueuedAt: f.QueuedAt}
}

// searchAttributes are those of the firing's workflow; what it does not have is left out.
func searchAttributes(f picloud.Firing) temporal.SearchAttributes {
	set := []temporal.SearchAttributeUpdate{
		workflows.AppKey.ValueSet(f.App),
		workflows.ScriptKey.ValueSet(f.Script),
		workflows.KindKey.ValueSet(string(f.Kind)),
		workflows.RootKey.ValueSet(f.RootID),
		workflows.DepthKey.ValueSet(int64(f.Depth)),
	}
	if f.Trigger != "" {
		set = append(set, workflows.TriggerKey.ValueSet(f.Trigger))
	}
	if f.ReplayOf != "" {
		set = append(set, workflows.ReplayOfKey.ValueSet(f.ReplayOf))
	}
	return temporal.NewSearchAttributes(set...)
}

// longestSummary bounds Summary, in bytes: Temporal allows 400.
const longestSummary = 200

// Summary is the one line that the Temporal UI shows for an execution: "fulfil v3 ← kv orders/42 created".
func Summary(f picloud.Firing) string {
	s := fmt.Sprintf("%s v%d ← %s", f.Script, f.Version, f.What)
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

// execution turns a running workflow into the execution that it is.
func execution(info *workflowpb.WorkflowExecutionInfo) (picloud.Execution, error) {
	x := picloud.Execution{
		ID:        strings.TrimPrefix(info.GetExecution().GetWorkflowId(), workflows.ExecutionID("")),
		Status:    picloud.StatusRunning,
		StartedAt: info.GetStartTime().AsTime(),
	}
	if payload := info.GetMemo().GetFields()[memoKey]; payload != nil {
		var m memo
		if err := converter.GetDefaultDataConverter().FromPayload(payload, &m); err != nil {
			return x, fmt.Errorf("read memo of %s: %w", x.ID, err)
		}
		x.AppID, x.Version, x.TriggerID, x.ParentID, x.EventID = m.AppID, m.Version, m.TriggerID, m.ParentID, m.EventID
		x.Principal, x.QueuedAt = m.Principal, m.QueuedAt
	}
	attributes := info.GetSearchAttributes().GetIndexedFields()
	x.Script = keyword(attributes, workflows.ScriptKey)
	x.Trigger = keyword(attributes, workflows.TriggerKey)
	x.Kind = picloud.Kind(keyword(attributes, workflows.KindKey))
	x.RootID = keyword(attributes, workflows.RootKey)
	x.ReplayOf = keyword(attributes, workflows.ReplayOfKey)
	if payload := attributes[workflows.DepthKey.GetName()]; payload != nil {
		if err := converter.GetDefaultDataConverter().FromPayload(payload, &x.Depth); err != nil {
			return x, fmt.Errorf("read depth of %s: %w", x.ID, err)
		}
	}
	return x, nil
}

// keyword reads one keyword attribute; "" = it has none.
func keyword(attributes map[string]*commonpb.Payload, key temporal.SearchAttributeKeyKeyword) string {
	var s string
	if payload := attributes[key.GetName()]; payload != nil {
		if converter.GetDefaultDataConverter().FromPayload(payload, &s) != nil {
			return ""
		}
	}
	return s
}
