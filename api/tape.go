package api

import (
	"context"
	"strconv"

	"github.com/picloud/picloud/internal/picloud"
)

// GetDeadLetterTape implements StrictServerInterface.
func (s *server) GetDeadLetterTape(ctx context.Context, request GetDeadLetterTapeRequestObject) (GetDeadLetterTapeResponseObject, error) {
	app, d, err := s.deadLetter(ctx, request.App, request.DeadLetter)
	if err != nil {
		return nil, err
	}
	t, err := s.DeadLetters.LetterTape(ctx, app.ID, d.ID)
	if err != nil {
		return nil, err
	}
	return GetDeadLetterTape200JSONResponse{
		DeadLetterID: d.ID, ExecutionID: d.ExecutionID, App: app.Slug, Script: d.Script, Version: d.Version, Attempt: t.Attempt, Clock: t.Clock,
		Seed: strconv.FormatInt(t.Seed, 10), Event: *toEvent(&d.Event), Error: *toScriptError(&d.Error), Secrets: t.Secrets, Truncated: t.Truncated, Calls: convert(t.Calls, toTapeCall),
	}, nil
}

func toTapeCall(c picloud.TapeCall) TapeCall {
	return TapeCall{What: c.What, At: c.At, Order: orNil(c.Order), Answer: c.Answer, Body: orNil(c.Body), Base64: orNil(c.Base64)}
}
