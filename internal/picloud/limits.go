package picloud

import (
	"strconv"
	"time"
)

// Limits bound one run of a script. The instance's ceiling (PICLOUD_SANDBOX_MAX_*) bounds what a script may ask for. LimitTable says what each is.
type Limits struct {
	Wall         time.Duration `json:"wall,omitempty"`
	CPU          time.Duration `json:"cpu,omitempty"`
	MemoryMB     int           `json:"memory_mb,omitempty"`
	CallDepth    int           `json:"call_depth,omitempty"`
	PayloadBytes int           `json:"payload_bytes,omitempty"`
	LogBytes     int           `json:"log_bytes,omitempty"`
	HostCalls    int           `json:"host_calls,omitempty"`
	Fetches      int           `json:"fetches,omitempty"`
	Effects      int           `json:"effects,omitempty"`
}

// Limit describes one field of Limits: the one source of the checks of what scripts ask for, of GET /v1/limits and of the table in docs/scripting.md.
type Limit struct {
	// Name is the field's name in JSON.
	Name string
	// Unit is what its values count: LimitDuration, "MiB", "bytes", "frames", "calls" or "effects".
	Unit string
	// ErrorType and Reason are those of the ScriptError that a run ends with at the limit; both are empty where a run goes on.
	ErrorType string
	Reason    Reason
	// Variable is the environment variable of the instance's ceiling; Ceiling is what it is when that is not set.
	Variable string
	Ceiling  int64
	// Least is the smallest value that a script may ask for.
	Least int64
	// Description is what it bounds, for script authors.
	Description string

	duration func(*Limits) *time.Duration
	number   func(*Limits) *int
}

// LimitDuration is the unit of limits that are durations: Get and Set count them in nanoseconds, JSON has them as Go duration strings.
const LimitDuration = "duration"

// The limits of a run.
var (
	LimitWall = Limit{
		Name: "wall", Unit: LimitDuration, ErrorType: "WallLimitExceeded", Reason: ReasonTimeout,
		Variable: "PICLOUD_SANDBOX_MAX_WALL", Ceiling: int64(5 * time.Minute), Least: int64(time.Millisecond),
		Description: "Time from start to result, calls to the host included.",
		duration:    func(l *Limits) *time.Duration { return &l.Wall },
	}
	LimitCPU = Limit{
		Name: "cpu", Unit: LimitDuration, ErrorType: "CPULimitExceeded", Reason: ReasonTimeout,
		Variable: "PICLOUD_SANDBOX_MAX_CPU", Ceiling: int64(30 * time.Second), Least: int64(time.Millisecond),
		Description: "CPU time of the script itself.",
		duration:    func(l *Limits) *time.Duration { return &l.CPU },
	}
	LimitMemory = Limit{
		Name: "memory_mb", Unit: "MiB", ErrorType: "MemoryLimitExceeded", Reason: ReasonResourceLimit,
		Variable: "PICLOUD_SANDBOX_MAX_MEMORY_MB", Ceiling: int64(DefaultLimits.MemoryMB), Least: 1,
		Description: "What the script holds at once; garbage does not count.",
		number:      func(l *Limits) *int { return &l.MemoryMB },
	}
	LimitCallDepth = Limit{
		Name: "call_depth", Unit: "frames", ErrorType: "CallDepthLimitExceeded", Reason: ReasonResourceLimit,
		Variable: "PICLOUD_SANDBOX_MAX_CALL_DEPTH", Ceiling: int64(DefaultLimits.CallDepth), Least: 16,
		Description: "Functions that wait for each other's return: recursion. A script cannot catch it.",
		number:      func(l *Limits) *int { return &l.CallDepth },
	}
	LimitPayload = Limit{
		Name: "payload_bytes", Unit: "bytes", ErrorType: "PayloadLimitExceeded", Reason: ReasonPayloadInvalid,
		Variable: "PICLOUD_SANDBOX_MAX_PAYLOAD_BYTES", Ceiling: int64(DefaultLimits.PayloadBytes), Least: 1,
		Description: "A body on its way in, the result or the response's body on its way out; an event's data as a whole may be twice as large and 64 KiB. A single value for the host that is larger is refused with a RangeError, which a script can catch.",
		number:      func(l *Limits) *int { return &l.PayloadBytes },
	}
	LimitLog = Limit{
		Name: "log_bytes", Unit: "bytes",
		Variable: "PICLOUD_SANDBOX_MAX_LOG_BYTES", Ceiling: int64(DefaultLimits.LogBytes), Least: 1,
		Description: "Captured console output. The run goes on: what is more is dropped, and the last line of the log says so.",
		number:      func(l *Limits) *int { return &l.LogBytes },
	}
	LimitHostCalls = Limit{
		Name: "host_calls", Unit: "calls", ErrorType: "HostCallLimitExceeded", Reason: ReasonResourceLimit,
		Variable: "PICLOUD_SANDBOX_MAX_HOST_CALLS", Ceiling: int64(DefaultLimits.HostCalls), Least: 1,
		Description: "Calls of ctx that reach the host, such as ctx.kv.get.",
		number:      func(l *Limits) *int { return &l.HostCalls },
	}
	LimitFetches = Limit{
		Name: "fetches", Unit: "calls", ErrorType: "FetchLimitExceeded", Reason: ReasonResourceLimit,
		Variable: "PICLOUD_SANDBOX_MAX_FETCHES", Ceiling: int64(DefaultLimits.Fetches), Least: 1,
		Description: "Requests that ctx.fetch makes; redirects do not count. Each is a call to the host too.",
		number:      func(l *Limits) *int { return &l.Fetches },
	}
	LimitEffects = Limit{
		Name: "effects", Unit: "effects", ErrorType: "EffectLimitExceeded", Reason: ReasonResourceLimit,
		Variable: "PICLOUD_SANDBOX_MAX_EFFECTS", Ceiling: int64(DefaultLimits.Effects), Least: 1,
		Description: "Changes that are committed when the run succeeds, such as ctx.kv.set.",
		number:      func(l *Limits) *int { return &l.Effects },
	}
)

