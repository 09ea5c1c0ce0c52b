package frame

import (
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// CompileLimits bound one compilation: esbuild's memory grows with what the source makes it do, not with its size alone.
var CompileLimits = picloud.Limits{Wall: 10 * time.Second, CPU: 10 * time.Second, MemoryMB: 512}

// The bounds of a response's headers: their number, and the bytes of names and values.
const (
	MaxHeaders      = 200
	MaxHeadersBytes = 32 << 10
)

// LogTruncated is the text of the last line of a log that was cut.
const LogTruncated = "the log limit is reached: what follows is dropped"

// TrialLimits bound the trial evaluation of a module that was compiled.
var TrialLimits = picloud.Limits{Wall: 200 * time.Millisecond, CPU: 200 * time.Millisecond, MemoryMB: 64}

// MaxCompiledBytes is the largest program, code and source map together.
const MaxCompiledBytes = 16 << 20
