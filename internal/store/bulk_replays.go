package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// CreateBulkReplay implements picloud.BulkReplays.
func (s *Store) CreateBulkReplay(ctx context.Context, app picloud.App, request picloud.BulkRequest, principal, key string) (picloud.BulkReplay, error) {
	slices.Sort(request.IDs)
	request.IDs = slices.Compact(request.IDs)
	column, err := encode(request)
	if err != nil {
		return picloud.BulkReplay{}, err
	}
	var report *picloud.BulkReport
	if request.DryRun {
		report = &picloud.BulkReport{}
	}
	reportColumn, err := encode(report)
	if err != nil {
		return picloud.BulkReplay{}, err
	}
	l := lettersOf(request)
	id := ""
	err = s.audited(ctx, s.inTx(ctx, func(q *sqlc.Queries) (err error) {
		id, err = q.BulkReplayInsert(ctx, sqlc.BulkReplayInsertParams{
			AppID: app.ID, Request: column, Principal: principal, IdempotencyKey: optional(key), Report: reportColumn, ByIds: l.ByIds, IdsCount: int64(len(l.Ids)),
			Resolution: l.Resolution, Script: l.Script, Trigger: l.Trigger, Reason: l.Reason, Fingerprint: l.Fingerprint, Since: l.Since, Until: l.Until,
		})
		if err != nil {
			return err
		}
		return audit(ctx, q, "bulk_replay", id, nil, request)
	}))
	switch {
	case err == nil:
		return s.BulkReplay(ctx, app.ID, id)
	case violates(err, foreignKeyViolation, ""):
		return picloud.BulkReplay{}, picloud.NotFoundError("app", app.Slug)
	case !isMissing(err):
		return picloud.BulkReplay{}, fmt.Errorf("insert bulk replay: %w", err)
	}
	row, err := s.queries.BulkReplayByKey(ctx, app.ID, &key)
	if err != nil {
		return picloud.BulkReplay{}, fmt.Errorf("get bulk replay of idempotency key: %w", err)
	}
	if !bytes.Equal(row.BulkReplay.Request, column) {
		return picloud.BulkReplay{}, picloud.Errorf(picloud.Conflict, "idempotency_key_reused", "the key %q stands for another request: that of the bulk replay %s", key, row.BulkReplay.ID)
	}
	return toBulkReplay(row.BulkReplay, row.App)
}

// lettersOf gives the question for the letters of a request.
func lettersOf(request picloud.BulkRequest) sqlc.BulkReplayLettersParams {
	p := sqlc.BulkReplayLettersParams{ByIds: request.Filter == nil, Ids: request.IDs}
	if f := request.Filter; f != nil {
		p.Script, p.Trigger, p.Reason, p.Fingerprint, p.Since, p.Until = f.Script, f.Trigger, string(f.Reason), f.Fingerprint, since(f.Since), since(f.Until)
		if f.HandlerFailed {
			p.Resolution = optional(string(picloud.HandlerFailed))
		}
	}
	return p
}

// BulkReplay implements picloud.BulkReplays.
func (s *Store) BulkReplay(ctx context.Context, appID, id string) (picloud.BulkReplay, error) {
	if !isID(id) {
		return picloud.BulkReplay{}, picloud.NotFoundError("bulk_replay", id)
	}
	row, err := s.queries.BulkReplayGet(ctx, appID, id)
	if isMissing(err) {
		return picloud.BulkReplay{}, picloud.NotFoundError("bulk_replay", id)
	}
	if err != nil {
		return picloud.BulkReplay{}, fmt.Errorf("get bulk replay: %w", err)
	}
	return toBulkReplay(row.BulkReplay, row.App)
}

// ListBulkReplays implements picloud.BulkReplays.
func (s *Store) ListBulkReplays(ctx context.Context, appID string, page picloud.Page) (picloud.List[picloud.BulkReplay], error) {
	var none picloud.List[picloud.BulkReplay]
	if err := checkCursor(page.Cursor); err != nil {
		return none, err
	}
	rows, err := s.queries.BulkReplayList(ctx, appID, optional(page.Cursor), size(page))
	if err != nil {
		return none, fmt.Errorf("list bulk replays: %w", err)
	}
	items := make([]picloud.BulkReplay, len(rows))
	for i, r := range rows {
		if items[i], err = toBulkReplay(r.BulkReplay, r.App); err != nil {
			return none, err
		}
	}
	return cut(items, bounded(page), func(b picloud.BulkReplay) string { return b.ID }), nil
}

