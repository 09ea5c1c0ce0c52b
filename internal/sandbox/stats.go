package sandbox

import "github.com/picloud/picloud/internal/picloud"

// Stats tells the present state of the pool; it waits for nothing.
func (p *Pool) Stats() picloud.SandboxStats {
	finished := p.finished.Load() // before started: else there might seem to be less than none
	started := p.started.Load()
	return picloud.SandboxStats{
		Children: int(started - finished), Busy: p.turns.busy(), Size: p.options.Size, Started: started, Ended: finished, Killed: p.killed.Load(),
	}
}
