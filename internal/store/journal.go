package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// OpenExecution implements picloud.Journal: one round trip once the program is in the cache.
func (s *Store) OpenExecution(ctx context.Context, f picloud.Firing) (picloud.Opened, error) {
	row, err := s.queries.ExecutionOpen(ctx, sqlc.ExecutionOpenParams{
		ScriptID: f.ScriptID, Version: int32(f.Version), ExecutionID: f.ExecutionID, EventID: f.EventID, Principal: f.Principal, AppID: f.AppID, // a number of script_versions
	})
	if err != nil {
		return picloud.Opened{}, fmt.Errorf("open execution: %w", err)
	}
	if row.Status != nil {
		committed, err := toCommitted(*row.Status, row.Result, row.Error)
		return picloud.Opened{Committed: &committed}, err
	}
	if !row.HasScript {
		return picloud.Opened{}, picloud.ErrScriptMissing
	}
	grant := grantOf(f, row)
	if denied := grant.Check(picloud.ScriptInvoke); denied != nil {
		return picloud.Opened{}, denied
	}
	program, err := s.program(ctx, f.ScriptID, f.Version)
	if err != nil {
		return picloud.Opened{}, err
	}
	opened := picloud.Opened{Program: program.program, Limits: program.limits, FetchAllow: row.FetchAllow, Grant: grant}
	switch {
	case f.Event != nil:
		opened.Event = *f.Event
	case row.EventID != nil:
		opened.Event = toEvent(sqlc.Event{
			ID: *row.EventID, Type: value(row.Type), Source: value(row.Source), Subject: value(row.Subject), Time: value(row.Time),
			ContentType: value(row.ContentType), Data: row.Data, RootID: value(row.RootID), ParentID: row.ParentID, Depth: value(row.Depth),
			Traceparent: value(row.Traceparent), ReplayOf: row.ReplayOf, PartitionKey: value(row.PartitionKey),
		})
		if f.Batched {
			opened.Event = asBatch(opened.Event)
		}
	default:
		return picloud.Opened{}, expiredEvent(f.EventID, s.options.ExecutionDays)
	}
	return opened, nil
}

// expiredEvent is the error of an execution whose event is gone.
func expiredEvent(id string, days int) *picloud.ScriptError {
	return &picloud.ScriptError{
		Reason: picloud.ReasonExpired, Type: "EventExpired", NonRetryable: true,
		Message: fmt.Sprintf("event %s is past its retention of %d days (PICLOUD_EXECUTION_RETENTION_DAYS): the execution waited longer than that", id, days),
	}
}

// grantOf gives what the principal of f may do now. One that is gone may do nothing.
func grantOf(f picloud.Firing, row sqlc.ExecutionOpenRow) *picloud.Grant {
	p := picloud.Principal{Name: f.Principal, InstanceAdmin: value(row.InstanceAdmin), Disabled: row.Disabled == nil || *row.Disabled}
	return &picloud.Grant{Principal: f.Principal, App: f.App, Scopes: p.Scopes(picloud.Role(value(row.Role)))}
}

func (s *Store) program(ctx context.Context, scriptID string, version int) (programEntry, error) {
	key := programKey{scriptID, version}
	if e, ok := s.programs.get(key); ok {
		return e, nil
	}
	row, err := s.queries.ScriptProgram(ctx, scriptID, int32(version)) // a number of script_versions
	if isMissing(err) {
		return programEntry{}, picloud.ErrScriptMissing
	}
	if err != nil {
		return programEntry{}, fmt.Errorf("get program: %w", err)
	}
	limits, err := decode[picloud.Limits](row.Limits)
	if err != nil {
		return programEntry{}, err
	}
	e := programEntry{program: picloud.Program{SHA256: row.ProgramSHA256, Code: row.Code, SourceMap: row.SourceMap}, limits: limits}
	s.programs.put(key, e)
	return e, nil
}

// errCommittedBefore leaves a transaction whose execution has its row already.
var errCommittedBefore = errors.New("committed before")

