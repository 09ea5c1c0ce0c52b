package api

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

var (
	idRunningBulk = testID(60)
	idDoneBulk    = testID(61)
)

// fakeBulk is picloud.BulkReplays and picloud.BulkEngine: one that runs, and a dry run that has ended.
type fakeBulk struct {
	rows             []picloud.BulkReplay
	requests         []picloud.BulkRequest
	started, stopped []string
	down             bool
}

func newFakeBulk() *fakeBulk {
	return &fakeBulk{rows: []picloud.BulkReplay{
		{ID: idRunningBulk, Request: picloud.BulkRequest{Filter: &picloud.BulkFilter{HandlerFailed: true, Script: "hello"}, Rate: 2.5}, Status: picloud.BulkRunning, Total: 9, Replayed: 4, CreatedAt: day},
		{
			ID: idDoneBulk, Request: picloud.BulkRequest{IDs: []string{idUnresolved}, Version: 2, DryRun: true}, Status: picloud.BulkCompleted, Total: 1, Replayed: 1, CreatedAt: day, FinishedAt: day,
			Report: &picloud.BulkReport{
				Pass: 1, Fail: 1, KeysChangedSince: 1, Changed: []picloud.BulkSample{{DeadLetterID: idUnresolved, Keys: []string{"c/k"}}},
				Failing: []picloud.BulkSample{{DeadLetterID: idResolved, Error: &picloud.ScriptError{Type: "TypeError", Message: "x"}}},
			},
		},
	}}
}

func (f *fakeBulk) CreateBulkReplay(_ context.Context, app picloud.App, r picloud.BulkRequest, principal, key string) (picloud.BulkReplay, error) {
	if key == "used" {
		return picloud.BulkReplay{}, picloud.Errorf(picloud.Conflict, "idempotency_key_reused", "it stands for another")
	}
	b := picloud.BulkReplay{ID: testID(62), AppID: app.ID, App: app.Slug, Request: r, Principal: principal, Status: picloud.BulkRunning, Total: 1, CreatedAt: day}
	f.rows, f.requests = append(f.rows, b), append(f.requests, r)
	return b, nil
}

func (f *fakeBulk) BulkReplay(_ context.Context, _, id string) (picloud.BulkReplay, error) {
	for _, b := range f.rows {
		if b.ID == id {
			return b, nil
		}
	}
	return picloud.BulkReplay{}, picloud.NotFoundError("bulk_replay", id)
}

func (f *fakeBulk) ListBulkReplays(_ context.Context, _ string, page picloud.Page) (picloud.List[picloud.BulkReplay], error) {
	return pageOf(f.rows, page, func(b picloud.BulkReplay) string { return b.ID }, less), nil
}

func (f *fakeBulk) ListDryLetters(ctx context.Context, appID, id string, filter picloud.DryFilter, page picloud.Page) (picloud.List[picloud.DryLetter], error) {
	b, err := f.BulkReplay(ctx, appID, id)
	if err != nil {
		return picloud.List[picloud.DryLetter]{}, err
	}
	if !b.Request.DryRun {
		return picloud.List[picloud.DryLetter]{}, picloud.Errorf(picloud.Conflict, "no_dry_run", "it is none")
	}
	set := picloud.EffectDiff{Effect: picloud.Effect{Type: picloud.EffectKVSet, Collection: "c", Key: "k", Value: []byte("2")}, Before: []byte("1"), Changes: true, ChangedSinceFailure: true}
	items := []picloud.DryLetter{
		{DeadLetterID: idUnresolved, Outcome: picloud.DryPass, Effects: []picloud.EffectDiff{set}, EffectsTotal: 3, ChangedKeys: []string{"c/k"}},
		{DeadLetterID: idResolved, Outcome: picloud.DryFail, Error: &picloud.ScriptError{Type: "TypeError", Message: "x"}},
	}
	items = slices.DeleteFunc(items, func(l picloud.DryLetter) bool {
		return filter.Outcome != "" && l.Outcome != filter.Outcome || filter.Changed && l.ChangedKeys == nil
	})
	return pageOf(items, page, func(l picloud.DryLetter) string { return l.DeadLetterID }, less), nil
}

func (f *fakeBulk) CancelBulkReplay(ctx context.Context, appID, id string) (picloud.BulkReplay, error) {
	b, err := f.BulkReplay(ctx, appID, id)
	if err == nil && b.Status == picloud.BulkCompleted {
		return b, picloud.Errorf(picloud.Conflict, "already_finished", "it has")
	}
	b.Status, b.FinishedAt = picloud.BulkCanceled, day
	return b, err
}

func (f *fakeBulk) StartBulkReplay(_ context.Context, b picloud.BulkReplay) error {
	f.started = append(f.started, b.ID)
	if f.down {
		return errors.New("temporal is away")
	}
	return nil
}

func (f *fakeBulk) StopBulkReplay(_ context.Context, id string) error {
	f.stopped = append(f.stopped, id)
	return nil
}

