package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
)

// Ends are the records of executions that have ended.
type Ends interface {
	// Execution gives an execution of an app.
	Execution(ctx context.Context, appID, id string) (picloud.Execution, error)
	// Received says that the caller of an execution has got its end.
	Received(ctx context.Context, executionID string) error
}

const (
	repliesAtATime = 16
	replyTimeout   = 5 * time.Second
)

// Replies hands ends that other processes have committed to the callers who wait in this one. What fails is no loss: the callers ask the engine too.
type Replies struct {
	ends   Ends
	inbox  *Inbox
	log    logrus.FieldLogger
	places chan struct{}
	open   sync.WaitGroup
}

// NewReplies makes the replies of an inbox.
func NewReplies(ends Ends, inbox *Inbox, log logrus.FieldLogger) *Replies {
	return &Replies{ends: ends, inbox: inbox, log: log, places: make(chan struct{}, repliesAtATime)}
}

// Ended hands over the end of an execution, in the background.
func (r *Replies) Ended(appID, executionID string) {
	r.open.Go(func() {
		r.places <- struct{}{}
		defer func() { <-r.places }()
		ctx, cancel := context.WithTimeout(context.Background(), replyTimeout)
		defer cancel()
		if err := r.hand(ctx, appID, executionID); err != nil {
			r.log.WithError(err).WithField("execution", executionID).Warn("cannot hand over the end of an execution that another process has run: its caller hears of it by the engine")
		}
	})
}

func (r *Replies) hand(ctx context.Context, appID, executionID string) error {
	x, err := r.ends.Execution(ctx, appID, executionID)
	if err != nil || !x.Status.Final() {
		return err //nolint:wrapcheck // of the domain
	}
	if r.inbox.Deliver(r.inbox.address(executionID), executionID, x.End()) != picloud.Delivered {
		return nil // nobody waits any more: the execution will count as abandoned
	}
	return r.ends.Received(ctx, executionID) //nolint:wrapcheck // of the domain
}

// Stop waits for what is being handed over. Nothing more may be said to have ended.
func (r *Replies) Stop() { r.open.Wait() }
