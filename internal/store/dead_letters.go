package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// DeadLetter implements picloud.DeadLetters.
func (s *Store) DeadLetter(ctx context.Context, appID, id string) (picloud.DeadLetter, error) {
	if !isID(id) {
		return picloud.DeadLetter{}, picloud.NotFoundError("dead_letter", id)
	}
	row, err := s.queries.DeadLetterGet(ctx, appID, id)
	if isMissing(err) {
		return picloud.DeadLetter{}, picloud.NotFoundError("dead_letter", id)
	}
	if err != nil {
		return picloud.DeadLetter{}, fmt.Errorf("get dead letter: %w", err)
	}
	return toDeadLetter(row)
}

// LetterTape implements picloud.DeadLetters.
func (s *Store) LetterTape(ctx context.Context, appID, id string) (picloud.LetterTape, error) {
	if _, err := s.DeadLetter(ctx, appID, id); err != nil { // another app's is none
		return picloud.LetterTape{}, err
	}
	row, err := s.queries.DeadLetterTapeGet(ctx, id)
	if isMissing(err) {
		return picloud.LetterTape{}, picloud.Errorf(picloud.NotFound, "tape_not_found", "the dead letter has no tape: no script ran")
	}
	if err != nil {
		return picloud.LetterTape{}, fmt.Errorf("get tape: %w", err)
	}
	t, err := decode[picloud.Tape](row.Tape)
	return picloud.LetterTape{Tape: t, Attempt: int(row.Attempt), Clock: value(row.Clock).UTC(), Seed: value(row.Seed)}, err
}

// ListDeadLetters implements picloud.DeadLetters.
func (s *Store) ListDeadLetters(ctx context.Context, appID string, filter picloud.DeadLetterFilter, page picloud.Page) (picloud.List[picloud.DeadLetter], error) {
	var none picloud.List[picloud.DeadLetter]
	if err := checkCursor(page.Cursor); err != nil {
		return none, err
	}
	unresolved, resolution := resolutionOf(filter)
	rows, err := s.queries.DeadLetterList(ctx, sqlc.DeadLetterListParams{
		AppID: appID, Before: optional(page.Cursor), Unresolved: unresolved, Resolution: resolution, Script: filter.Script, Trigger: filter.Trigger,
		Reason: string(filter.Reason), Fingerprint: filter.Fingerprint, Since: since(filter.Since), Until: since(filter.Until), Max: size(page),
	})
	if err != nil {
		return none, fmt.Errorf("list dead letters: %w", err)
	}
	items := make([]picloud.DeadLetter, len(rows))
	for i, r := range rows {
		if items[i], err = toDeadLetter(r); err != nil {
			return none, err
		}
	}
	return cut(items, bounded(page), func(d picloud.DeadLetter) string { return d.ID }), nil
}

// resolutionOf gives a filter's resolution as the queries take it: "" is any.
func resolutionOf(filter picloud.DeadLetterFilter) (unresolved bool, resolution string) {
	if filter.Resolution == nil {
		return false, ""
	}
	return *filter.Resolution == picloud.Unresolved, string(*filter.Resolution)
}

// GroupDeadLetters implements picloud.DeadLetters.
func (s *Store) GroupDeadLetters(ctx context.Context, appID string, filter picloud.DeadLetterFilter, limit int) ([]picloud.DeadLetterGroup, bool, error) {
	unresolved, resolution := resolutionOf(filter)
	page := picloud.Page{Limit: limit}
	rows, err := s.queries.DeadLetterGroups(ctx, sqlc.DeadLetterGroupsParams{
		AppID: appID, Unresolved: unresolved, Resolution: resolution, Script: filter.Script, Trigger: filter.Trigger,
		Reason: string(filter.Reason), Fingerprint: filter.Fingerprint, Since: since(filter.Since), Until: since(filter.Until), Max: size(page),
	})
	if err != nil {
		return nil, false, fmt.Errorf("group dead letters: %w", err)
	}
	more := len(rows) > bounded(page)
	groups := make([]picloud.DeadLetterGroup, min(len(rows), bounded(page)))
	for i := range groups {
		r := rows[i]
		sample, err := toDeadLetter(r.DeadLetter)
		if err != nil {
			return nil, false, err
		}
		groups[i] = picloud.DeadLetterGroup{Fingerprint: sample.Fingerprint, Count: r.Letters, FirstSeen: r.FirstSeen.UTC(), LastSeen: r.LastSeen.UTC(), Sample: sample}
	}
	return groups, more, nil
}

