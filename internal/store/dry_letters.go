package store

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

var _ picloud.Grants = (*Store)(nil)

// ReportPage implements picloud.BulkWork.
func (s *Store) ReportPage(ctx context.Context, id, after string, page []picloud.DryLetter) (picloud.BulkReplay, error) {
	return s.onBulkReplay(ctx, id, func(q *sqlc.Queries, b *picloud.BulkReplay) error {
		if b.Status != picloud.BulkRunning || b.After != after || b.Report == nil {
			return nil
		}
		if len(page) == 0 {
			b.Status = picloud.BulkCompleted
		}
		for _, l := range page {
			if err := insertDryLetter(ctx, q, id, l); err != nil {
				return err
			}
			b.Report.Add(l)
			if l.Outcome == picloud.DrySkipped {
				b.Skipped++
			} else {
				b.Replayed++
			}
			b.After = l.DeadLetterID
		}
		return progress(ctx, q, b)
	})
}

func insertDryLetter(ctx context.Context, q *sqlc.Queries, bulkReplay string, l picloud.DryLetter) error {
	p := sqlc.BulkDryLetterInsertParams{
		BulkReplayID: bulkReplay, DeadLetterID: l.DeadLetterID, Outcome: string(l.Outcome), EffectsTotal: int32(l.EffectsTotal), // bounded by the limit of effects
	}
	var err error
	if p.Error, err = encode(l.Error); err != nil {
		return err
	}
	if p.Effects, err = encode(l.Effects); err != nil {
		return err
	}
	if len(l.ChangedKeys) > 0 {
		if p.ChangedKeys, err = encode(l.ChangedKeys); err != nil {
			return err
		}
	}
	if err := q.BulkDryLetterInsert(ctx, p); err != nil {
		return fmt.Errorf("insert dry run of letter: %w", err)
	}
	return nil
}

// ListDryLetters implements picloud.BulkReplays.
func (s *Store) ListDryLetters(ctx context.Context, appID, id string, filter picloud.DryFilter, page picloud.Page) (picloud.List[picloud.DryLetter], error) {
	var none picloud.List[picloud.DryLetter]
	if err := checkCursor(page.Cursor); err != nil {
		return none, err
	}
	b, err := s.BulkReplay(ctx, appID, id)
	if err != nil {
		return none, err
	}
	if !b.Request.DryRun {
		return none, picloud.Errorf(picloud.Conflict, "no_dry_run", "the bulk replay %s is no dry run: its letters say how their replays went", id)
	}
	rows, err := s.queries.BulkDryLetterList(ctx, sqlc.BulkDryLetterListParams{
		BulkReplayID: id, Outcome: string(filter.Outcome), Changed: filter.Changed, After: optional(page.Cursor), Max: size(page),
	})
	if err != nil {
		return none, fmt.Errorf("list dry run of letters: %w", err)
	}
	items := make([]picloud.DryLetter, len(rows))
	for i, r := range rows {
		if items[i], err = toDryLetter(r); err != nil {
			return none, err
		}
	}
	return cut(items, bounded(page), func(l picloud.DryLetter) string { return l.DeadLetterID }), nil
}

func toDryLetter(r sqlc.BulkDryLetter) (l picloud.DryLetter, err error) {
	l = picloud.DryLetter{DeadLetterID: r.DeadLetterID, Outcome: picloud.DryOutcome(r.Outcome), EffectsTotal: int(r.EffectsTotal)}
	if l.Error, err = decodeOptional[picloud.ScriptError](r.Error); err != nil {
		return l, err
	}
	if l.Effects, err = decode[[]picloud.EffectDiff](r.Effects); err != nil {
		return l, err
	}
	l.ChangedKeys, err = decode[[]string](r.ChangedKeys)
	return l, err
}

// Grant implements picloud.Grants. A principal that is gone may do nothing.
func (s *Store) Grant(ctx context.Context, app picloud.App, principal string) (*picloud.Grant, error) {
	row, err := s.queries.PrincipalGrant(ctx, app.ID, principal)
	if err != nil && !isMissing(err) {
		return nil, fmt.Errorf("get rights of principal: %w", err)
	}
	p := picloud.Principal{Name: principal, InstanceAdmin: row.InstanceAdmin, Disabled: err != nil || row.Disabled}
	return &picloud.Grant{Principal: principal, App: app.Slug, Scopes: p.Scopes(picloud.Role(row.Role))}, nil //nolint:nilerr // err is that there is no such principal
}

// LetterGrant implements picloud.Grants.
func (s *Store) LetterGrant(ctx context.Context, app picloud.App, letter picloud.DeadLetter) (*picloud.Grant, error) {
	script, err := newScriptFinder(s.queries).find(ctx, letter, 0)
	if err != nil {
		return nil, err
	}
	return s.Grant(ctx, app, script.Principal)
}
