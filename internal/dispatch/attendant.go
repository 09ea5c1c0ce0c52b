package dispatch

import (
	"context"
	"fmt"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
)

// Attendant is the service that keeps this process present to the others, and hears what they say.
type Attendant struct {
	presence picloud.Presence
	hearing  picloud.Hearing
	log      logrus.FieldLogger

	cancel  context.CancelFunc
	present chan struct{} // closed when it is so for the first time
	done    sync.WaitGroup
}

// NewAttendant makes an attendant, without starting it; h.Present is its own.
func NewAttendant(presence picloud.Presence, h picloud.Hearing, log logrus.FieldLogger) *Attendant {
	return &Attendant{presence: presence, hearing: h, log: log, present: make(chan struct{})}
}

// Start attends until Stop, and comes back when the process is present: before that nobody may wait in it. An error is that of ctx.
func (a *Attendant) Start(ctx context.Context) error {
	attending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.cancel = cancel
	a.done.Go(func() {
		connection := outage{name: "presence", log: a.log}
		var once sync.Once
		hearing := a.hearing
		hearing.Present = func() {
			connection.fine()
			once.Do(func() { close(a.present) })
		}
		for attending.Err() == nil {
			err := a.presence.Attend(attending, hearing)
			if attending.Err() != nil {
				return
			}
			connection.fault(err)
			if sleep(attending, connection.wait()) != nil {
				return
			}
		}
	})
	select {
	case <-a.present:
		return nil
	case <-ctx.Done():
		a.Stop()
		return fmt.Errorf("wait for presence: %w", ctx.Err())
	}
}

// Stop ends the service and waits for it: the process is absent then.
func (a *Attendant) Stop() {
	if a.cancel != nil {
		a.cancel()
		a.done.Wait()
	}
}