// CountUnresolved implements picloud.DeadLetters.
func (s *Store) CountUnresolved(ctx context.Context, appID string) (int64, error) {
	n, err := s.queries.DeadLetterCountUnresolved(ctx, appID)
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return n, nil
}

// CountDropped implements picloud.DeadLetters.
func (s *Store) CountDropped(ctx context.Context, appID string) (int64, error) {
	n, err := s.queries.DeadLetterCountDropped(ctx, appID)
	if err != nil {
		return 0, fmt.Errorf("count dropped dead letters: %w", err)
	}
	return n, nil
}

// ReplayDeadLetter implements picloud.DeadLetters. The letter's row is locked, so that two replays of it cannot both start.
func (s *Store) ReplayDeadLetter(ctx context.Context, appID, id string, r picloud.Replay) (string, error) {
	executionID := newID()
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		letter, err := lockLetter(ctx, q, appID, id)
		if err != nil {
			return err
		}
		if letter.Resolution != picloud.Unresolved && !r.Again {
			return alreadyResolved(letter)
		}
		if err := newScriptFinder(q).replay(ctx, letter, r, executionID); err != nil {
			return err
		}
		return audit(ctx, q, "dead_letter", id, resolutionView(letter), letterResolution{Resolution: picloud.Replayed, By: r.Principal, ReplayExecutionID: executionID})
	})
	if err := s.audited(ctx, err); err != nil {
		return "", err
	}
	s.notifier.notify()
	return executionID, nil
}

// scriptFinder replays letters, all on the same version (0 = the active one), and asks for each script of theirs once.
type scriptFinder struct {
	q     *sqlc.Queries
	found map[scriptQuestion]sqlc.DeadLetterScriptRow
}

// scriptQuestion is what a letter knows of its script.
type scriptQuestion struct{ appID, scriptID, script, triggerID, principal string }

func newScriptFinder(q *sqlc.Queries) *scriptFinder {
	return &scriptFinder{q: q, found: map[scriptQuestion]sqlc.DeadLetterScriptRow{}}
}

// find gives the script of a letter, which has the version unless that is 0. Conflict "script_missing", NotFound "version_not_found".
func (f *scriptFinder) find(ctx context.Context, letter picloud.DeadLetter, version int) (sqlc.DeadLetterScriptRow, error) {
	asked := scriptQuestion{letter.AppID, letter.ScriptID, letter.Script, letter.TriggerID, letter.Principal}
	script, ok := f.found[asked]
	if !ok {
		var err error
		script, err = f.q.DeadLetterScript(ctx, sqlc.DeadLetterScriptParams{
			Version: int32(version), AppID: asked.appID, ScriptID: asked.scriptID, Script: asked.script, // a version that is too large is none
			TriggerID: optional(asked.triggerID), Principal: asked.principal,
		})
		if isMissing(err) {
			return script, picloud.Errorf(picloud.Conflict, "script_missing", "the script %q is gone: upload it again, then replay", letter.Script)
		}
		if err != nil {
			return script, fmt.Errorf("find script of dead letter: %w", err)
		}
		f.found[asked] = script
	}
	if version != 0 && !script.HasVersion {
		return script, picloud.NotFoundError("version", strconv.Itoa(version))
	}
	return script, nil
}

// replay enqueues the letter's own event under a new id, in the same tree, as the execution with that id, and resolves the letter. The letter's row must be locked. The errors of find
// write nothing.
func (f *scriptFinder) replay(ctx context.Context, letter picloud.DeadLetter, r picloud.Replay, executionID string) error {
	script, err := f.find(ctx, letter, r.Version)
	if err != nil {
		return err
	}
	e := letter.Event
	e.ID, e.Time, e.ReplayOf = newID(), time.Now().UTC(), letter.ID
	if r.Data != nil {
		e.Data = r.Data
	}
	if err := insertEvent(ctx, f.q, letter.AppID, e); err != nil {
		return err
	}
	lane := ""
	if letter.Kind == picloud.KindQueue {
		lane = letter.TriggerID
	}
	err = insertFiring(ctx, f.q, picloud.Firing{
		ExecutionID: executionID, AppID: letter.AppID, ScriptID: script.ID, Version: r.Version, TriggerID: letter.TriggerID,
		Kind: letter.Kind, EventID: e.ID, What: "replay of " + letter.ID, RootID: letter.RootID, ParentID: e.ParentID, Depth: letter.Depth,
		ReplayOf: letter.ID, Principal: script.Principal,
	}, lane, e.PartitionKey)
	if err != nil {
		return err
	}
	return resolve(ctx, f.q, letter.ID, picloud.Replayed, r.Principal, letter.Note, executionID)
}