// CommitExecution implements picloud.Journal: the commit point of an execution.
func (s *Store) CommitExecution(ctx context.Context, f picloud.Firing, c picloud.Commit) (picloud.Committed, error) {
	end := picloud.Committed{Status: c.Status, Error: c.Outcome.Failure}
	var todo effects
	var reads picloud.ReadSet
	if c.Status == picloud.StatusSucceeded {
		end.Result = &c.Outcome.Result
		todo, reads = effectsOf(c.Outcome.Effects), c.Outcome.Reads
	} else {
		c.Outcome.Effects = nil
	}
	kept, shown := end, c.Outcome
	shown.Effects = c.Outcome.Hidden.Effects(c.Outcome.Effects)
	if kept.Result != nil {
		result := c.Outcome.Hidden.Result(*kept.Result)
		kept.Result = &result
	}
	params, err := executionRow(f, kept, shown, c.Attempt, c.StartedAt)
	if err != nil {
		return picloud.Committed{}, err
	}
	params.Clock, params.Seed = tape(c.Clock, c.Seed)
	locks := todo.kv.lock(f.AppID)
	locks.addReads(reads)
	if len(locks.ids) == 0 && todo.none() && !settles(f) { // one statement is a transaction of its own, in one round trip
		err := insertExecution(ctx, s.queries, f, params)
		if errors.Is(err, errCommittedBefore) {
			return s.committed(ctx, f.ExecutionID)
		}
		return end, err
	}
	fired := false
	err = s.inTx(ctx, func(q *sqlc.Queries) (err error) {
		if err := insertExecution(ctx, q, f, params); err != nil {
			return err
		}
		if err := locks.take(ctx, q); err != nil {
			return err
		}
		if err := checkReads(ctx, q, f.AppID, reads); err != nil {
			return err
		}
		woken, err := settle(ctx, q, f, end.Status == picloud.StatusSucceeded)
		if err != nil {
			return err
		}
		if fired, err = todo.write(ctx, q, f); err != nil {
			return err
		}
		again, err := settleBatch(ctx, q, f, c)
		fired = fired || woken || again
		return err
	})
	switch {
	case errors.Is(err, errCommittedBefore):
		return s.committed(ctx, f.ExecutionID)
	case violates(err, foreignKeyViolation, ""): // the app was deleted during the run
		return picloud.Committed{}, picloud.ErrScriptMissing
	case err != nil:
		return picloud.Committed{}, err
	}
	if fired {
		s.notifier.notify()
	}
	return end, nil
}

// originOf says where the effects of a firing's run come from.
func originOf(f picloud.Firing) picloud.Origin {
	return picloud.Origin{Principal: f.Principal, RootID: f.RootID, ExecutionID: f.ExecutionID, Depth: f.Depth, TraceParent: picloud.ExecutionTrace(f.TraceParent, f.ExecutionID)}
}

// committed gives the stored end of an execution.
func (s *Store) committed(ctx context.Context, executionID string) (picloud.Committed, error) {
	row, err := s.queries.ExecutionEnd(ctx, executionID)
	if err != nil {
		return picloud.Committed{}, fmt.Errorf("get end of execution: %w", err)
	}
	return toCommitted(row.Status, row.Result, row.Error)
}

// RecordAttempt implements picloud.Journal.
func (s *Store) RecordAttempt(ctx context.Context, f picloud.Firing, a picloud.Attempt) error {
	failure, err := encode(a.Error)
	if err != nil {
		return err
	}
	logs, err := encode(a.Logs)
	if err != nil {
		return err
	}
	taped, err := encode(a.Tape)
	if err != nil {
		return err
	}
	clock, seed := tape(a.Clock, a.Seed)
	err = s.queries.ExecutionAttemptInsert(ctx, sqlc.ExecutionAttemptInsertParams{
		ExecutionID: f.ExecutionID, Attempt: int32(a.Attempt), Error: failure, Logs: logs, // bounded by MaxRetryAttempts
		StartedAt: a.StartedAt, FinishedAt: a.FinishedAt, RetryAfterMs: a.RetryAfter.Milliseconds(), Clock: clock, Seed: seed, Tape: taped,
		CpuUs: a.CPU.Microseconds(), RootID: f.RootID,
	})
	if err != nil {
		return fmt.Errorf("insert attempt: %w", err)
	}
	return nil
}

// CancelExecution implements picloud.Journal.
func (s *Store) CancelExecution(ctx context.Context, f picloud.Firing, startedAt time.Time, why *picloud.ScriptError) (picloud.Committed, error) {
	end := picloud.Committed{Status: picloud.StatusCanceled, Error: why}
	params, err := executionRow(f, end, picloud.Outcome{}, 0, startedAt)
	if err != nil {
		return picloud.Committed{}, err
	}
	err = s.end(ctx, f, params)
	if errors.Is(err, errCommittedBefore) {
		end, err = s.committed(ctx, f.ExecutionID)
		end.Result = nil
	}
	return end, err
}

// Path implements picloud.Journal.
func (s *Store) Path(ctx context.Context, f picloud.Firing) ([]picloud.Step, error) {
	event, err := eventIn(ctx, s.queries, f)
	if err != nil {
		return nil, err
	}
	var path []picloud.Step
	if f.ParentID != "" {
		rows, err := s.queries.ExecutionPath(ctx, f.ParentID)
		if err != nil {
			return nil, fmt.Errorf("get path of execution: %w", err)
		}
		path = convert(rows, func(r sqlc.ExecutionPathRow) picloud.Step {
			return picloud.StepOf(r.Trigger, r.Script, r.Source, r.Subject)
		})
	}
	return append(path, picloud.StepOf(f.Trigger, f.Script, event.Source, event.Subject)), nil
}

