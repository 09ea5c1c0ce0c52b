package host

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// outOfTurn is how long an answer waits for those that came before it on the tape and that the script may not ask for any more.
const outOfTurn = 50 * time.Millisecond

// Player answers a run's calls from a tape: what the run decides itself (its own writes, wrong arguments) is done as ever, what came from the outside comes from the tape, in the
// order and at the times of then.
type Player struct {
	calls  []picloud.TapeCall
	byWhat map[string][]int // of calls, the next one first
	hidden *picloud.Redactor

	mu      sync.Mutex
	turn    int           // order of the next answer
	moved   chan struct{} // closed when turn changes
	at      int64         // of the last answer
	missing []string
}

// NewPlayer makes a player of a tape.
func NewPlayer(t picloud.Tape) *Player {
	marks := map[string]string{}
	for _, name := range t.Secrets {
		marks[name] = secretMark(name)
	}
	// The script gets the marks in place of the values; where it writes one in another spelling (in a URL, in base64) that is the mark too.
	p := &Player{calls: t.Calls, byWhat: map[string][]int{}, hidden: picloud.NewRedactor(marks), turn: 1, moved: make(chan struct{})}
	for i, c := range t.Calls {
		p.byWhat[c.What] = append(p.byWhat[c.What], i)
	}
	return p
}

// secretMark is what stands for the value of a secret, as picloud.Redactor writes it.
func secretMark(name string) string { return "[secret " + name + "]" }

// Missing gives what the run asked for and the tape does not have.
func (p *Player) Missing() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.missing)
}

// Wrap puts the player before every operation of a table.
func (p *Player) Wrap(t Table) {
	for op, serve := range t {
		t[op] = func(call frame.Call, body []byte) (Answer, Later, error) {
			answer, later, err := serve(call, body)
			if err != nil {
				return answer, later, err
			}
			name := what(call, body, p.hidden)
			found, ok := p.find(name, strings.HasPrefix(op, "kv.") || op == frame.OpSecretGet)
			switch {
			case later == nil:
				answer.Head.Elapsed = p.clock(found.At)
				return answer, nil, nil
			case !ok:
				return p.miss(name), nil, nil
			case found.Order == 0 && found.At > 0 && op == frame.OpSecretGet: // read before in the same run
				return Answer{Head: frame.Reply{Elapsed: p.clock(found.At)}, Body: []byte(secretMark(call.Key))}, nil, nil
			case found.Order == 0 && found.At > 0: // then it was a write of its own that answered
				return p.miss(name), nil, nil
			case found.Order == 0: // it was never answered
				return Answer{}, func(ctx context.Context) (Answer, error) { <-ctx.Done(); return Answer{}, ctx.Err() }, nil
			}
			return Answer{}, func(ctx context.Context) (Answer, error) { return p.answer(ctx, call, found) }, nil
		}
	}
}

// find gives the next call of that name on the tape; again says that the last one may be answered more than once: a read gives the same all the time.
func (p *Player) find(name string, again bool) (picloud.TapeCall, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.byWhat[name]
	if len(next) == 0 {
		return picloud.TapeCall{}, false
	}
	if len(next) > 1 || !again {
		p.byWhat[name] = next[1:]
	}
	return p.calls[next[0]], true
}

// clock gives the time of an answer; what is not on the tape takes none.
func (p *Player) clock(at int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = max(p.at, at, 1)
	return p.at
}

// miss is the answer to what is not on the tape.
func (p *Player) miss(name string) Answer {
	p.mu.Lock()
	p.missing = append(p.missing, name)
	p.mu.Unlock()
	a := Throw("Error", fmt.Sprintf("not on the tape: %s: the failed attempt did not ask for it", name))
	a.Head.Elapsed = p.clock(0)
	return a
}

// answer gives an answer of the tape when its turn comes.
func (p *Player) answer(ctx context.Context, call frame.Call, c picloud.TapeCall) (Answer, error) {
	var a Answer
	if err := json.Unmarshal(c.Answer, &a.Head); err != nil {
		return a, fmt.Errorf("read tape: %w", err)
	}
	a.Body = []byte(c.Body)
	if c.Base64 {
		var err error
		if a.Body, err = base64.StdEncoding.DecodeString(c.Body); err != nil {
			return a, fmt.Errorf("read tape: %w", err)
		}
	}
	if call.Op == frame.OpSecretGet && a.Head.ErrorType == "" {
		a.Body = []byte(secretMark(call.Key))
	}
	for late := false; !late; {
		p.mu.Lock()
		mine, moved := c.Order <= p.turn, p.moved
		p.mu.Unlock()
		if mine {
			break
		}
		select {
		case <-moved:
		case <-time.After(outOfTurn):
			late = true
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
	a.Head.Elapsed = p.clock(a.Head.Elapsed)
	a.Sent = func() { p.next(c.Order) }
	return a, nil
}

// next says that the answer with that order is on its way to the script.
func (p *Player) next(order int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if order >= p.turn {
		p.turn = order + 1
		close(p.moved)
		p.moved = make(chan struct{})
	}
}
