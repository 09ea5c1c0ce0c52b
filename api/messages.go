package api

import (
	"context"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// PublishMessage implements StrictServerInterface.
func (s *server) PublishMessage(ctx context.Context, request PublishMessageRequestObject) (PublishMessageResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	if err := picloud.CheckTopic(request.Topic); err != nil {
		return nil, err
	}
	if err := checkPayload(request.Body.Data, s.Ceiling); err != nil {
		return nil, err
	}
	published, err := s.Topics.Publish(ctx, app, request.Topic, request.Body.Data, origin(ctx))
	if err != nil {
		return nil, err
	}
	return PublishMessage202JSONResponse(toAccepted(published)), nil
}

// SendMessage implements StrictServerInterface.
func (s *server) SendMessage(ctx context.Context, request SendMessageRequestObject) (SendMessageResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	m := picloud.QueueMessage{Queue: request.Queue, Data: request.Body.Data, Priority: deref(request.Body.Priority), OrderingKey: deref(request.Body.OrderingKey)}
	if request.Body.OrderingKey != nil && m.OrderingKey == "" {
		return nil, picloud.InvalidField("ordering_key", "must not be empty: leave it out where no order is wanted")
	}
	if request.Body.Delay != nil {
		if m.Delay, err = parseDuration("delay", *request.Body.Delay); err != nil {
			return nil, err
		}
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	if err := checkPayload(m.Data, s.Ceiling); err != nil {
		return nil, err
	}
	sent, err := s.Queues.Send(ctx, app, m, origin(ctx))
	if err != nil {
		return nil, err
	}
	return SendMessage202JSONResponse(toAccepted(sent)), nil
}

// ListQueues implements StrictServerInterface.
func (s *server) ListQueues(ctx context.Context, request ListQueuesRequestObject) (ListQueuesResponseObject, error) {
	app, err := s.app(ctx, request.App)
	if err != nil {
		return nil, err
	}
	p, err := page(request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.Queues.ListQueues(ctx, app.ID, p)
	if err != nil {
		return nil, err
	}
	return ListQueues200JSONResponse{Items: convert(list.Items, toQueue), NextCursor: orNil(list.Next)}, nil
}

func toQueue(q picloud.QueueState) QueueState {
	out := QueueState{Queue: q.Queue, Messages: q.Messages, Delayed: q.Delayed, Running: q.Running, Triggers: q.Triggers}
	if q.Oldest != nil {
		age := formatDuration(q.Oldest.Round(time.Millisecond))
		out.OldestAge = &age
	}
	return out
}

func toAccepted(p picloud.Published) MessageAccepted {
	return MessageAccepted{EventID: p.EventID, Executions: append([]string{}, p.Executions...)}
}
