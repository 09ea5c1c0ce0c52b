package dispatch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// machine gives how long a start takes while so many are on their way.
type machine func(begun int) time.Duration

const alone = 10 * time.Millisecond

// settle has a machine work for one app until the pace is steady, and gives how many may be on their way then, at most.
func settle(p *pace, m machine) int {
	for range 20_000 {
		begun := max(p.now()-1, 1)
		p.took(m(begun), begun)
	}
	return int(p.limit)
}

func TestPaceFollowsTheMachine(t *testing.T) {
	t.Parallel()
	const processors = 2
	shared := func(begun int) time.Duration { return alone * time.Duration(begun) } // the processors are
	slow := func(int) time.Duration { return alone }                                // is a disk that serves many at once
	p := newPace(processors, 16)
	assert.LessOrEqual(t, settle(p, shared), processors+2, "more would only share the processors")
	p = newPace(processors, 16)
	assert.Equal(t, 16, settle(p, slow), "nothing is slower for more")
	assert.LessOrEqual(t, settle(p, shared), processors+2, "and back")
	p = newPace(processors, 1)
	assert.Equal(t, 1, settle(p, slow))
}

func TestPaceStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		processors, most := rapid.IntRange(1, 64).Draw(t, "processors"), rapid.IntRange(1, 512).Draw(t, "most")
		p := newPace(processors, most)
		for _, took := range rapid.SliceOf(rapid.Int64Range(1, int64(time.Minute))).Draw(t, "starts") {
			p.took(time.Duration(took), rapid.IntRange(1, most).Draw(t, "begun"))
			if n := p.now(); n < 1 || n > most || p.limit < float64(min(processors+1, most)) {
				t.Fatalf("%d may be on their way", n)
			}
		}
	})
}

func TestHoldLosesItsPatience(t *testing.T) {
	t.Parallel()
	h, p := newHold(), NewProgress()
	worked, done := p.expect("x")
	h.until(worked, nil)
	assert.Equal(t, longestHold/2, h.patience, "it takes long, or runs elsewhere")
	p.Worked("x")
	h.until(worked, nil)
	assert.Equal(t, longestHold, h.patience)
	done()
	stopped := make(chan struct{})
	close(stopped)
	never, forget := p.expect("y")
	h.until(never, stopped)
	assert.Equal(t, longestHold, h.patience)
	forget()
	p.Worked("y")
	p.Worked("nobody waits for it")
	assert.Empty(t, p.waits)
	var nobody *Progress
	none, forget := nobody.expect("z")
	defer forget()
	h.until(none, nil)
}
