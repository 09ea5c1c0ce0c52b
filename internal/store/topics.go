package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// Publish implements picloud.Topics.
func (s *Store) Publish(ctx context.Context, app picloud.App, topic string, data json.RawMessage, from picloud.Origin) (picloud.Published, error) {
	var p publishes
	p.add(topic, data)
	rows, err := p.write(ctx, s.queries, app.ID, app.Slug, from) // one statement is a transaction of its own
	if err != nil {
		return picloud.Published{}, err
	}
	executions, filtered := publishedFirings(rows)
	executions = s.siftMade(ctx, filtered, executions)
	if len(executions) > 0 {
		s.notifier.notify()
	}
	return picloud.Published{EventID: p.eventIDs[0], Executions: executions}, nil
}

// publishes are the topic messages of one transaction: parallel slices, as the statement takes them.
type publishes struct {
	eventIDs, topics, bodies []string
}

func (p *publishes) add(topic string, data json.RawMessage) {
	p.eventIDs, p.topics, p.bodies = append(p.eventIDs, newID()), append(p.topics, topic), append(p.bodies, string(data))
}

// publishesOf gives the topic messages among the effects, in their order.
func publishesOf(effects []picloud.Effect) publishes {
	var p publishes
	for _, e := range effects {
		if e.Type == picloud.EffectTopicPublish {
			p.add(e.Topic, e.Value)
		}
	}
	return p
}

// write queues the firings of the triggers that the messages match.
func (p *publishes) write(ctx context.Context, q *sqlc.Queries, appID, appSlug string, from picloud.Origin) ([]sqlc.TopicPublishManyRow, error) {
	if len(p.topics) == 0 {
		return nil, nil
	}
	rows, err := q.TopicPublishMany(ctx, sqlc.TopicPublishManyParams{
		EventIds: p.eventIDs, Topics: p.topics, Bodies: p.bodies, AppID: appID, AppSlug: appSlug,
		RootID: optional(from.RootID), ParentID: optional(from.ExecutionID), Depth: int32(from.Depth + 1), // bounded by MaxDepth
		Traceparent: from.TraceParent,
	})
	if err != nil {
		return nil, fmt.Errorf("publish messages: %w", err)
	}
	return rows, nil
}

// publishedFirings gives the ids of the executions; filtered says that there are filters to pass.
func publishedFirings(rows []sqlc.TopicPublishManyRow) (executions []string, filtered bool) {
	for _, r := range rows {
		executions, filtered = append(executions, r.ExecutionID), filtered || r.Filtered
	}
	return executions, filtered
}