// IgnoreDeadLetter implements picloud.DeadLetters.
func (s *Store) IgnoreDeadLetter(ctx context.Context, appID, id, note, principal string) (picloud.DeadLetter, error) {
	err := s.inTx(ctx, func(q *sqlc.Queries) error {
		letter, err := lockLetter(ctx, q, appID, id)
		if err != nil {
			return err
		}
		if letter.Resolution != picloud.Unresolved {
			return alreadyResolved(letter)
		}
		if err := resolve(ctx, q, letter.ID, picloud.Ignored, principal, note, ""); err != nil {
			return err
		}
		return audit(ctx, q, "dead_letter", id, resolutionView(letter), letterResolution{Resolution: picloud.Ignored, By: principal, Note: note})
	})
	if err := s.audited(ctx, err); err != nil {
		return picloud.DeadLetter{}, err
	}
	return s.DeadLetter(ctx, appID, id)
}

// letterResolution is what the audit log shows of a letter.
type letterResolution struct {
	Resolution        picloud.Resolution `json:"resolution,omitempty"` // left out: unresolved
	By                string             `json:"resolved_by,omitempty"`
	Note              string             `json:"note,omitempty"`
	ReplayExecutionID string             `json:"replay_execution_id,omitempty"`
}

func resolutionView(l picloud.DeadLetter) letterResolution {
	return letterResolution{Resolution: l.Resolution, By: l.ResolvedBy, Note: l.Note, ReplayExecutionID: l.ReplayExecutionID}
}

// lockLetter gives a letter and keeps others from resolving it until the transaction ends.
func lockLetter(ctx context.Context, q *sqlc.Queries, appID, id string) (picloud.DeadLetter, error) {
	if !isID(id) {
		return picloud.DeadLetter{}, picloud.NotFoundError("dead_letter", id)
	}
	row, err := q.DeadLetterLock(ctx, appID, id)
	if isMissing(err) {
		return picloud.DeadLetter{}, picloud.NotFoundError("dead_letter", id)
	}
	if err != nil {
		return picloud.DeadLetter{}, fmt.Errorf("lock dead letter: %w", err)
	}
	return toDeadLetter(row)
}

func alreadyResolved(letter picloud.DeadLetter) error {
	return picloud.Errorf(picloud.Conflict, "already_resolved", "the dead letter is resolved: %s by %s at %s",
		letter.Resolution, letter.ResolvedBy, letter.ResolvedAt.Format(time.RFC3339))
}

func resolve(ctx context.Context, q *sqlc.Queries, id string, resolution picloud.Resolution, principal, note, executionID string) error {
	_, err := q.DeadLetterResolve(ctx, sqlc.DeadLetterResolveParams{
		ID: id, Resolution: optional(string(resolution)), ResolvedBy: optional(principal), Note: optional(note), ReplayExecutionID: optional(executionID),
	})
	if err != nil {
		return fmt.Errorf("resolve dead letter: %w", err)
	}
	return nil
}

func toDeadLetter(r sqlc.DeadLetter) (picloud.DeadLetter, error) {
	failure, err := decode[picloud.ScriptError](r.Error)
	if err != nil {
		return picloud.DeadLetter{}, err
	}
	event, err := decode[picloud.Event](r.Event)
	if err != nil {
		return picloud.DeadLetter{}, err
	}
	return picloud.DeadLetter{
		ID: r.ID, AppID: r.AppID, ExecutionID: r.ExecutionID, ScriptID: r.ScriptID, Script: r.Script, Version: int(r.Version), TriggerID: value(r.TriggerID), Trigger: r.Trigger,
		Kind: picloud.Kind(r.Kind), Reason: picloud.Reason(r.Reason), Error: failure, Event: event, Attempts: int(r.Attempts), Depth: int(r.Depth),
		RootID: r.RootID, Fingerprint: r.Fingerprint, Principal: r.Principal, Resolution: picloud.Resolution(value(r.Resolution)),
		ResolvedAt: value(r.ResolvedAt), ResolvedBy: value(r.ResolvedBy), Note: value(r.Note), ReplayExecutionID: value(r.ReplayExecutionID),
		ReplayOf: value(r.ReplayOf), CreatedAt: r.CreatedAt.UTC(),
	}, nil
}
