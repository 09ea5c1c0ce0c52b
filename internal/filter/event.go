package filter

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// Event is an event as expressions see it. Its data is decoded once, for all expressions.
type Event struct {
	view view
	bad  error // the data is no JSON
}

// view is the type of the variable event. Numbers in data are doubles, as CEL has it for JSON and as the script sees them.
type view struct {
	ID          string    `cel:"id"`
	Source      string    `cel:"source"`
	Type        string    `cel:"type"`
	Subject     string    `cel:"subject"`
	Time        time.Time `cel:"time"`
	Data        any       `cel:"data"` // null where there is none
	RootID      string    `cel:"rootid"`
	ParentID    string    `cel:"parentid"` // "" for an event from outside
	Depth       int       `cel:"depth"`
	TraceParent string    `cel:"traceparent"`
	ReplayOf    string    `cel:"replayof"` // "" unless it is a replay
}

// Of makes an event ready for expressions.
func Of(e picloud.Event) Event {
	v := view{
		ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: e.Time, RootID: e.RootID, ParentID: e.ParentID, Depth: e.Depth,
		TraceParent: e.TraceParent, ReplayOf: e.ReplayOf,
	}
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, &v.Data); err != nil {
			return Event{bad: fmt.Errorf("decode data of event: %w", err)}
		}
	}
	return Event{view: v}
}
