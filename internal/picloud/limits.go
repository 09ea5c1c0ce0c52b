package picloud

import "time"

// Limits bound one run of a script. The instance's ceiling (PICLOUD_SANDBOX_MAX_*) bounds what a script may ask for.
type Limits struct {
	Wall         time.Duration `json:"wall,omitempty"`          // from start to result, host calls included
	CPU          time.Duration `json:"cpu,omitempty"`           // CPU time of the script itself
	MemoryMB     int           `json:"memory_mb,omitempty"`     // heap of the script, MiB
	PayloadBytes int           `json:"payload_bytes,omitempty"` // of a body, of the result, and of each value handed to the host
	LogBytes     int           `json:"log_bytes,omitempty"`     // captured console output; more is dropped and said so
	HostCalls    int           `json:"host_calls,omitempty"`
	Effects      int           `json:"effects,omitempty"`
}

// DefaultLimits are what a script gets that asks for nothing.
var DefaultLimits = Limits{
	Wall: 10 * time.Second, CPU: 5 * time.Second, MemoryMB: 128,
	PayloadBytes: 1 << 20, LogBytes: 64 << 10, HostCalls: 1000, Effects: 500,
}

// MaxEventBytes is the largest event data that a run takes: a kv update carries the old value and the new one, each within the payload limit, and binary
// bodies are a third longer as base64.
func (l Limits) MaxEventBytes() int { return 2*l.PayloadBytes + 64<<10 }

// MaxInlineEvent is the largest event data that a Firing carries itself: a larger event is stored first, since Temporal refuses inputs over 2 MiB and
// JSON escapes may make data six times as long. Source: limit.blobSize.error of Temporal's dynamic configuration.
const MaxInlineEvent = 128 << 10

// MaxSourceBytes is the largest script source.
const MaxSourceBytes = 1 << 20

// LocalAttemptWall is the longest wall limit whose first attempt runs as a local activity: a local activity holds its
// workflow task.
const LocalAttemptWall = 10 * time.Second
