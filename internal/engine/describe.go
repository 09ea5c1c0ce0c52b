package engine

import (
	"fmt"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// execution turns a running workflow into the execution that it is.
func execution(info *workflowpb.WorkflowExecutionInfo) (picloud.Execution, error) {
	workflowID := info.GetExecution().GetWorkflowId()
	x := picloud.Execution{
		ID:        workflowID[strings.IndexByte(workflowID, ':')+1:],
		Status:    picloud.StatusRunning,
		StartedAt: info.GetStartTime().AsTime(),
	}
	if payload := info.GetMemo().GetFields()[workflows.MemoKey]; payload != nil {
		var m workflows.Memo
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