// RunningBulkReplays implements picloud.BulkWork.
func (s *Store) RunningBulkReplays(ctx context.Context) ([]picloud.BulkReplay, error) {
	rows, err := s.queries.BulkReplayListRunning(ctx)
	if err != nil {
		return nil, fmt.Errorf("list running bulk replays: %w", err)
	}
	items := make([]picloud.BulkReplay, len(rows))
	for i, r := range rows {
		if items[i], err = toBulkReplay(r.BulkReplay, r.App); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// CancelBulkReplay implements picloud.BulkReplays.
func (s *Store) CancelBulkReplay(ctx context.Context, appID, id string) (picloud.BulkReplay, error) {
	if _, err := s.BulkReplay(ctx, appID, id); err != nil { // another app's is none
		return picloud.BulkReplay{}, err
	}
	b, err := s.onBulkReplay(ctx, id, func(q *sqlc.Queries, b *picloud.BulkReplay) error {
		if b.Status != picloud.BulkRunning {
			return nil
		}
		if err := cancelBulkReplay(ctx, q, id); err != nil {
			return err
		}
		return audit(ctx, q, "bulk_replay", id, bulkView{b.Status, b.Replayed}, bulkView{picloud.BulkCanceled, b.Replayed})
	})
	err = s.audited(ctx, err)
	if err == nil && b.Status == picloud.BulkCompleted {
		return b, picloud.Errorf(picloud.Conflict, "already_finished", "the bulk replay has completed")
	}
	return b, err
}

// EndBulkReplay implements picloud.BulkWork. A page that is being written is waited for: it counts.
func (s *Store) EndBulkReplay(ctx context.Context, id string) (picloud.BulkReplay, error) {
	return s.onBulkReplay(ctx, id, func(q *sqlc.Queries, _ *picloud.BulkReplay) error { return cancelBulkReplay(ctx, q, id) })
}

// cancelBulkReplay cancels one that runs.
func cancelBulkReplay(ctx context.Context, q *sqlc.Queries, id string) error {
	if err := q.BulkReplayCancel(ctx, id); err != nil {
		return fmt.Errorf("cancel bulk replay: %w", err)
	}
	return nil
}

// bulkView is what the audit log shows of a bulk replay.
type bulkView struct {
	Status   picloud.BulkStatus `json:"status"`
	Replayed int64              `json:"replayed"`
}

// ReplayPage implements picloud.BulkWork.
func (s *Store) ReplayPage(ctx context.Context, id, after string, limit int) (picloud.BulkReplay, error) {
	queued := false
	b, err := s.onBulkReplay(ctx, id, func(q *sqlc.Queries, b *picloud.BulkReplay) error {
		letters, err := nextLetters(ctx, q, b, after, limit)
		if err != nil || letters == nil {
			return err
		}
		scripts := newScriptFinder(q)
		how := picloud.Replay{Version: b.Request.Version, Principal: b.Principal}
		var replayed []string
		for _, letter := range letters {
			err := scripts.replay(ctx, letter, how, newID())
			switch {
			case picloud.AsError(err) != nil: // no script, or no such version: the letter stays as it is
				b.Skipped++
			case err != nil:
				return err
			default:
				b.Replayed++
				replayed = append(replayed, letter.ID)
			}
			b.After = letter.ID
		}
		if len(letters) < limit {
			b.Status = picloud.BulkCompleted
		}
		queued = len(replayed) > 0
		if err := auditPage(ctx, q, b, replayed); err != nil {
			return err
		}
		return progress(ctx, q, b)
	})
	if err == nil && queued {
		s.notifier.notify()
	}
	return b, err
}

// auditPage writes one line for the letters of a page.
func auditPage(ctx context.Context, q *sqlc.Queries, b *picloud.BulkReplay, replayed []string) error {
	if len(replayed) == 0 {
		return nil
	}
	after, err := encode(map[string][]string{"replayed": replayed})
	if err != nil {
		return err
	}
	return insertAudit(ctx, q, picloud.AuditEntry{
		Principal: b.Principal, Action: "replayDeadLetters", App: b.App, TargetKind: "bulk_replay", TargetID: b.ID, After: after, Outcome: picloud.AuditDone,
	})
}

// DryPage implements picloud.BulkWork.
func (s *Store) DryPage(ctx context.Context, id, after string, limit int) (b picloud.BulkReplay, letters []picloud.DeadLetter, err error) {
	b, err = s.onBulkReplay(ctx, id, func(q *sqlc.Queries, b *picloud.BulkReplay) error {
		letters, err = nextLetters(ctx, q, b, after, limit)
		return err
	})
	return b, letters, err
}

// onBulkReplay does fn in one transaction that holds the row of the bulk replay, and gives that as it is then.
func (s *Store) onBulkReplay(ctx context.Context, id string, fn func(q *sqlc.Queries, b *picloud.BulkReplay) error) (b picloud.BulkReplay, err error) {
	if !isID(id) {
		return b, picloud.NotFoundError("bulk_replay", id)
	}
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		lock := func() error {
			row, err := q.BulkReplayLock(ctx, id)
			if isMissing(err) {
				return picloud.NotFoundError("bulk_replay", id)
			}
			if err != nil {
				return fmt.Errorf("lock bulk replay: %w", err)
			}
			b, err = toBulkReplay(row.BulkReplay, row.App)
			return err
		}
		if err := lock(); err != nil {
			return err
		}
		if err := fn(q, &b); err != nil {
			return err
		}
		return lock() // as the database has it now
	})
	return b, err
}

