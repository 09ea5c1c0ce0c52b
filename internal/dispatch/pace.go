package dispatch

import "time"

// pace says how many firings may be on their way at a time: as many as the machine carries without making each of them late. Where starts take longer than one by itself, work waits for
// processors, and more at a time would only share them; where they do not, as with a slow disk or an engine elsewhere, more at a time get more done. It is TCP Vegas' rule
// (https://doi.org/10.1109/49.464716): with n on their way of which each takes d, and one by itself q, n·(1-q/d) of them wait. Now and then one goes by itself, as in BBR's ProbeRTT, to know q.
type pace struct {
	least, most float64
	few, many   float64 // that wait: fewer make it faster, more make it slower
	limit       float64
	itself      time.Duration // q; 0 = not known yet
	starts      int           // since the last probe began
	probed      time.Duration // the quickest start of the probe under way
}

// The probes: so many starts go one at a time, beside another app's at most, after so many others.
const (
	probeStarts = 3
	probeEvery  = 1000
)

// newPace makes one for a machine with so many processors: between one more than those and most.
func newPace(processors, most int) *pace {
	least := min(processors+1, most)
	return &pace{least: float64(least), most: float64(most), few: float64(processors) / 2, many: float64(processors), limit: float64(least)}
}

// took tells how long a start took while so many were on their way.
func (p *pace) took(d time.Duration, begun int) {
	d = max(d, 1)
	p.starts++
	switch {
	case p.starts <= probeStarts:
		p.probe(d)
		return
	case p.starts >= probeEvery:
		p.starts, p.probed = 0, 0
	}
	p.itself = min(p.itself, d)
	waiting := float64(begun) * (1 - float64(p.itself)/float64(d))
	switch {
	case waiting > p.many:
		p.limit = max(p.limit-1/p.limit, p.least)
	case waiting < p.few && begun >= int(p.limit)-1: // one app alone has one less
		p.limit = min(p.limit+1/p.limit, p.most)
	}
}

// probe takes a start that went by itself, or the first of those that were on their way when the probe began.
func (p *pace) probe(d time.Duration) {
	if p.probed == 0 || d < p.probed {
		p.probed = d
	}
	if p.starts == probeStarts {
		p.itself = p.probed
	}
}

// now is how many may be on their way.
func (p *pace) now() int {
	n := int(p.limit)
	if p.starts < probeStarts {
		return min(n, 2) // one of each app
	}
	return n
}
