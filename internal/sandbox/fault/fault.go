// Package fault makes the failures of runs that hit a limit or gave what cannot be carried: one constructor a fault, its type's name and text in one
// place for both ends of the socket.
package fault

import (
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// Wall is the failure of a run at its wall limit.
func Wall(l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitWall, "the run took longer than its wall limit of %s", l.Wall)
}

// CPU is the failure of a run at its limit of CPU time.
func CPU(l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitCPU, "the run used more CPU time than its limit of %s", l.CPU)
}

// Memory is the failure of a run at its memory limit.
func Memory(l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitMemory, "the run needed more memory than its limit of %d MiB", l.MemoryMB)
}

// CallDepth is the failure of a run that recursed deeper than its limit.
func CallDepth(l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitCallDepth, "the run calls deeper than its limit of %d frames (maximum call stack size exceeded)", l.CallDepth)
}

// Stack is the failure of a run that recursed too deep where it cannot be caught: within a built-in function.
func Stack() *picloud.ScriptError {
	return failure(picloud.ReasonResourceLimit, "StackLimitExceeded", "a built-in function recursed deeper than the stack allows")
}

// Died is the failure of a run whose process died of something else, or was killed because it spoke nonsense.
func Died(how string) *picloud.ScriptError {
	return failure(picloud.ReasonResourceLimit, "SandboxDied", "the run's process ended before its result: %s", how)
}

// HostCalls is the failure of a run that calls the host too often.
func HostCalls(l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitHostCalls, "the run makes more calls to the host than its limit of %d", l.HostCalls)
}

// Fetches is the failure of a run that fetches too often.
func Fetches(l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitFetches, "the run fetches more often than its limit of %d", l.Fetches)
}

// Effects is the failure of a run with too many effects.
func Effects(l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitEffects, "the run has more effects than its limit of %d", l.Effects)
}

// HeldPayloads is how many times the payload limit one run may make the server hold: values that it wrote and values that it read.
const HeldPayloads = 64

// Data is the failure of a run that makes the server hold too much.
func Data(l picloud.Limits) *picloud.ScriptError {
	return failure(picloud.ReasonResourceLimit, "DataLimitExceeded", "the run reads and writes more than %d bytes of values", HeldPayloads*l.PayloadBytes)
}

// Payload is the failure of a run whose event or result ("what") is too large.
func Payload(what string, size int, l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitPayload, "%s has %d bytes, the payload limit is %d", what, size, l.PayloadBytes)
}

// EndlessPayload is the failure of a run whose result ("what") was given up when it was larger than size.
func EndlessPayload(what string, size int, l picloud.Limits) *picloud.ScriptError {
	return limit(picloud.LimitPayload, "%s has more than %d bytes, the payload limit is %d", what, size, l.PayloadBytes)
}

// Unpayable is the failure of a run whose result cannot be carried as JSON.
func Unpayable(why string) *picloud.ScriptError {
	return failure(picloud.ReasonPayloadInvalid, "PayloadInvalid", "the script's result is no JSON value: %s", why)
}

// Headers is the failure of a run whose response has too many headers, or too large ones.
func Headers(count, size int) *picloud.ScriptError {
	return limit(picloud.LimitPayload, "the response has %d headers of %d bytes, the most are %d of %d", count, size, frame.MaxHeaders, frame.MaxHeadersBytes)
}

// NeverSettled is the failure of a script that waits for what cannot come.
func NeverSettled() *picloud.ScriptError {
	return failure(picloud.ReasonScriptError, "Error", "the script's promise never settled: it waits, but no timer runs and no call is open")
}

// limit makes the failure of a run at one of its limits.
func limit(l picloud.Limit, format string, args ...any) *picloud.ScriptError {
	return failure(l.Reason, l.ErrorType, format, args...)
}

func failure(reason picloud.Reason, class, format string, args ...any) *picloud.ScriptError {
	return &picloud.ScriptError{Reason: reason, Type: class, Message: fmt.Sprintf(format, args...)}
}
