package api

import (
	"context"
	"errors"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// leaveTimeout bounds what is done for a caller who has left.
const leaveTimeout = 10 * time.Second

// deliveryGrace is how long the end of an execution that has committed takes to reach the inbox, at most.
const deliveryGrace = time.Second

// Leaving is what is written of an execution whose caller has left. [picloud.Journal] has it.
type Leaving interface {
	// CancelExecution ends an execution as canceled, unless it has ended before, and gives the end that is stored.
	CancelExecution(ctx context.Context, f picloud.Firing, startedAt time.Time, why *picloud.ScriptError) (picloud.Committed, error)
	// RecordAbandoned keeps an end that nobody has received.
	RecordAbandoned(ctx context.Context, f picloud.Firing, c picloud.Committed, grace time.Duration) error
}

// leave says what becomes of an execution whose caller waits no more: left is errWaitExpired, and he is still there, or else he has gone. What his trigger's on_disconnect cancels is decided in
// the record: it has no other end then, and the run is told to stop. What has committed before is given to a caller who is still there. A caller who has gone misses it: that is an abandoned execution.
func (s *server) leave(ctx context.Context, f picloud.Firing, delivery <-chan picloud.Delivery, done func(), left error) (picloud.Committed, error) {
	lasting, stop := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer stop()
	here := errors.Is(left, errWaitExpired) && ctx.Err() == nil
	if f.OnDisconnect == picloud.DisconnectCancels {
		how := "it closed the connection"
		if here {
			how = "its time was over"
		}
		end, err := s.Leaving.CancelExecution(lasting, f, f.QueuedAt, picloud.CallerLeft(f, how))
		switch {
		case err != nil:
			s.Log.WithError(err).WithField("execution", f.ExecutionID).Error("cannot cancel an execution whose caller has left: it goes on")
		case end.Status == picloud.StatusCanceled:
			s.stopRuns(lasting, f.ExecutionID)
			if here {
				left = errWaitCanceled
			}
			return picloud.Committed{}, left
		case here:
			return s.awaitDelivery(lasting, delivery, left)
		}
	}
	if here {
		return picloud.Committed{}, left
	}
	done() // what comes from now on is seen to be abandoned by the run itself
	select {
	case end := <-delivery:
		s.abandon(lasting, f, end)
	default:
	}
	return picloud.Committed{}, left
}

// abandon keeps an end that came for a caller who had gone.
func (s *server) abandon(ctx context.Context, f picloud.Firing, end picloud.Committed) {
	if err := s.Leaving.RecordAbandoned(ctx, f, end, 0); err != nil {
		s.Log.WithError(err).WithField("execution", f.ExecutionID).Warn("cannot record an abandoned execution")
	}
}

// awaitDelivery waits for an end that is on its way.
func (s *server) awaitDelivery(ctx context.Context, delivery <-chan picloud.Delivery, left error) (picloud.Committed, error) {
	timer := time.NewTimer(deliveryGrace)
	defer timer.Stop()
	select {
	case end := <-delivery:
		return end, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return picloud.Committed{}, left
}
