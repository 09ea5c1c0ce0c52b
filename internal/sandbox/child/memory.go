package child

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How the hard bound of the address space that can be written (RLIMIT_DATA) relates to a run's memory limit: the collector needs room to work in,
// and the heap grows in steps of 4 MiB. The watchdog ends a run at the limit itself; what it is too slow for dies at the hard bound.
const (
	hardPercent = 150
	hardSlackMB = 48
)

// GCPercent lets a child's heap, a few MiB of which live from run to run, grow to some 40 MiB ahead of a collection: the next run finds it used up. At 100
// collections took a fifth of the time of short runs, at 400 a tenth. The memory limit holds all the same, and a child that is idle gives its memory back.
const GCPercent = 1000

// idleAfter is how long a child that has nothing to do keeps the memory of the runs before. To give it back costs a collection, and to take it again a fault of
// the page for every 4 KiB, in the runs that come next: at a second, a run after a pause took twice the CPU time.
const idleAfter = 10 * time.Second

// heapObjects is the metric of the bytes in live and not yet swept objects.
const heapObjects = "/memory/classes/heap/objects:bytes"

// memory knows what the process took before it ran anything, and bounds what comes on top.
type memory struct {
	baseData int64 // bytes of private writable memory (VmData) at start
	baseHeap int64 // bytes of objects at start
	baseAll  int64 // bytes that the Go runtime had mapped at start
	setData  func(bytes int64)
	bounded  int // the limit that is set, in MiB
}

// bound sets the limits for a run of limitMB on top of the base.
func (m *memory) bound(limitMB int) {
	if limitMB == m.bounded { // the runtime stops the world to set its limit
		return
	}
	m.bounded = limitMB
	debug.SetMemoryLimit(m.baseAll + int64(limitMB)<<20)
	if m.setData != nil {
		m.setData(m.baseData + hardBytes(limitMB))
	}
}

func hardBytes(limitMB int) int64 {
	return (int64(limitMB)*hardPercent/100 + hardSlackMB) << 20
}

// heap gives the bytes of objects beyond those of the start.
func (m *memory) heap() int64 { return readMetric(heapObjects) - m.baseHeap }

func readMetric(name string) int64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}
