package sandbox

// Retire sets when a pool replaces processes, for tests. Call it before the first run.
func (p *Pool) Retire(maxRuns, checkMemoryEvery, keepPrivateMB int) {
	p.retired = retirement{maxRuns: maxRuns, checkMemoryEvery: checkMemoryEvery, keepPrivateMB: keepPrivateMB}
}

// PrivateBytes is privateBytes.
var PrivateBytes = privateBytes
