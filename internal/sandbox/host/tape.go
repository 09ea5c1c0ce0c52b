package host

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// Recorder keeps, in memory, what a run gets for its calls. A run that succeeds pays for a slice of references; only the tape of one that fails is written.
type Recorder struct {
	since func() time.Duration // the run's start

	mu        sync.Mutex
	calls     []*recorded
	left      int // bytes
	order     int
	truncated bool
}

// recorded is one call; the answer is set once it is there.
type recorded struct {
	call     frame.Call
	body     []byte
	answered bool
	order    int
	answer   Answer
}

// NewRecorder begins the tape of a run; since gives the time since its start.
func NewRecorder(since func() time.Duration) *Recorder {
	return &Recorder{since: since, left: picloud.MaxTapeBytes}
}

// Wrap puts the recorder before every operation of a table.
func (r *Recorder) Wrap(t Table) {
	for op, serve := range t {
		t[op] = func(call frame.Call, body []byte) (Answer, Later, error) {
			answer, later, err := serve(call, body)
			if err != nil {
				return answer, later, err
			}
			c := r.asked(call, body)
			if later == nil {
				return r.answered(c, answer, false), nil, nil
			}
			return Answer{}, func(ctx context.Context) (Answer, error) {
				answer, err := later(ctx)
				if err != nil {
					return answer, err
				}
				return r.answered(c, answer, true), nil
			}, nil
		}
	}
}

// asked notes a call; nil when the tape is full.
func (r *Recorder) asked(call frame.Call, body []byte) *recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left -= callCost + len(body); r.left < 0 {
		r.truncated = true
	}
	if r.truncated {
		return nil
	}
	c := &recorded{call: call, body: body}
	r.calls = append(r.calls, c)
	return c
}

// callCost is what a call costs of the tape beside its texts, in bytes.
const callCost = 128

// answered notes an answer, and the time that the script gets with it.
func (r *Recorder) answered(c *recorded, a Answer, outside bool) Answer {
	a.Head.Elapsed = max(r.since().Microseconds(), 1)
	if c == nil {
		return a
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if outside {
		if r.left -= len(a.Body); r.left < 0 {
			r.truncated = true
			r.calls = slices.DeleteFunc(r.calls, func(other *recorded) bool { return other == c })
			return a
		}
		r.order++
		c.order = r.order
	}
	c.answered, c.answer = true, a
	return a
}

// Tape writes the tape, without what hidden hides.
func (r *Recorder) Tape(hidden *picloud.Redactor) *picloud.Tape {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &picloud.Tape{Calls: make([]picloud.TapeCall, len(r.calls)), Secrets: []string{}, Truncated: r.truncated}
	secrets := map[string]bool{}
	for i, c := range r.calls {
		t.Calls[i] = picloud.TapeCall{What: what(c.call, c.body, hidden)}
		if c.call.Op == frame.OpSecretGet {
			secrets[c.call.Key] = true
			c.answer.Body = nil
		}
		if c.answered {
			t.Calls[i].At, t.Calls[i].Order = c.answer.Head.Elapsed, c.order
			if c.order > 0 {
				c.answer.write(&t.Calls[i], hidden)
			}
		}
	}
	t.Secrets = append(t.Secrets, slices.Sorted(maps.Keys(secrets))...)
	return t
}

// write puts an answer from the outside on the tape.
func (a Answer) write(c *picloud.TapeCall, hidden *picloud.Redactor) {
	body := hideBody(a.Body, hidden)
	if len(a.Head.Items) > 0 { // the values of a list, one after another: each is as long as its item says
		items := slices.Clone(a.Head.Items)
		body = nil
		rest := a.Body
		for i, item := range items {
			value := hideBody(rest[:item.Size], hidden)
			rest, items[i].Size = rest[item.Size:], len(value)
			body = append(body, value...)
		}
		a.Head.Items = items
	}
	head, err := json.Marshal(a.Head)
	if err != nil { // the heads of package frame can always be written
		return
	}
	c.Answer, c.Body = hidden.JSON(head), string(body)
	if !utf8.Valid(body) {
		c.Body, c.Base64 = base64.StdEncoding.EncodeToString(body), true
	}
}

func hideBody(body []byte, hidden *picloud.Redactor) []byte {
	switch {
	case hidden == nil || !utf8.Valid(body):
		return body
	case json.Valid(body):
		return hidden.JSON(body)
	}
	return []byte(hidden.Text(string(body)))
}

// what names a call, for people and for finding it again.
func what(call frame.Call, body []byte, hidden *picloud.Redactor) string {
	s := call.Op
	switch call.Op {
	case frame.OpKVGet, frame.OpKVSet, frame.OpKVDelete:
		s += " " + call.Collection + "/" + call.Key
	case frame.OpKVList:
		s += fmt.Sprintf(" %s/%s* after %q, %d", call.Collection, call.Prefix, call.Cursor, call.Limit)
	case frame.OpSecretGet:
		s += " " + call.Key
	case frame.OpFetch:
		if f := call.Fetch; f != nil {
			s += " " + f.Method + " " + f.URL
			if f.HasBody {
				sum := sha256.Sum256(hideBody(body, hidden))
				s += " with body " + hex.EncodeToString(sum[:4])
			}
		}
	default:
		if call.To != "" {
			s += " " + call.To
		}
	}
	return hidden.Text(s)
}
