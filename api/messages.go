package api

import (
	"context"

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

func toAccepted(p picloud.Published) MessageAccepted {
	return MessageAccepted{EventID: p.EventID, Executions: append([]string{}, p.Executions...)}
}