func bulkScenarios() []scenario {
	bulk, letters := shop+"/bulk-replays", shop+"/dead-letters/replay"
	post := func(name, body string, status int, code, field string, says ...string) scenario {
		return scenario{name: name, operation: "replayDeadLetters", method: "POST", path: letters, body: body, status: status, code: code, field: field, says: says}
	}
	ids := `"ids":["` + idUnresolved + `"]`
	all := post("filter", `{"filter":{"script":"hello","reason":"timeout","since":"2026-01-01T00:00:00Z"},"version":3,"rate_per_second":0.5}`, 202, "", "",
		`"status":"running"`, `"rate_per_second":0.5`, `"version":3`, `"ids":null`)
	all.answers = map[string]string{"Location": bulk + "/" + testID(62)}
	all.after = func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		t.Helper()
		require.Equal(t, []string{testID(62)}, w.bulk.started)
		require.Equal(t, picloud.ReasonTimeout, w.bulk.requests[0].Filter.Reason)
	}
	down := post("engine away", `{"filter":{}}`, 202, "", "", `"status":"running"`)
	down.before = func(w *world) { w.bulk.down = true }
	reused := post("key of another", `{"filter":{}}`, 409, "idempotency_key_reused", "")
	reused.headers = map[string]string{"Idempotency-Key": "used"}
	badKey := post("bad key", `{"filter":{}}`, 422, "invalid", "Idempotency-Key")
	badKey.headers = map[string]string{"Idempotency-Key": "\x01"}
	noApp := post("no app", `{"filter":{}}`, 404, "app_not_found", "")
	noApp.path = "/v1/apps/none/dead-letters/replay"
	return []scenario{
		all, down, reused, badKey, noApp,
		post("ids", `{`+ids+`,"dry_run":true,"fetch":"live"}`, 202, "", "", `"ids":1`, `"filter":null`, `"dry_run":true`),
		post("handler failed", `{"filter":{"resolution":"handler_failed"}}`, 202, "", "", `"resolution":"handler_failed"`),
		post("both", `{`+ids+`,"filter":{}}`, 422, "invalid", "ids"), post("neither", `{}`, 422, "invalid", "ids"), post("no ids", `{"ids":[]}`, 422, "invalid", "ids"),
		post("no id", `{"ids":["x"]}`, 422, "invalid", "ids.0"), post("rate", `{"filter":{},"rate_per_second":0}`, 422, "invalid", "rate_per_second"),
		post("resolution", `{"filter":{"resolution":"ignored"}}`, 422, "invalid", "filter.resolution"), post("text", `{"filter":{"script":"\u0000"}}`, 422, "invalid", "filter.script"),
		post("version", `{"filter":{},"version":"last"}`, 422, "invalid", "version"), post("fetch", `{"filter":{},"dry_run":true,"fetch":"x"}`, 422, "invalid", "fetch"),
		post("fetch for good", `{"filter":{},"fetch":"live"}`, 422, "invalid", "fetch"), post("time", `{"filter":{"since":"yesterday"}}`, 422, "invalid", "filter.since"), post("unknown field", `{"filter":{"colour":1}}`, 422, "invalid", "filter.colour"),
		post("malformed", `{`, 400, "malformed_json", ""),
		{name: "all", operation: "listBulkReplays", path: bulk + "?limit=1", status: 200, says: []string{idRunningBulk, `"next_cursor":"` + idRunningBulk}},
		{name: "bad cursor", operation: "listBulkReplays", path: bulk + "?cursor=x", status: 422, code: "invalid", field: "cursor"},
		{name: "running", operation: "getBulkReplay", path: bulk + "/" + idRunningBulk, status: 200, says: []string{`"replayed":4`, `"total":9`, `"finished_at":null`, `"report":null`}},
		{name: "dry run", operation: "getBulkReplay", path: bulk + "/" + idDoneBulk, status: 200, says: []string{`"summary":"1 pass, 1 fail, 1 change keys that have changed since"`, `"pass":1`, `"keys":["c/k"]`, `"dead_letter_id":"` + idResolved}},
		{
			name: "letters", operation: "listDryRunLetters", path: bulk + "/" + idDoneBulk + "/letters", status: 200,
			says: []string{`"outcome":"pass"`, `"before":1`, `"after":2`, `"changed_since_failure":true`, `"effects_total":3`, `"changed_keys":["c/k"]`, `"outcome":"fail"`, `"error":null`, `"message":"x"`, `"effects":[]`},
		},
		{
			name: "letters that fail", operation: "listDryRunLetters", path: bulk + "/" + idDoneBulk + "/letters?outcome=fail", status: 200,
			after: func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
				t.Helper()
				require.NotContains(t, rec.Body.String(), idUnresolved)
			},
		},
		{name: "letters with changed keys", operation: "listDryRunLetters", path: bulk + "/" + idDoneBulk + "/letters?outcome=changed&limit=1", status: 200, says: []string{idUnresolved, `"next_cursor":null`}},
		{name: "letters of no outcome", operation: "listDryRunLetters", path: bulk + "/" + idDoneBulk + "/letters?outcome=x", status: 422, code: "invalid", field: "outcome"},
		{name: "letters of a replay", operation: "listDryRunLetters", path: bulk + "/" + idRunningBulk + "/letters", status: 409, code: "no_dry_run"},
		{name: "letters of none", operation: "listDryRunLetters", path: bulk + "/" + idNoSuchThing + "/letters", status: 404, code: "bulk_replay_not_found"},
		{name: "letters of no id", operation: "listDryRunLetters", path: bulk + "/x/letters", status: 404, code: "bulk_replay_not_found"},
		{name: "none", operation: "getBulkReplay", path: bulk + "/" + idNoSuchThing, status: 404, code: "bulk_replay_not_found"},
		{name: "no id", operation: "getBulkReplay", path: bulk + "/x", status: 404, code: "bulk_replay_not_found"},
		{
			name: "running", operation: "cancelBulkReplay", method: "POST", path: bulk + "/" + idRunningBulk + "/cancel", status: 200, says: []string{`"status":"canceled"`},
			after: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				t.Helper()
				require.Equal(t, []string{idRunningBulk}, w.bulk.stopped)
			},
		},
		{name: "completed", operation: "cancelBulkReplay", method: "POST", path: bulk + "/" + idDoneBulk + "/cancel", status: 409, code: "already_finished"},
		{name: "none", operation: "cancelBulkReplay", method: "POST", path: bulk + "/" + idNoSuchThing + "/cancel", status: 404, code: "bulk_replay_not_found"},
	}
}
