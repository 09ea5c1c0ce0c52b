package picloud

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// BulkStatus is where a bulk replay stands.
type BulkStatus string

// The statuses. Running is the only one that something follows.
const (
	BulkRunning   BulkStatus = "running"
	BulkCompleted BulkStatus = "completed"
	BulkCanceled  BulkStatus = "canceled"
)

// The bounds of a bulk replay.
const (
	MaxBulkIDs     = 1000
	MaxBulkRate    = 10_000 // letters a second
	MaxBulkSamples = 20     // of each list of a dry run's report
)

// BulkRequest says which dead letters are replayed, and how. Of IDs and Filter one is set. Its JSON form is stored.
type BulkRequest struct {
	IDs       []string    `json:"ids,omitempty"`
	Filter    *BulkFilter `json:"filter,omitempty"`
	Version   int         `json:"version,omitempty"`    // 0 = the active one; letters of scripts that do not have it are skipped
	Rate      float64     `json:"rate,omitempty"`       // letters a second; 0 = as fast as they can be queued
	DryRun    bool        `json:"dry_run,omitempty"`    // run them, commit nothing, and report
	FetchLive bool        `json:"fetch_live,omitempty"` // let a dry run's ctx.fetch reach the outside
}

// BulkFilter chooses letters; zero fields = any.
type BulkFilter struct {
	HandlerFailed bool      `json:"handler_failed,omitempty"` // those that are resolved so, in place of the unresolved ones
	Script        string    `json:"script,omitempty"`
	Trigger       string    `json:"trigger,omitempty"` // id or name
	Reason        Reason    `json:"reason,omitempty"`
	Fingerprint   string    `json:"fingerprint,omitempty"`
	Since         time.Time `json:"since,omitzero"`
	Until         time.Time `json:"until,omitzero"`
}

// BulkReplay is the replay of many dead letters. It takes those that are there when it is made: a replay that fails again leaves a letter that the same bulk
// replay does not take.
type BulkReplay struct {
	ID         string
	AppID      string
	App        string // slug
	Request    BulkRequest
	Principal  string
	Status     BulkStatus
	Total      int64
	Replayed   int64       // of a dry run: run
	Skipped    int64       // resolved meanwhile, gone, or without script or version
	Report     *BulkReport // of a dry run
	After      string      // id of the last letter that was looked at; "" = none yet
	CreatedAt  time.Time
	FinishedAt time.Time // zero while it runs
}

// BulkReport is what a dry run of many letters found.
type BulkReport struct {
	Pass             int64        `json:"pass"`
	Fail             int64        `json:"fail"`
	KeysChangedSince int64        `json:"keys_changed_since"` // letters whose run changes a key that has changed since they died
	Failing          []BulkSample `json:"failing"`            // the first MaxBulkSamples
	Changed          []BulkSample `json:"changed"`            // as above
}

// BulkSample is one letter of a report.
type BulkSample struct {
	DeadLetterID string       `json:"dead_letter_id"`
	Error        *ScriptError `json:"error,omitempty"` // why it would fail
	Keys         []string     `json:"keys,omitempty"`  // "collection/key" of those that have changed since
}

// Add counts one letter more. Those that are skipped are not counted here.
func (r *BulkReport) Add(l DryLetter) {
	switch l.Outcome {
	case DryPass:
		r.Pass++
	case DryFail:
		r.Fail++
		if len(r.Failing) < MaxBulkSamples {
			r.Failing = append(r.Failing, BulkSample{DeadLetterID: l.DeadLetterID, Error: l.Error})
		}
	case DrySkipped:
	}
	if len(l.ChangedKeys) > 0 {
		r.KeysChangedSince++
		if len(r.Changed) < MaxBulkSamples {
			r.Changed = append(r.Changed, BulkSample{DeadLetterID: l.DeadLetterID, Keys: l.ChangedKeys})
		}
	}
}

// String says it in a sentence: "4,290 pass, 22 fail, 3 change keys that have changed since".
func (r *BulkReport) String() string {
	return fmt.Sprintf("%s pass, %s fail, %s change keys that have changed since", thousands(r.Pass), thousands(r.Fail), thousands(r.KeysChangedSince))
}

// thousands writes a count for people.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// DryFilter narrows the letters of a dry run; zero = all.
type DryFilter struct {
	Outcome DryOutcome
	Changed bool // those that change keys that have changed since
}

// BulkReplays keeps the bulk replays. Every method with an id gives NotFound "bulk_replay_not_found".
type BulkReplays interface {
	// CreateBulkReplay stores a bulk replay as running; that makes it durable, see BulkEngine. With a key that the app has used before, and the same request, it
	// gives the bulk replay of then; with another request Conflict "idempotency_key_reused". NotFound "version_not_found" is not checked: letters are of many scripts.
	CreateBulkReplay(ctx context.Context, app App, request BulkRequest, principal, key string) (BulkReplay, error)
	BulkReplay(ctx context.Context, appID, id string) (BulkReplay, error)
	// ListBulkReplays gives them newest first.
	ListBulkReplays(ctx context.Context, appID string, page Page) (List[BulkReplay], error)
	// ListDryLetters gives what a dry run has found so far, in the order of the letters. Conflict "no_dry_run" when the letters were, or are, replayed.
	ListDryLetters(ctx context.Context, appID, id string, filter DryFilter, page Page) (List[DryLetter], error)
	// CancelBulkReplay ends a running one: no further letter is replayed when it returns. Conflict "already_finished" when it has completed; again is no error.
	CancelBulkReplay(ctx context.Context, appID, id string) (BulkReplay, error)
}

// BulkWork is what the workflow of a bulk replay does, a page at a time. A page is one transaction with the progress of its bulk replay: asked for again with
// the same after, it changes nothing and answers with the progress.
type BulkWork interface {
	// ReplayPage marks the next letters, at most limit, as replayed and enqueues their firings. The last page completes the bulk replay.
	ReplayPage(ctx context.Context, id, after string, limit int) (BulkReplay, error)
	// DryPage gives the next letters of a dry run, at most limit; none when the page was reported before or the bulk replay has ended.
	DryPage(ctx context.Context, id, after string, limit int) (BulkReplay, []DeadLetter, error)
	// ReportPage adds what came of a page of a dry run; an empty page completes it.
	ReportPage(ctx context.Context, id, after string, page []DryLetter) (BulkReplay, error)
	// EndBulkReplay marks one that still runs as canceled.
	EndBulkReplay(ctx context.Context, id string) (BulkReplay, error)
	// RunningBulkReplays gives those of all apps that are to run, oldest first, at most a thousand.
	RunningBulkReplays(ctx context.Context) ([]BulkReplay, error)
}

// BulkEngine runs the workflows of bulk replays.
type BulkEngine interface {
	// StartBulkReplay begins the workflow. Started already is success. What could not be started is started later: see engine.Reconciler.
	StartBulkReplay(ctx context.Context, b BulkReplay) error
	// StopBulkReplay wakes the workflow of a bulk replay that was canceled, so that it does not sleep on. One that is gone is no error.
	StopBulkReplay(ctx context.Context, id string) error
}
