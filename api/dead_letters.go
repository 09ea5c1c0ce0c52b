package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
)

// maxNote is the longest note on an ignored dead letter, in bytes.
const maxNote = 2000

// deadLetter finds a dead letter.
func (s *server) deadLetter(ctx context.Context, appSlug, id string) (picloud.App, picloud.DeadLetter, error) {
	app, err := s.app(ctx, appSlug)
	if err != nil {
		return app, picloud.DeadLetter{}, err
	}
	if !isID(id) {
		return app, picloud.DeadLetter{}, missing("dead_letter", id)
	}
	d, err := s.DeadLetters.DeadLetter(ctx, app.ID, id)
	return app, d, err
}

// ListDeadLetters implements StrictServerInterface.
func (s *server) ListDeadLetters(ctx context.Context, request ListDeadLettersRequestObject) (ListDeadLettersResponseObject, error) {
	q := request.Params
	p, err := idPage(q.Limit, q.Cursor)
	if err != nil {
		return nil, err
	}
	filter, err := letterFilter(q.Script, q.Trigger, q.Reason, q.Fingerprint, q.Since, q.Until)
	if err != nil {
		return nil, err
	}
	if filter.Resolution, err = parseResolution(q.Resolution); err != nil {
		return nil, err
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	list, err := s.DeadLetters.ListDeadLetters(ctx, app.ID, filter, p)
	if err != nil {
		return nil, err
	}
	return ListDeadLetters200JSONResponse{Items: convert(list.Items, toDeadLetter), NextCursor: orNil(list.Next)}, nil
}

// letterFilter reads the filters that lists and groups of dead letters share.
func letterFilter(script, trigger, reason, fingerprint *string, since, until *time.Time) (picloud.DeadLetterFilter, error) {
	f := picloud.DeadLetterFilter{
		Script: deref(script), Trigger: deref(trigger), Reason: picloud.Reason(deref(reason)), Fingerprint: deref(fingerprint), Since: deref(since), Until: deref(until),
	}
	return f, checkFilters("script", f.Script, "trigger", f.Trigger, "reason", string(f.Reason), "fingerprint", f.Fingerprint)
}

// GroupDeadLetters implements StrictServerInterface.
func (s *server) GroupDeadLetters(ctx context.Context, request GroupDeadLettersRequestObject) (GroupDeadLettersResponseObject, error) {
	q := request.Params
	p, err := page(q.Limit, nil)
	if err != nil {
		return nil, err
	}
	filter, err := letterFilter(q.Script, q.Trigger, q.Reason, q.Fingerprint, q.Since, q.Until)
	if err != nil {
		return nil, err
	}
	switch asked := deref(q.Resolution); asked {
	case "all":
	case "":
		filter.Resolution = new(picloud.Unresolved)
	default:
		if filter.Resolution, err = parseResolution(&asked); err != nil {
			return nil, err
		}
	}
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	groups, more, err := s.DeadLetters.GroupDeadLetters(ctx, app.ID, filter, p.Limit)
	if err != nil {
		return nil, err
	}
	return GroupDeadLetters200JSONResponse{Items: convert(groups, toLetterGroup), More: more}, nil
}

func toLetterGroup(g picloud.DeadLetterGroup) DeadLetterGroup {
	out := DeadLetterGroup{
		Fingerprint: g.Fingerprint, Count: g.Count, FirstSeen: g.FirstSeen.UTC(), LastSeen: g.LastSeen.UTC(), Script: g.Sample.Script,
		Reason: string(g.Sample.Reason), Sample: g.Sample.ID,
	}
	out.Error.Type, out.Error.Message = g.Sample.Error.Type, g.Sample.Error.Message
	return out
}

func parseResolution(s *string) (*picloud.Resolution, error) {
	switch r := picloud.Resolution(deref(s)); r {
	case "":
		return nil, nil
	case "unresolved":
		unresolved := picloud.Unresolved
		return &unresolved, nil
	case picloud.Replayed, picloud.Ignored, picloud.HandledByScript, picloud.HandlerFailed:
		return &r, nil
	default:
		return nil, picloud.InvalidField("resolution", "must be unresolved, replayed, ignored, handled_by_script or handler_failed")
	}
}

// CountDeadLetters implements StrictServerInterface.
func (s *server) CountDeadLetters(ctx context.Context, request CountDeadLettersRequestObject) (CountDeadLettersResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	unresolved, err := s.DeadLetters.CountUnresolved(ctx, app.ID)
	if err != nil {
		return nil, err
	}
	dropped, err := s.DeadLetters.CountDropped(ctx, app.ID)
	return CountDeadLetters200JSONResponse{Unresolved: unresolved, Dropped: dropped}, err
}

// GetDeadLetter implements StrictServerInterface.
func (s *server) GetDeadLetter(ctx context.Context, request GetDeadLetterRequestObject) (GetDeadLetterResponseObject, error) {
	_, d, err := s.deadLetter(ctx, request.App, request.DeadLetter)
	if err != nil {
		return nil, err
	}
	return GetDeadLetter200JSONResponse(toDeadLetter(d)), nil
}

// ReplayDeadLetter implements StrictServerInterface.
func (s *server) ReplayDeadLetter(ctx context.Context, request ReplayDeadLetterRequestObject) (ReplayDeadLetterResponseObject, error) {
	app, d, err := s.deadLetter(ctx, request.App, request.DeadLetter)
	if err != nil {
		return nil, err
	}
	r := picloud.Replay{Principal: auth.PrincipalFrom(ctx).Name}
	if body := request.Body; body != nil {
		if r.Version, err = parseVersion(body.Version); err != nil {
			return nil, err
		}
		if err := checkPayload(body.Data, s.Ceiling); err != nil {
			return nil, err
		}
		r.Data, r.Again = body.Data, deref(body.Again)
		if r.FetchLive, err = parseFetch(body.Fetch, deref(body.DryRun)); err != nil {
			return nil, err
		}
		if deref(body.DryRun) {
			return s.dryReplay(ctx, app, d, r)
		}
	}
	id, err := s.DeadLetters.ReplayDeadLetter(ctx, app.ID, d.ID, r)
	if err != nil {
		return nil, err
	}
	return ReplayDeadLetter202JSONResponse{
		Body:    Accepted{ID: id, Status: AcceptedStatusQueued, ReplayOf: &d.ID},
		Headers: ReplayDeadLetter202ResponseHeaders{Location: executionPath(app.Slug, id)},
	}, nil
}

// dryReplay runs the letter here and now and shows what its replay would do. What was resolved may be tried too: nothing comes of it.
func (s *server) dryReplay(ctx context.Context, app picloud.App, d picloud.DeadLetter, r picloud.Replay) (ReplayDeadLetterResponseObject, error) {
	if s.DryRunner == nil {
		return nil, errNoSandbox()
	}
	result, err := s.DryRunner.DryRunLetter(ctx, app.Slug, d, r)
	if err != nil {
		return nil, err
	}
	out, err := s.toDryRun(picloud.Execution{
		AppID: app.ID, Script: d.Script, TriggerID: d.TriggerID, Trigger: d.Trigger, Kind: d.Kind, ReplayOf: d.ID, Principal: d.Principal,
	}, result)
	return ReplayDeadLetter200JSONResponse(out), err
}

// parseVersion reads the version that a replay runs on: 0 for the active one.
func parseVersion(version json.RawMessage) (n int, err error) {
	if len(version) == 0 || string(version) == `"active"` {
		return 0, nil
	}
	if json.Unmarshal(version, &n) != nil {
		return 0, picloud.InvalidField("version", `must be "active" or a version's number`)
	}
	return n, checkVersion(n)
}

// IgnoreDeadLetter implements StrictServerInterface.
func (s *server) IgnoreDeadLetter(ctx context.Context, request IgnoreDeadLetterRequestObject) (IgnoreDeadLetterResponseObject, error) {
	app, d, err := s.deadLetter(ctx, request.App, request.DeadLetter)
	if err != nil {
		return nil, err
	}
	note := ""
	if request.Body != nil {
		note = deref(request.Body.Note)
	}
	if err := checkText("note", note, maxNote); err != nil {
		return nil, err
	}
	if d, err = s.DeadLetters.IgnoreDeadLetter(ctx, app.ID, d.ID, note, auth.PrincipalFrom(ctx).Name); err != nil {
		return nil, err
	}
	return IgnoreDeadLetter200JSONResponse(toDeadLetter(d)), nil
}

func toDeadLetter(d picloud.DeadLetter) DeadLetter {
	return DeadLetter{
		ID: d.ID, ExecutionID: d.ExecutionID, Script: d.Script, Version: d.Version, Trigger: orNil(d.Trigger), Kind: string(d.Kind),
		Reason: string(d.Reason), Error: *toScriptError(&d.Error), Event: *toEvent(&d.Event), Attempts: d.Attempts, Depth: d.Depth,
		Fingerprint: d.Fingerprint, Resolution: orNil(string(d.Resolution)), ResolvedAt: instant(d.ResolvedAt), ResolvedBy: orNil(d.ResolvedBy),
		Note: orNil(d.Note), ReplayExecutionID: orNil(d.ReplayExecutionID), ReplayOf: orNil(d.ReplayOf), CreatedAt: d.CreatedAt.UTC(),
	}
}
