package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

func insertEvent(ctx context.Context, q *sqlc.Queries, appID string, e picloud.Event) error {
	err := q.EventInsert(ctx, sqlc.EventInsertParams{
		ID: e.ID, AppID: appID, Type: e.Type, Source: e.Source, Subject: e.Subject, Time: e.Time, ContentType: contentType(e), Data: e.Data,
		RootID: e.RootID, ParentID: optional(e.ParentID), Depth: int32(e.Depth), // bounded by MaxDepth
		Traceparent: e.TraceParent, ReplayOf: optional(e.ReplayOf), PartitionKey: e.PartitionKey,
	})
	if err != nil {
		return fmt.Errorf("insert event: %w", err)
	}
	return nil
}

// contentType is that of the event's data: JSON unless it says otherwise.
func contentType(e picloud.Event) string {
	if e.DataContentType == "" {
		return "application/json"
	}
	return e.DataContentType
}

func toEvent(r sqlc.Event) picloud.Event {
	return picloud.Event{
		SpecVersion: "1.0", ID: r.ID, Source: r.Source, Type: r.Type, Subject: r.Subject, Time: r.Time.UTC(), DataContentType: r.ContentType,
		Data: json.RawMessage(r.Data), RootID: r.RootID, ParentID: value(r.ParentID), Depth: int(r.Depth), TraceParent: r.Traceparent,
		ReplayOf: value(r.ReplayOf), PartitionKey: r.PartitionKey,
	}
}

// findEvent gives the event, or nil when its partition is dropped.
func findEvent(ctx context.Context, q *sqlc.Queries, appID, id string) (*picloud.Event, error) {
	row, err := q.EventGet(ctx, id, appID)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get event: %w", err)
	}
	e := toEvent(row)
	return &e, nil
}
