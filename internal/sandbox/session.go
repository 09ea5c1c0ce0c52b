package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
	"github.com/picloud/picloud/internal/sandbox/host"
)

const (
	// maxRunHead is the largest head that a child may send in a run: a Done with its error and headers, or a Call with its names.
	maxRunHead = 256 << 10
	// openCalls is how many calls of one run wait for the outside at once; others wait for them.
	openCalls = 16
)

// session is one run seen from the server: it feeds the child, serves its calls, and believes nothing that it says.
type session struct {
	child  *process
	limits picloud.Limits
	code   picloud.Program
	script string
	kv     *host.KV
	fetch  *host.Fetch
	secret *host.Secrets
	may    *picloud.Grant
	table  host.Table     // nil until the first call
	offer  func()         // makes the table
	tape   *host.Recorder // nil in dry runs and where a tape is played
	player *host.Player   // of the tape that the run is repeated from; nil = none
	clock  time.Time      // where the run's clock begins

	ctx     context.Context //nolint:containedctx // of the host calls: ends with the run, which the session is
	cancel  context.CancelFunc
	outer   context.Context //nolint:containedctx // of the caller: its end ends the run
	started time.Time
	number  uint32 // of the run, which no earlier one had: the child's words carry it
	calls   int
	waits   int   // how often the child said that it waits for a call
	held    *wait // the call that was read last, where it has to wait
	open    chan struct{}
	logs    logs
	replies replies

	mu  sync.Mutex
	end error // the first fault that ends the run from here
}

