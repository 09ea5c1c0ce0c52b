package api

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// fetchLive is what "fetch" of a dry run may be.
const fetchLive = "live"

// ReplayDeadLetters implements StrictServerInterface.
func (s *server) ReplayDeadLetters(ctx context.Context, request ReplayDeadLettersRequestObject) (ReplayDeadLettersResponseObject, error) {
	asked, err := bulkRequest(*request.Body)
	if err != nil {
		return nil, err
	}
	key := request.Params.IdempotencyKey
	if key != nil {
		if err := checkIdempotencyKey([]string{*key}); err != nil {
			return nil, err
		}
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	b, err := s.Bulk.CreateBulkReplay(ctx, app, asked, auth.PrincipalFrom(ctx).Name, deref(key))
	if err != nil {
		return nil, err
	}
	if b.Status == picloud.BulkRunning {
		if err := s.BulkEngine.StartBulkReplay(ctx, b); err != nil { // it is stored, and started as soon as the engine answers
			s.Log.WithError(err).WithField("bulk_replay", b.ID).Warn("bulk replay waits for the engine")
		}
	}
	return ReplayDeadLetters202JSONResponse{
		Body: toBulkReplay(b), Headers: ReplayDeadLetters202ResponseHeaders{Location: "/v1/apps/" + app.Slug + "/bulk-replays/" + b.ID},
	}, nil
}

// bulkRequest reads which letters are replayed, and how.
func bulkRequest(body BulkReplayRequest) (picloud.BulkRequest, error) {
	r := picloud.BulkRequest{DryRun: deref(body.DryRun), Rate: deref(body.RatePerSecond)}
	ids := body.IDs
	switch {
	case (body.IDs == nil) == (body.Filter == nil):
		return r, picloud.InvalidField("ids", `give ids or filter, not both; "filter": {} is all unresolved letters`)
	case body.IDs != nil && (len(ids) == 0 || len(ids) > picloud.MaxBulkIDs):
		return r, picloud.InvalidField("ids", "has %d ids: 1 to %d", len(ids), picloud.MaxBulkIDs)
	case body.RatePerSecond != nil && !(r.Rate > 0.001 && r.Rate <= picloud.MaxBulkRate):
		return r, picloud.InvalidField("rate_per_second", "must be over 0.001 and at most %d", picloud.MaxBulkRate)
	}
	for i, id := range ids {
		if !isID(id) {
			return r, picloud.InvalidField(fmt.Sprintf("ids.%d", i), "is no id of a dead letter")
		}
	}
	r.IDs = ids
	var err error
	if f := body.Filter; f != nil {
		if r.Filter, err = bulkFilter(*f); err != nil {
			return r, err
		}
	}
	if r.FetchLive, err = parseFetch(body.Fetch, r.DryRun); err != nil {
		return r, err
	}
	r.Version, err = parseVersion(body.Version)
	return r, err
}

func bulkFilter(f BulkReplayFilter) (*picloud.BulkFilter, error) {
	out := &picloud.BulkFilter{
		HandlerFailed: deref(f.Resolution) == string(picloud.HandlerFailed), Script: deref(f.Script), Trigger: deref(f.Trigger), Reason: picloud.Reason(deref(f.Reason)),
		Fingerprint: deref(f.Fingerprint), Since: deref(f.Since), Until: deref(f.Until),
	}
	if r := deref(f.Resolution); r != "" && r != "unresolved" && !out.HandlerFailed {
		return nil, picloud.InvalidField("filter.resolution", "must be unresolved or handler_failed")
	}
	return out, checkFilters("filter.script", out.Script, "filter.trigger", out.Trigger, "filter.reason", string(out.Reason), "filter.fingerprint", out.Fingerprint)
}

// parseFetch reads whether a dry run's ctx.fetch reaches the outside.
func parseFetch(fetch *string, dryRun bool) (live bool, err error) {
	switch {
	case fetch == nil:
		return false, nil
	case !dryRun:
		return false, picloud.InvalidField("fetch", "is for dry runs: add \"dry_run\": true")
	case *fetch != fetchLive:
		return false, picloud.InvalidField("fetch", "must be %q, or left out", fetchLive)
	}
	return true, nil
}

// bulkReplay finds a bulk replay.
func (s *server) bulkReplay(ctx context.Context, appSlug, id string, find func(ctx context.Context, appID, id string) (picloud.BulkReplay, error)) (picloud.BulkReplay, error) {
	app, err := s.app(ctx, appSlug)
	if err != nil {
		return picloud.BulkReplay{}, err
	}
	if !isID(id) {
		return picloud.BulkReplay{}, missing("bulk_replay", id)
	}
	return find(ctx, app.ID, id)
}

// GetBulkReplay implements StrictServerInterface.
func (s *server) GetBulkReplay(ctx context.Context, request GetBulkReplayRequestObject) (GetBulkReplayResponseObject, error) {
	b, err := s.bulkReplay(ctx, request.App, request.BulkReplay, s.Bulk.BulkReplay)
	if err != nil {
		return nil, err
	}
	return GetBulkReplay200JSONResponse(toBulkReplay(b)), nil
}

// CancelBulkReplay implements StrictServerInterface.
func (s *server) CancelBulkReplay(ctx context.Context, request CancelBulkReplayRequestObject) (CancelBulkReplayResponseObject, error) {
	b, err := s.bulkReplay(ctx, request.App, request.BulkReplay, s.Bulk.CancelBulkReplay)
	if err != nil {
		return nil, err
	}
	if err := s.BulkEngine.StopBulkReplay(ctx, b.ID); err != nil { // it finds out by itself at its next page
		s.Log.WithError(err).WithField("bulk_replay", b.ID).Warn("cannot wake the workflow of a canceled bulk replay")
	}
	return CancelBulkReplay200JSONResponse(toBulkReplay(b)), nil
}

// ListBulkReplays implements StrictServerInterface.
func (s *server) ListBulkReplays(ctx context.Context, request ListBulkReplaysRequestObject) (ListBulkReplaysResponseObject, error) {
	p, err := idPage(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	list, err := s.Bulk.ListBulkReplays(ctx, app.ID, p)
	if err != nil {
		return nil, err
	}
	return ListBulkReplays200JSONResponse{Items: convert(list.Items, toBulkReplay), NextCursor: orNil(list.Next)}, nil
}

// ListDryRunLetters implements StrictServerInterface.
func (s *server) ListDryRunLetters(ctx context.Context, request ListDryRunLettersRequestObject) (ListDryRunLettersResponseObject, error) {
	q := request.Params
	p, err := idPage(q.Limit, q.Cursor)
	if err != nil {
		return nil, err
	}
	filter := picloud.DryFilter{Outcome: picloud.DryOutcome(deref(q.Outcome))}
	switch filter.Outcome {
	case "", picloud.DryPass, picloud.DryFail, picloud.DrySkipped:
	case "changed":
		filter = picloud.DryFilter{Changed: true}
	default:
		return nil, picloud.InvalidField("outcome", "must be pass, fail, skipped or changed")
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	if !isID(request.BulkReplay) {
		return nil, missing("bulk_replay", request.BulkReplay)
	}
	list, err := s.Bulk.ListDryLetters(ctx, app.ID, request.BulkReplay, filter, p)
	if err != nil {
		return nil, err
	}
	return ListDryRunLetters200JSONResponse{Items: convert(list.Items, toDryRunLetter), NextCursor: orNil(list.Next)}, nil
}

func toDryRunLetter(l picloud.DryLetter) DryRunLetter {
	return DryRunLetter{
		DeadLetterID: l.DeadLetterID, Outcome: string(l.Outcome), Error: toScriptError(l.Error), Effects: convert(l.Effects, toEffectDiff), EffectsTotal: l.EffectsTotal,
		ChangedKeys: append([]string{}, l.ChangedKeys...),
	}
}

func toBulkReplay(b picloud.BulkReplay) BulkReplay {
	r := b.Request
	out := BulkReplay{
		ID: b.ID, Status: string(b.Status), Total: b.Total, Replayed: b.Replayed, Skipped: b.Skipped, IDs: orNil(len(r.IDs)), Version: orNil(r.Version),
		RatePerSecond: orNil(r.Rate), DryRun: r.DryRun, Principal: b.Principal, CreatedAt: b.CreatedAt.UTC(), FinishedAt: instant(b.FinishedAt),
	}
	if f := r.Filter; f != nil {
		out.Filter = &BulkReplayFilter{
			Script: orNil(f.Script), Trigger: orNil(f.Trigger), Reason: orNil(string(f.Reason)), Fingerprint: orNil(f.Fingerprint), Since: instant(f.Since), Until: instant(f.Until),
		}
		if f.HandlerFailed {
			out.Filter.Resolution = orNil(string(picloud.HandlerFailed))
		}
	}
	if report := b.Report; report != nil {
		out.Report = &DryRunReport{
			Summary: report.String(), Pass: report.Pass, Fail: report.Fail, KeysChangedSince: report.KeysChangedSince,
			Failing: convert(report.Failing, func(f picloud.BulkSample) FailingLetter {
				return FailingLetter{DeadLetterID: f.DeadLetterID, Error: *toScriptError(f.Error)}
			}),
			Changed: convert(report.Changed, func(f picloud.BulkSample) ChangedLetter {
				return ChangedLetter{DeadLetterID: f.DeadLetterID, Keys: f.Keys}
			}),
		}
	}
	return out
}
