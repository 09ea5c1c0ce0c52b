package sandbox_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// liarFrame gives what a child that lies in one way answers to the run with a number.
func liarFrame(how string, run uint32) []byte {
	done := func(head frame.Done, body string) []byte {
		return frame.Append(nil, frame.New(frame.KindDone, run, head, []byte(body)))
	}
	call := func(id uint32, head frame.Call) []byte {
		return frame.Append(nil, frame.New(frame.KindCall, id, head, nil))
	}
	switch how {
	case "unknown kind":
		return frame.Append(nil, frame.Frame{Kind: 99})
	case "kind of the server":
		return frame.Append(nil, frame.Frame{Kind: frame.KindSetup})
	case "giant frame":
		b := frame.Append(nil, frame.Frame{Kind: frame.KindDone})
		binary.LittleEndian.PutUint32(b[9:], 1<<31)
		return b
	case "giant head":
		b := frame.Append(nil, frame.Frame{Kind: frame.KindDone})
		binary.LittleEndian.PutUint32(b[5:], 1<<31)
		return b
	case "no head":
		return frame.Append(nil, frame.Frame{Kind: frame.KindDone, ID: run, Body: []byte("null")})
	case "malformed head":
		return frame.Append(nil, frame.Frame{Kind: frame.KindDone, ID: run, Head: []byte{0xff, 0xff, 0xff, 0xff, 0x7f}, Body: []byte("null")})
	case "another run's end":
		return frame.Append(nil, frame.New(frame.KindDone, run+1, frame.Done{}, []byte("null")))
	case "another run's log":
		return frame.Append(nil, frame.New(frame.KindLog, run+1, frame.Log{Level: "info"}, []byte("line")))
	case "result that is no JSON":
		return done(frame.Done{}, "{")
	case "reason of the platform":
		return done(frame.Done{Failure: &picloud.ScriptError{Reason: picloud.ReasonDepthExceeded}}, "")
	case "header with a line break":
		return done(frame.Done{Response: true, Status: 200, Headers: [][2]string{{"a", "b\r\nc: d"}}}, "")
	case "status":
		return done(frame.Done{Response: true, Status: 1}, "")
	case "unknown operation":
		return call(1, frame.Call{Op: "kv.drop"})
	case "too many calls":
		var b []byte
		for i := range uint32(picloud.DefaultLimits.HostCalls + 1) {
			b = append(b, call(i, frame.Call{Op: frame.OpKVGet, Collection: "a", Key: "b"})...)
		}
		return b
	case "too many effects":
		var b []byte
		for i := range uint32(picloud.DefaultLimits.Effects + 1) {
			b = append(b, call(i, frame.Call{Op: frame.OpKVDelete, Collection: "a", Key: "b"})...)
		}
		return b
	case "too much log":
		f := frame.Append(nil, frame.New(frame.KindLog, run, frame.Log{Level: "info"}, make([]byte, 60<<10)))
		return append(f, f...)
	case "half a frame":
		return []byte{1, 2, 3}
	}
	return nil
}

var liars = map[string]string{ // to the type of the failure
	"unknown kind": "SandboxDied", "kind of the server": "SandboxDied", "giant frame": "SandboxDied", "giant head": "SandboxDied", "no head": "SandboxDied", "malformed head": "SandboxDied",
	"another run's end": "SandboxDied", "another run's log": "SandboxDied",
	"result that is no JSON": "SandboxDied", "reason of the platform": "SandboxDied", "header with a line break": "SandboxDied", "status": "SandboxDied",
	"unknown operation": "SandboxDied", "too many calls": "HostCallLimitExceeded", "too many effects": "EffectLimitExceeded", "too much log": "SandboxDied",
	"half a frame": "SandboxDied", "nothing": "SandboxDied",
}

// lacksLandlock is a child whose machine refuses a layer of protection.
const lacksLandlock = "lacks landlock"

// lie is a child that says Hello and answers its first run with nonsense.
func lie(how string) {
	frames := frame.NewReader(os.Stdin, 1<<20, 1<<20)
	if _, err := frames.Next(); err != nil {
		os.Exit(0)
	}
	socket := os.NewFile(0, "socket")
	var hello frame.Hello
	if how == lacksLandlock {
		hello.Warnings = []string{"landlock: the kernel has none, or it is off"}
	}
	_, _ = socket.Write(frame.Append(nil, frame.New(frame.KindHello, 0, hello, nil)))
	switch how {
	case "dies when idle":
		os.Exit(7)
	case "dies before it reads":
		fds := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
		_, _ = unix.Poll(fds, -1)
		os.Exit(7)
	}
	run, err := frames.Next()
	if err != nil {
		os.Exit(0)
	}
	_, _ = socket.Write(liarFrame(how, run.ID))
	if how == "half a frame" || how == "nothing" {
		os.Exit(7)
	}
	_, _ = frames.Next()
	for {
		if _, err := frames.Next(); err != nil {
			os.Exit(0)
		}
	}
}

func TestChildThatBreaksTheProtocolIsKilled(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	for how, class := range liars {
		t.Run(how, func(t *testing.T) {
			pool, err := sandbox.New(sandbox.Options{Command: []string{self, "liar", how}, Size: 1, KV: &memoryKV{}, Log: silent()})
			require.NoError(t, err)
			defer pool.Close()
			for range 2 { // the second one gets another liar
				out, err := pool.Run(t.Context(), attempt(picloud.Program{SHA256: "x", Code: []byte("x")}))
				require.NoError(t, err)
				require.NotNil(t, out.Failure)
				require.Equal(t, picloud.ReasonResourceLimit, out.Failure.Reason, fmt.Sprint(out.Failure))
				require.Equal(t, class, out.Failure.Type, out.Failure.Message)
			}
			_, err = pool.Compile(t.Context(), "x", picloud.TypeScript, "export default 1")
			require.Equal(t, "compile_error", picloud.ErrorCode(err))
		})
	}
}