// RecordAbandoned implements picloud.Journal.
func (s *Store) RecordAbandoned(ctx context.Context, f picloud.Firing, c picloud.Committed, grace time.Duration) error {
	result, err := encode(c.Result)
	if err != nil {
		return err
	}
	failure, err := encode(c.Error)
	if err != nil {
		return err
	}
	err = s.queries.AbandonedExecutionInsert(ctx, sqlc.AbandonedExecutionInsertParams{
		ExecutionID: f.ExecutionID, AppID: f.AppID, Script: f.Script, Trigger: f.Trigger, Status: string(c.Status), Result: result, Error: failure,
		GraceMs: grace.Milliseconds(),
	})
	if err != nil {
		return fmt.Errorf("insert abandoned execution: %w", err)
	}
	return nil
}

// insertExecution inserts the row of an ended execution, and its event where that is in no table yet. errCommittedBefore when there is a row already.
func insertExecution(ctx context.Context, q *sqlc.Queries, f picloud.Firing, row sqlc.ExecutionInsertParams) error {
	var n int64
	var err error
	if e := f.Event; e == nil {
		n, err = q.ExecutionInsert(ctx, row)
	} else {
		n, err = q.ExecutionInsertWithEvent(ctx, sqlc.ExecutionInsertWithEventParams{
			ID: row.ID, AppID: row.AppID, Status: row.Status, Script: row.Script, Version: row.Version, TriggerID: row.TriggerID, Trigger: row.Trigger,
			Kind: row.Kind, EventID: row.EventID, Result: row.Result, Error: row.Error, Logs: row.Logs, Effects: row.Effects, Attempts: row.Attempts,
			Depth: row.Depth, RootID: row.RootID, ParentID: row.ParentID, ReplayOf: row.ReplayOf, Principal: row.Principal, QueuedAt: row.QueuedAt, StartedAt: row.StartedAt, Clock: row.Clock, Seed: row.Seed, CpuUs: row.CpuUs,
			EventType: e.Type, EventSource: e.Source, EventSubject: e.Subject, EventTime: e.Time, EventContentType: contentType(*e), EventData: e.Data,
			EventTraceparent: e.TraceParent, EventReplayOf: optional(e.ReplayOf),
		})
	}
	if err != nil {
		return fmt.Errorf("insert execution: %w", err)
	}
	if n == 0 {
		return errCommittedBefore
	}
	return nil
}

// tape gives the columns that a run is repeated with; both null where no script ran.
func tape(clock time.Time, seed int64) (*time.Time, *int64) {
	if clock.IsZero() {
		return nil, nil
	}
	return &clock, &seed
}

// executionRow gives the row of an ended execution.
func executionRow(f picloud.Firing, end picloud.Committed, o picloud.Outcome, attempts int, startedAt time.Time) (sqlc.ExecutionInsertParams, error) {
	var columns [4][]byte
	for i, v := range []any{end.Result, end.Error, o.Logs, kept(o.Effects)} {
		var err error
		if columns[i], err = encode(v); err != nil {
			return sqlc.ExecutionInsertParams{}, err
		}
	}
	return sqlc.ExecutionInsertParams{
		ID: f.ExecutionID, AppID: f.AppID, Status: string(end.Status), Script: f.Script, Version: int32(f.Version), // a number of script_versions
		TriggerID: optional(f.TriggerID), Trigger: f.Trigger, Kind: string(f.Kind), EventID: f.EventID,
		Result: columns[0], Error: columns[1], Logs: columns[2], Effects: columns[3],
		Attempts: int32(attempts), Depth: int32(f.Depth), // bounded by MaxRetryAttempts and MaxDepth
		RootID: f.RootID, ParentID: optional(f.ParentID), ReplayOf: optional(f.ReplayOf), Principal: f.Principal,
		QueuedAt: f.QueuedAt, StartedAt: startedAt, CpuUs: cpuColumn(o.Usage.CPU),
	}, nil
}

// cpuColumn gives the column of CPU time.
func cpuColumn(d time.Duration) *int64 {
	us := d.Microseconds()
	return &us
}

// kept gives the effects as the record has them; nil stays nil.
func kept(effects []picloud.Effect) []picloud.Effect {
	if !slices.ContainsFunc(effects, func(e picloud.Effect) bool { return e.Type == picloud.EffectEmailSend }) {
		return effects
	}
	return convert(effects, picloud.Effect.Kept)
}

func toCommitted(status string, result, failure []byte) (c picloud.Committed, err error) {
	c.Status = picloud.Status(status)
	if c.Result, err = decodeOptional[picloud.Result](result); err != nil {
		return c, err
	}
	c.Error, err = decodeOptional[picloud.ScriptError](failure)
	return c, err
}
