package engine

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// Running asks Temporal for the one workflow: unlike a list it is never behind.
func (e *Engine) Running(ctx context.Context, appID, executionID string) (picloud.Execution, error) {
	var described *workflowservice.DescribeWorkflowExecutionResponse
	err := ofEither(executionID, func(workflowID string) (err error) {
		described, err = e.client.DescribeWorkflowExecution(ctx, workflowID, "")
		return wrapMissing("describe execution", executionID, err)
	})
	if err != nil {
		return picloud.Execution{}, err
	}
	info := described.GetWorkflowExecutionInfo()
	x, err := execution(info)
	if err != nil {
		return picloud.Execution{}, err
	}
	if x.AppID != appID || info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return picloud.Execution{}, picloud.NotFoundError("execution", executionID)
	}
	for _, pending := range described.GetPendingActivities() {
		x.Attempt = max(x.Attempt, int(pending.GetAttempt()))
	}
	return x, nil
}

// ListRunning asks Temporal's visibility, which is some moments behind. A page may hold fewer than the limit and still have a next one.
func (e *Engine) ListRunning(
	ctx context.Context, app picloud.App, filter picloud.ExecutionFilter, page picloud.Page,
) (picloud.List[picloud.Execution], error) {
	var list picloud.List[picloud.Execution]
	if filter.Status != "" && filter.Status != picloud.StatusRunning {
		return list, nil
	}
	token, err := base64.RawURLEncoding.DecodeString(page.Cursor)
	if err != nil {
		return list, picloud.InvalidField("cursor", "%q is no cursor of this list", page.Cursor)
	}
	limit := page.Limit
	if limit <= 0 {
		limit = picloud.DefaultPageLimit
	}
	found, err := e.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace:     e.namespace,
		PageSize:      int32(min(limit, picloud.MaxPageLimit)),
		NextPageToken: token,
		Query:         runningQuery(app.Slug, filter),
	})
	if err != nil {
		return list, fmt.Errorf("list running executions: %w", err)
	}
	for _, info := range found.GetExecutions() {
		x, err := execution(info)
		if err != nil {
			return list, err
		}
		if x.AppID == app.ID && (!isID(filter.Trigger) || x.TriggerID == filter.Trigger) {
			list.Items = append(list.Items, x)
		}
	}
	list.Next = base64.RawURLEncoding.EncodeToString(found.GetNextPageToken())
	return list, nil
}

// cancelsAtATime bounds the cancellations that CancelMany has under way.
const cancelsAtATime = 8

// CancelMany implements picloud.Engine. What has ended between the list and its cancellation counts too.
func (e *Engine) CancelMany(ctx context.Context, app picloud.App, filter picloud.ExecutionFilter, limit int) (ids []string, more bool, err error) {
	filter.Status = picloud.StatusRunning
	page := picloud.Page{Limit: picloud.MaxPageLimit}
	var found []picloud.Execution
	for len(found) < limit {
		list, err := e.ListRunning(ctx, app, filter, page)
		if err != nil {
			return nil, false, err
		}
		found = append(found, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	more = len(found) > limit || page.Cursor != ""
	found = found[:min(len(found), limit)]
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cancelsAtATime)
	for _, x := range found {
		ids = append(ids, x.ID)
		group.Go(func() error {
			err := wrapMissing("cancel execution", x.ID, e.client.CancelWorkflow(ctx, workflows.ExecutionID(x.ID), ""))
			if picloud.ErrorCode(err) == "execution_not_found" {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, false, err
	}
	return ids, more, nil
}

// runningQuery is the visibility query; SQL visibility lists the newest first by itself and takes no ORDER BY.
func runningQuery(slug string, filter picloud.ExecutionFilter) string {
	conditions := []string{
		"WorkflowType IN (" + quote(workflows.ExecutionName) + ", " + quote(workflows.SendMailName) + ")",
		"ExecutionStatus = 'Running'",
		workflows.AppKey.GetName() + " = " + quote(slug),
	}
	equal := func(name, value string) {
		if value != "" {
			conditions = append(conditions, name+" = "+quote(value))
		}
	}
	equal(workflows.ScriptKey.GetName(), filter.Script)
	equal(workflows.KindKey.GetName(), string(filter.Kind))
	equal(workflows.RootKey.GetName(), filter.Root)
	if !isID(filter.Trigger) {
		equal(workflows.TriggerKey.GetName(), filter.Trigger)
	}
	if !filter.Since.IsZero() {
		conditions = append(conditions, "StartTime >= "+quote(filter.Since.UTC().Format(time.RFC3339Nano)))
	}
	return strings.Join(conditions, " AND ")
}

// quote makes s a string of the query language.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// isID tells an id (a UUID) from a name: names have no upper case and may look like one only if they are as long and dashed as one.
func isID(s string) bool {
	return len(s) == len("00000000-0000-0000-0000-000000000000") && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-'
}