// LimitTable is all limits of a run, in the order in which people read them.
var LimitTable = []Limit{LimitWall, LimitCPU, LimitMemory, LimitCallDepth, LimitPayload, LimitLog, LimitHostCalls, LimitFetches, LimitEffects}

// Get gives the limit's value in l, in its unit; a duration in nanoseconds.
func (m Limit) Get(l Limits) int64 { return m.get(&l) }

// get is Get without a copy: runs ask for all limits several times.
func (m Limit) get(l *Limits) int64 {
	if m.duration != nil {
		return int64(*m.duration(l))
	}
	return int64(*m.number(l))
}

// Set sets the limit in l; a duration is in nanoseconds.
func (m Limit) Set(l *Limits, value int64) {
	if m.duration != nil {
		*m.duration(l) = time.Duration(value)
		return
	}
	*m.number(l) = int(value)
}

// Text writes a value of the limit as JSON and messages have it: "1m30s", or "64".
func (m Limit) Text(value int64) string {
	if m.duration != nil {
		return time.Duration(value).String()
	}
	return strconv.FormatInt(value, 10)
}

// Or gives l with the fields that are not positive taken from other.
func (l Limits) Or(other Limits) Limits {
	for _, m := range LimitTable {
		if m.get(&l) <= 0 {
			m.Set(&l, m.get(&other))
		}
	}
	return l
}

// Within gives l with no field over the ceiling's; a zero field of the ceiling is no bound.
func (l Limits) Within(ceiling Limits) Limits {
	for _, m := range LimitTable {
		if most := m.get(&ceiling); most > 0 && m.get(&l) > most {
			m.Set(&l, most)
		}
	}
	return l
}

// DefaultLimits are what a script gets that asks for nothing.
var DefaultLimits = Limits{
	Wall: 10 * time.Second, CPU: 5 * time.Second, MemoryMB: 128, CallDepth: 4000,
	PayloadBytes: 1 << 20, LogBytes: 64 << 10, HostCalls: 1000, Fetches: 100, Effects: 500,
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