// nextLetters locks and gives the letters of the page that follows after; nil when that page was taken before or nothing is to be done any more.
func nextLetters(ctx context.Context, q *sqlc.Queries, b *picloud.BulkReplay, after string, limit int) ([]picloud.DeadLetter, error) {
	if b.Status != picloud.BulkRunning || b.After != after {
		return nil, nil
	}
	asked := lettersOf(b.Request)
	asked.AppID, asked.Before, asked.After, asked.Max = b.AppID, b.ID, optional(after), int32(min(limit, picloud.MaxPageLimit))
	rows, err := q.BulkReplayLetters(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("lock letters of bulk replay: %w", err)
	}
	letters := make([]picloud.DeadLetter, len(rows))
	for i, r := range rows {
		if letters[i], err = toDeadLetter(r); err != nil {
			return nil, err
		}
	}
	return letters, nil
}

func progress(ctx context.Context, q *sqlc.Queries, b *picloud.BulkReplay) error {
	report, err := encode(b.Report)
	if err != nil {
		return err
	}
	err = q.BulkReplayProgress(ctx, sqlc.BulkReplayProgressParams{
		Replayed: b.Replayed, Skipped: b.Skipped, Status: string(b.Status), Report: report, After: optional(b.After), ID: b.ID,
	})
	if err != nil {
		return fmt.Errorf("write progress of bulk replay: %w", err)
	}
	return nil
}

func toBulkReplay(r sqlc.BulkReplay, app string) (picloud.BulkReplay, error) {
	request, err := decode[picloud.BulkRequest](r.Request)
	if err != nil {
		return picloud.BulkReplay{}, err
	}
	report, err := decodeOptional[picloud.BulkReport](r.Report)
	if err != nil {
		return picloud.BulkReplay{}, err
	}
	return picloud.BulkReplay{
		ID: r.ID, AppID: r.AppID, App: app, Request: request, Principal: r.Principal, Status: picloud.BulkStatus(r.Status), Total: r.Total, Replayed: r.Replayed,
		Skipped: r.Skipped, Report: report, After: value(r.After), CreatedAt: r.CreatedAt.UTC(), FinishedAt: value(r.FinishedAt).UTC(),
	}, nil
}
