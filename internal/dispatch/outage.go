package dispatch

import (
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// The pauses of an outage.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// outage follows the faults of one thing that the dispatcher needs: it logs the first fault and the recovery, and says how long to leave the
// thing alone. Faults of calls that were made at the same time count as one.
type outage struct {
	name string
	log  logrus.FieldLogger

	mu     sync.Mutex
	faults int       // in a row; 0 = all is well
	since  time.Time // of the first of them
	until  time.Time // the end of the pause
}

// fault tells of a call that failed.
func (o *outage) fault(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.faults == 0 {
		o.since = now
		o.log.WithError(err).WithField("of", o.name).Warn("dispatcher: outage")
	} else if now.Before(o.until) {
		return
	}
	o.until = now.Add(min(firstPause<<min(o.faults, 10), longestPause))
	o.faults++
}

// fine tells of a call that succeeded.
func (o *outage) fine() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.faults == 0 {
		return
	}
	o.log.WithFields(logrus.Fields{"of": o.name, "for": time.Since(o.since).Round(time.Millisecond)}).Info("dispatcher: recovered")
	o.faults, o.until = 0, time.Time{}
}

// wait is how long the thing is to be left alone from now on.
func (o *outage) wait() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Until(o.until)
}
