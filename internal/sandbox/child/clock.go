package child

import (
	"math/rand/v2"
	"time"
)

// clock is the time that a run sees. It stands still while the script computes, and goes on when something comes from outside: a reply of the server
// brings its time, a timer the time that it was set for. So a run that is repeated from the same start sees the same times, and no script can measure
// what the machine does.
type clock struct {
	began, now time.Time
}

func newClock(began time.Time) *clock { return &clock{began: began, now: began} }

// Now gives the time.
func (c *clock) Now() time.Time { return c.now }

// advance goes on to a time; the clock never goes back.
func (c *clock) advance(to time.Time) {
	if to.After(c.now) {
		c.now = to
	}
}

// randomness gives the numbers of Math.random: the same for the same seed.
func randomness(seed int64) func() float64 {
	return rand.New(rand.NewPCG(uint64(seed), 0)).Float64 //nolint:gosec // crypto.getRandomValues is for secrets
}
