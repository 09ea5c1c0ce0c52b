// Package engine is the only Temporal client of PiCloud: it starts, finds, awaits and cancels the workflows of executions.
package engine

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/sirupsen/logrus"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// Options say which Temporal the engine uses.
type Options struct {
	// Address is "host:port" of a Temporal frontend without TLS (the in-process one). "" = the SDK's standard TEMPORAL_* environment:
	// address, namespace, API key, TLS. Source: https://docs.temporal.io/develop/environment-configuration
	Address   string
	Namespace string // "" = TEMPORAL_NAMESPACE where Address is "" too, else "default"
	BaseURL   string // of PiCloud as people reach it, e.g. "http://127.0.0.1:8080"; the Temporal UI is under /temporal
	Identity  string // of this process in Temporal's histories; "" = the SDK's "<pid>@<host>"
	Log       logrus.FieldLogger
}

// Engine is a connection to Temporal. It implements [picloud.Engine].
type Engine struct {
	client    client.Client
	namespace string
	baseURL   string
}

var _ picloud.Engine = (*Engine)(nil)

// New makes an engine. It does not connect: the first call does, and [EnsureNamespace] waits for a cluster that is on its way up.
func New(o Options) (*Engine, error) {
	options := client.Options{HostPort: o.Address}
	if o.Address == "" {
		var err error
		if options, err = envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{}); err != nil {
			return nil, fmt.Errorf("load TEMPORAL_* environment: %w", err)
		}
	}
	if o.Namespace != "" {
		options.Namespace = o.Namespace
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	if o.Identity != "" {
		options.Identity = o.Identity
	}
	if o.Log != nil {
		options.Logger = logger{o.Log}
	}
	c, err := client.NewLazyClient(options)
	if err != nil {
		return nil, fmt.Errorf("make temporal client: %w", err)
	}
	return &Engine{client: c, namespace: options.Namespace, baseURL: o.BaseURL}, nil
}

// Client is the connection, for the workers: eager starts reach only workers on the same client.
func (e *Engine) Client() client.Client { return e.client }

// Namespace is the namespace in use.
func (e *Engine) Namespace() string { return e.namespace }

// Close ends the connection.
func (e *Engine) Close() { e.client.Close() }

// Ping says whether Temporal answers.
func (e *Engine) Ping(ctx context.Context) error {
	if _, err := e.client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("reach temporal: %w", err)
	}
	return nil
}

// Start begins the workflow of a firing, eagerly where this process has a worker on the engine's client: then its first attempt needs no task queue.
func (e *Engine) Start(ctx context.Context, f picloud.Firing) error {
	shown := workflows.Describe(f)
	name, id := workflows.ExecutionName, workflows.ExecutionID(f.ExecutionID)
	if f.Kind == picloud.KindMail {
		name, id = workflows.SendMailName, workflows.MailID(f.ExecutionID)
	}
	options := client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		EnableEagerStart:         true,
		TypedSearchAttributes:    shown.Attributes,
		Memo:                     shown.Memo,
		StaticSummary:            shown.Summary,
		StaticDetails:            shown.Details,
	}
	// Where the id is taken, the SDK gives the run that has it: started already is success.
	if _, err := e.client.ExecuteWorkflow(ctx, options, name, workflows.Input{Firing: f}); err != nil {
		return fmt.Errorf("start execution: %w", err)
	}
	return nil
}

// Await blocks until the execution's workflow is closed, however it ended, or ctx ends.
func (e *Engine) Await(ctx context.Context, executionID string) error {
	return ofEither(executionID, func(workflowID string) error {
		err := e.client.GetWorkflow(ctx, workflowID, "").Get(ctx, nil)
		if _, closed := errors.AsType[*temporal.WorkflowExecutionError](err); err == nil || closed {
			return nil
		}
		if _, late := errors.AsType[*serviceerror.DeadlineExceeded](err); late { // gRPC's word for the end of ctx, which it sees a moment earlier
			return fmt.Errorf("await execution: %w", context.DeadlineExceeded)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("await execution: %w", ctx.Err())
		}
		return wrapMissing("await execution", executionID, err)
	})
}

// Cancel asks a running execution to end.
func (e *Engine) Cancel(ctx context.Context, executionID string) error {
	return ofEither(executionID, func(id string) error {
		// Temporal takes a cancellation of a closed workflow and forgets it.
		described, err := e.client.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return wrapMissing("describe execution", executionID, err)
		}
		if described.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return picloud.NotFoundError("execution", executionID)
		}
		return wrapMissing("cancel execution", executionID, e.client.CancelWorkflow(ctx, id, ""))
	})
}

// ofEither does something with the workflow of an execution, which is an Execution unless it is a SendMail: that is tried when the first is not there.
func ofEither(executionID string, do func(workflowID string) error) error {
	err := do(workflows.ExecutionID(executionID))
	if picloud.ErrorCode(err) == "execution_not_found" {
		return do(workflows.MailID(executionID))
	}
	return err
}

// URL is the page of the execution in the Temporal UI, which finds the latest run of the workflow by itself.
func (e *Engine) URL(kind picloud.Kind, executionID string) string {
	id := workflows.ExecutionID(executionID)
	if kind == picloud.KindMail {
		id = workflows.MailID(executionID)
	}
	return fmt.Sprintf("%s/temporal/namespaces/%s/workflows/%s", e.baseURL, url.PathEscape(e.namespace), url.QueryEscape(id))
}

// wrapMissing turns Temporal's "not found" (never started, closed, or deleted after its retention) into the domain's, and wraps all else.
func wrapMissing(doing, executionID string, err error) error {
	if err == nil {
		return nil
	}
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return picloud.NotFoundError("execution", executionID)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
