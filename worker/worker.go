// Package worker builds the Temporal workers: they run the workflows and their activities.
package worker

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/workflows"
)

// Options bound what this process runs at a time. Zero fields are set by [New].
type Options struct {
	Scripts     int           // scripts as first attempts, and as many again as later or long ones; 0 = 64
	Workflows   int           // workflow tasks; a first attempt holds one for as long as it runs; 0 = Scripts + 64
	CacheSize   int           // workflows kept in memory between their tasks, in the whole process; 0 = 2048
	StopTimeout time.Duration // how long Stop waits for what runs before it is handed back; 0 = 20 s
	// Worked hears of every activity of an execution that has ended here, however it ended; nil = nobody does. It may not block.
	Worked func(executionID string)
	// OnFatal hears of an error that no retry mends, e.g. a namespace that is gone. The workers have stopped then.
	OnFatal func(error)
}

// The bounds that New sets.
const (
	defaultScripts     = 64
	workflowHeadroom   = 64
	defaultCacheSize   = 2048
	defaultStopTimeout = 20 * time.Second
	// heartbeatThrottle is the longest time for which a worker holds back heartbeats, and so in which a long script hears of its cancellation.
	heartbeatThrottle = 2 * time.Second
)

// Workers are the workers of one process: one for workflows, local and short activities, one for attempts as normal activities.
type Workers struct {
	workflows worker.Worker
	scripts   worker.Worker
}

// New makes the workers on c, without starting them. Eager starts reach workers only over the client that they were made on: it must be
// the engine's.
func New(c client.Client, a *activities.Activities, o Options) *Workers {
	o = o.withDefaults()
	graceful := *a
	graceful.StopGrace = o.StopTimeout - o.StopTimeout/10
	a = &graceful
	worker.SetStickyWorkflowCacheSize(o.CacheSize)
	var interceptors []interceptor.WorkerInterceptor
	if o.Worked != nil {
		interceptors = append(interceptors, &observer{worked: o.Worked})
	}
	w := &Workers{
		workflows: worker.New(c, workflows.TaskQueue, worker.Options{
			MaxConcurrentWorkflowTaskExecutionSize:  o.Workflows,
			MaxConcurrentLocalActivityExecutionSize: o.Scripts,
			WorkerStopTimeout:                       o.StopTimeout,
			OnFatalError:                            o.OnFatal,
			Interceptors:                            interceptors,
			DisableRegistrationAliasing:             true,
		}),
		scripts: worker.New(c, workflows.ScriptsTaskQueue, worker.Options{
			DisableWorkflowWorker:              true,
			MaxConcurrentActivityExecutionSize: o.Scripts,
			MaxHeartbeatThrottleInterval:       heartbeatThrottle,
			DefaultHeartbeatThrottleInterval:   heartbeatThrottle,
			WorkerStopTimeout:                  o.StopTimeout,
			OnFatalError:                       o.OnFatal,
			Interceptors:                       interceptors,
			DisableRegistrationAliasing:        true,
		}),
	}
	register(w.workflows, a)
	w.scripts.RegisterActivityWithOptions(a.RunScript, activity.RegisterOptions{Name: activities.RunScriptName})
	w.scripts.RegisterActivityWithOptions(a.DryRunLetters, activity.RegisterOptions{Name: activities.DryRunLettersName})
	return w
}

// Registry is where workflows and activities are registered: a worker, or the environment of a test.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// register registers everything by its explicit name.
func register(r Registry, a *activities.Activities) {
	r.RegisterWorkflowWithOptions(workflows.Execution, workflow.RegisterOptions{Name: workflows.ExecutionName})
	r.RegisterWorkflowWithOptions(workflows.Retention, workflow.RegisterOptions{Name: workflows.RetentionName})
	r.RegisterWorkflowWithOptions(workflows.CronTick, workflow.RegisterOptions{Name: workflows.CronTickName})
	r.RegisterWorkflowWithOptions(workflows.BulkReplay, workflow.RegisterOptions{Name: workflows.BulkReplayName})
	r.RegisterActivityWithOptions(a.ReplayLetters, activity.RegisterOptions{Name: activities.ReplayLettersName})
	r.RegisterActivityWithOptions(a.EndBulkReplay, activity.RegisterOptions{Name: activities.EndBulkReplayName})
	r.RegisterWorkflowWithOptions(workflows.SendMail, workflow.RegisterOptions{Name: workflows.SendMailName})
	r.RegisterActivityWithOptions(a.HandOverMail, activity.RegisterOptions{Name: activities.HandOverMailName})
	r.RegisterActivityWithOptions(a.OpenTick, activity.RegisterOptions{Name: activities.OpenTickName})
	r.RegisterActivityWithOptions(a.RunScript, activity.RegisterOptions{Name: activities.RunScriptName})
	r.RegisterActivityWithOptions(a.BuryExecution, activity.RegisterOptions{Name: activities.BuryExecutionName})
	r.RegisterActivityWithOptions(a.CancelExecution, activity.RegisterOptions{Name: activities.CancelExecutionName})
	r.RegisterActivityWithOptions(a.MaintainPartitions, activity.RegisterOptions{Name: activities.MaintainPartitionsName})
}

func (o Options) withDefaults() Options {
	if o.Scripts <= 0 {
		o.Scripts = defaultScripts
	}
	if o.Workflows <= 0 {
		o.Workflows = o.Scripts + workflowHeadroom
	}
	if o.CacheSize <= 0 {
		o.CacheSize = defaultCacheSize
	}
	if o.StopTimeout <= 0 {
		o.StopTimeout = defaultStopTimeout
	}
	return o
}

// Start begins to take work. On an error nothing runs.
func (w *Workers) Start() error {
	if err := w.scripts.Start(); err != nil {
		return fmt.Errorf("start scripts worker: %w", err)
	}
	if err := w.workflows.Start(); err != nil {
		w.scripts.Stop()
		return fmt.Errorf("start workflows worker: %w", err)
	}
	return nil
}

// Stop takes no more work, waits for what runs for as long as StopTimeout says, and then hands it back.
func (w *Workers) Stop() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.scripts.Stop()
	}()
	w.workflows.Stop()
	<-done
}
