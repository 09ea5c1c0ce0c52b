//go:build !linux

package child

import (
	"runtime"
	"runtime/debug"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// harden does what Go itself can: only Linux has the rest.
func harden(frame.Setup) (memory, []string) {
	debug.SetGCPercent(GCPercent)
	debug.SetTraceback("none")
	debug.SetMaxStack(64 << 20)
	runtime.GOMAXPROCS(1)
	return memory{
		baseHeap: readMetric(heapObjects),
		baseAll:  readMetric("/memory/classes/total:bytes") - readMetric("/memory/classes/heap/released:bytes"),
	}, []string{"this system is not Linux: children are bounded by the Go runtime alone"}
}
