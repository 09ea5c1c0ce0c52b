package child

import (
	"errors"
	"io"
	"time"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// Local runs programs in the process that makes it: all that a child does for a run, without process, socket, frames and protection. The benchmark
// compares children with it; nothing that is not trusted may run in it, and no script that calls the server.
type Local struct{ server *server }

// NewLocal makes a Local. Its memory limit is that of the process.
func NewLocal(memoryMB int) *Local {
	c := newConn(nowhere{})
	m := memory{baseHeap: 1 << 62, bounded: memoryMB}
	return &Local{&server{conn: c, programs: newPrograms(), memory: m, watch: newWatchdog(c, m)}}
}

// Run runs once. head.Limits.MemoryMB must be what NewLocal was told; code is needed at the program's first run.
func (l *Local) Run(head frame.Run, data, code, sourceMap []byte) (frame.Done, []byte, error) {
	return l.server.serveRun(0, head, data, code, sourceMap)
}

// nowhere drops what is written and has nothing to read.
type nowhere struct{}

// Read implements io.Reader.
func (nowhere) Read([]byte) (int, error) { return 0, io.EOF }

// Write implements io.Writer.
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// Wait implements wire.
func (nowhere) Wait(time.Duration) (bool, error) {
	return false, errors.New("the script waits for a server that is not there")
}