func newSession(ctx context.Context, c *process, limits picloud.Limits, o Options, fetch *host.Fetch, run picloud.Run) *session {
	s := &session{
		child: c, limits: limits, code: run.Program, script: run.Script, may: run.May, kv: host.NewKV(o.KV, run.AppID, limits),
		fetch: fetch, secret: host.NewSecrets(o.Secrets, run.AppID), clock: run.Time, number: rand.Uint32(), outer: ctx, open: make(chan struct{}, openCalls), logs: logs{left: limits.LogBytes}, //nolint:gosec // the number tells this run's words from another's: the child knows it
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.replies.child = c
	switch {
	case run.Tape != nil:
		s.player = host.NewPlayer(*run.Tape)
	case !run.DryRun:
		s.tape = host.NewRecorder(func() time.Duration { return time.Since(s.started) })
	}
	s.offer = func() {
		s.table = host.Table{}
		s.kv.Register(s.table)
		host.NewTopics(s.kv).Register(s.table)
		host.NewQueues(s.kv).Register(s.table)
		s.secret.Register(s.table)
		host.NewEmail(s.kv, o.Mail, run).Register(s.table)
		s.fetch.Register(s.table)
		if s.player != nil {
			s.player.Wrap(s.table)
		} else if s.tape != nil {
			s.tape.Wrap(s.table)
		}
	}
	return s
}

// errLate says that the server ended a run that was past its wall limit.
var errLate = errors.New("wall limit")

// stop ends the run for a reason: the child's death wakes the reader.
func (s *session) stop(why error) {
	s.mu.Lock()
	if s.end == nil {
		s.end = why
	}
	s.mu.Unlock()
	s.child.kill()
	s.cancel()
}

// run serves the run to its end. fit says that the child can serve on.
func (s *session) run(head frame.Run, data []byte) (out picloud.Outcome, fit bool, err error) {
	defer s.fetch.Close()
	defer s.cancel()
	s.child.serving.Store(&s.cancel)
	defer s.child.serving.Store(nil)
	s.started = time.Now()
	stopCancel := context.AfterFunc(s.outer, func() { s.stop(context.Cause(s.outer)) })
	late := time.AfterFunc(s.limits.Wall+wallGrace, func() { s.stop(errLate) })
	done, body, err := s.serve(head, data)
	s.replies.close()
	defer func() { // nothing that is logged, kept or told has a secret in it
		out.Hidden = s.secret.Hidden()
		out.Logs, out.Failure = out.Hidden.Logs(out.Logs), out.Hidden.Error(out.Failure)
		if s.player != nil {
			out.Missing = s.player.Missing()
		} else if s.tape != nil && out.Failure != nil {
			out.Tape = s.tape.Tape(out.Hidden)
		}
	}()
	// A watcher that could not be stopped has killed the child, or is about to.
	fit = stopCancel() && late.Stop() && err == nil
	out.Usage = picloud.Usage{Wall: time.Since(s.started), HostCalls: s.calls}
	if err != nil {
		out.Failure, err = s.explain(err)
		out.Logs = s.logs.lines
		return out, false, err
	}
	out.Logs = s.logs.lines
	out.Usage.CPU = max(0, min(done.CPU, 4*out.Usage.Wall))
	out.Effects, out.Reads = s.kv.Effects(), s.kv.Reads()
	if out.Failure = done.Failure; out.Failure != nil {
		// A run that hit a limit may have left the child in a bad state.
		return out, fit && (out.Failure.Reason == picloud.ReasonScriptError || out.Failure.Reason == picloud.ReasonPayloadInvalid), nil
	}
	if len(body) == 0 {
		body = nil
	}
	if done.Response {
		out.Result.Response = &picloud.Response{Status: done.Status, Headers: done.Headers, Body: body}
	} else {
		out.Result.Value = body
	}
	return out, fit, nil
}

// explain says what a run ended of that has no Done: a failure of the script, or an error of the platform or the context.
func (s *session) explain(err error) (*picloud.ScriptError, error) {
	s.child.kill()
	<-s.child.dead
	s.mu.Lock()
	end, stopped := s.end, s.end != nil
	s.mu.Unlock()
	if !stopped {
		end = err
	}
	var failure *picloud.ScriptError
	var nonsense *protocolError
	switch {
	case errors.As(end, &failure):
		return failure, nil
	case s.outer.Err() != nil:
		return nil, fmt.Errorf("run script: %w", context.Cause(s.outer))
	case errors.Is(end, errLate):
		return fault.Wall(s.limits), nil
	case errors.As(end, &nonsense):
		return fault.Died(nonsense.Error()), nil
	case stopped:
		return nil, fmt.Errorf("serve script: %w", end)
	case errors.Is(end, errUndelivered):
		return nil, end
	}
	return s.child.autopsy(s.limits), nil
}

// protocolError is what a child said that makes no sense.
type protocolError struct{ what string }

func (e *protocolError) Error() string { return "it broke the protocol: " + e.what }

func nonsense(format string, args ...any) error { return &protocolError{fmt.Sprintf(format, args...)} }

// serve feeds the child and takes its frames until it is done.
func (s *session) serve(head frame.Run, data []byte) (frame.Done, []byte, error) {
	key := programKey{s.code.SHA256, s.script}
	body := data
	if !s.child.sent[key] {
		head.Program.CodeSize, head.Program.MapSize = len(s.code.Code), len(s.code.SourceMap)
		body = append(append(append(make([]byte, 0, len(data)+len(s.code.Code)+len(s.code.SourceMap)), data...), s.code.Code...), s.code.SourceMap...)
		if len(s.child.sent) > maxSent {
			clear(s.child.sent) // only costs that some are sent again
		}
		s.child.sent[key] = true
	}
	s.child.socket.SetPatience(patience)
	if err := s.child.send(frame.New(frame.KindRun, s.number, head, body)); err != nil {
		return frame.Done{}, nil, asUndelivered(err)
	}
	s.child.frames.MaxHead, s.child.frames.MaxBody = maxRunHead, max(s.limits.PayloadBytes, s.limits.LogBytes, len(frame.LogTruncated))
	for first := true; ; first = false {
		if s.child.socket.Buffered() == 0 {
			s.detach()
			s.replies.flush()
		}
		f, err := s.child.frames.Next()
		switch {
		case first && undelivered(err):
			return frame.Done{}, nil, errUndelivered
		case errors.Is(err, frame.ErrTooLarge), errors.Is(err, frame.ErrUnknownKind):
			return frame.Done{}, nil, nonsense("%v", err)
		case err != nil:
			return frame.Done{}, nil, err
		}
		if f.Kind != frame.KindWait {
			s.detach()
		}
		if f.Kind != frame.KindWait && f.Kind != frame.KindCall && f.ID != s.number {
			return frame.Done{}, nil, nonsense("words of another run")
		}
		switch f.Kind {
		case frame.KindWait:
			err = s.wait()
		case frame.KindCall:
			err = s.call(f)
		case frame.KindLog:
			err = s.logs.add(f, s.clock, time.Since(s.started))
		case frame.KindNeed:
			program := frame.Program{SHA256: s.code.SHA256, CodeSize: len(s.code.Code), MapSize: len(s.code.SourceMap)}
			err = s.replies.put(frame.New(frame.KindProgram, 0, program, append(append([]byte(nil), s.code.Code...), s.code.SourceMap...)))
		case frame.KindDone:
			done, err := checkDone(f, s.limits)
			return done, f.Body, err
		default:
			err = nonsense("frame of kind %d within a run", f.Kind)
		}
		if err != nil {
			return frame.Done{}, nil, err
		}
	}
}

// needs is what the principal of a run must be allowed to for the host calls that read and write data. Secrets come with the right to run the script.
var needs = map[string]picloud.Capability{
	frame.OpKVGet: picloud.DataRead, frame.OpKVList: picloud.DataRead, frame.OpKVSet: picloud.DataWrite, frame.OpKVDelete: picloud.DataWrite,
	frame.OpTopicPublish: picloud.DataWrite, frame.OpQueueSend: picloud.DataWrite, frame.OpEmailSend: picloud.DataWrite,
}

// maxSent is how many programs of a child are remembered.
const maxSent = 1024

// call takes one call. What it does to the run's own state happens here and now, in the order of the calls; what waits for the outside runs beside.
func (s *session) call(f frame.Frame) error {
	var head frame.Call
	if err := frame.Decode(f, &head); err != nil {
		return nonsense("%v", err)
	}
	if s.calls++; s.calls > s.limits.HostCalls {
		return fault.HostCalls(s.limits)
	}
	if s.table == nil {
		s.offer()
	}
	serve := s.table[head.Op]
	if serve == nil {
		return nonsense("call of %q", head.Op)
	}
	if need, guarded := needs[head.Op]; guarded {
		if denied := s.may.Check(need); denied != nil {
			return denied
		}
	}
	answer, later, err := serve(head, f.Body)
	if err != nil {
		return err
	}
	if later == nil {
		return s.reply(f.ID, answer)
	}
	s.held = &wait{id: f.ID, later: later}
	if head.Op == frame.OpFetch { // takes long: the child may end meanwhile
		s.detach()
	}
	return nil
}

// wait is a call that has to wait for the outside.
type wait struct {
	id    uint32
	later host.Later
}

// wait finishes the call that was read last in the reader's own turn: the child has said that it sends nothing before the reply, and a goroutine of its own
// would only cost. Where the child lies, it waits itself; where it dies, the call is cancelled.
func (s *session) wait() error {
	if s.waits++; s.waits > s.calls {
		return nonsense("it waits for more than it has called")
	}
	if w := s.held; w != nil {
		s.held = nil
		s.finish(w)
	}
	return nil
}

// detach finishes the call that was read last, if it is still to be, beside the others.
func (s *session) detach() {
	w := s.held
	if w == nil {
		return
	}
	s.held = nil
	s.child.socket.SetPatience(0) // the child may wait for the goroutine, and that for this thread
	go func() {
		select {
		case s.open <- struct{}{}:
			s.finish(w)
			s.replies.flush()
			<-s.open
		case <-s.ctx.Done():
		}
	}()
}

// finish finishes a call.
func (s *session) finish(w *wait) {
	answer, err := w.later(s.ctx)
	if err == nil {
		err = s.reply(w.id, answer)
	} else if s.ctx.Err() != nil {
		return // the run is over, and this call with it
	}
	if err != nil {
		s.stop(err)
	}
}

// reply queues the answer of a call. The run's clock goes on to the time of the reply.
func (s *session) reply(id uint32, a host.Answer) error {
	if a.Head.Elapsed == 0 {
		a.Head.Elapsed = time.Since(s.started).Microseconds()
	}
	if a.Sent != nil {
		defer a.Sent()
	}
	return s.replies.put(frame.New(frame.KindReply, id, a.Head, a.Body))
}
