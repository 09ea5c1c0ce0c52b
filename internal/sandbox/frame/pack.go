package frame

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/picloud/picloud/internal/picloud"
)

// Packed heads are their fields in the order below: numbers as zigzag varints, texts with their length ahead, yes and no as a byte, lists with their number
// of items ahead. What is rare stands in them as JSON. Both ends are of one binary: there are no versions.

// packedSize is what most heads fit into, in bytes.
const packedSize = 96

type (
	packer   interface{ pack(dst []byte) []byte }
	unpacker interface{ unpack(r *reader) }
)

var errPacked = errors.New("malformed head")

// writer packs.
type writer []byte

func (w *writer) number(n int64) { *w = binary.AppendVarint(*w, n) }

func (w *writer) text(s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	*w = binary.AppendUvarint(*w, uint64(len(s)))
	*w = append(*w, s...)
}

func (w *writer) bytes(b []byte) {
	*w = binary.AppendUvarint(*w, uint64(len(b)))
	*w = append(*w, b...)
}

func (w *writer) yes(b bool) {
	if b {
		*w = append(*w, 1)
	} else {
		*w = append(*w, 0)
	}
}

// part packs what is rare, as JSON.
func (w *writer) part(there bool, v any) {
	if !there {
		w.bytes(nil)
		return
	}
	w.bytes(marshal(v))
}

// reader unpacks rest. After an error it gives zeros; end has it.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errPacked
	}
	r.rest = nil
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) int() int {
	n := r.number()
	if n < math.MinInt || n > math.MaxInt {
		r.fail()
		return 0
	}
	return int(n)
}

// bytes gives bytes as a part of the head.
func (r *reader) bytes() []byte {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.fail()
		return nil
	}
	b := r.rest[size : size+int(n) : size+int(n)]
	r.rest = r.rest[size+int(n):]
	return b
}

// text refuses what is no UTF-8.
func (r *reader) text() string {
	b := r.bytes()
	if !utf8.Valid(b) {
		r.fail()
		return ""
	}
	return string(b)
}

func (r *reader) yes() bool {
	if len(r.rest) == 0 || r.rest[0] > 1 {
		r.fail()
		return false
	}
	b := r.rest[0] == 1
	r.rest = r.rest[1:]
	return b
}

// part reads what is JSON into v, and reports whether it is there.
func (r *reader) part(v any) bool {
	b := r.bytes()
	if len(b) == 0 {
		return false
	}
	if err := json.Unmarshal(b, v); err != nil {
		r.fail()
		r.err = err
		return false
	}
	return true
}

// end gives what was wrong.
func (r *reader) end() error {
	if len(r.rest) > 0 {
		r.fail()
	}
	return r.err
}

func (h Run) pack(dst []byte) []byte {
	w := writer(dst)
	w.text(h.ExecutionID)
	w.text(h.App)
	w.text(h.Script)
	w.number(int64(h.Version))
	w.number(int64(h.Attempt))
	w.yes(h.DryRun)
	w.yes(h.Taped)
	w.number(int64(h.Depth))
	w.text(h.RootID)
	w.text(h.ParentID)
	w.number(h.Time.UnixNano())
	w.number(h.Seed)
	l := h.Limits
	w.number(int64(l.Wall))
	w.number(int64(l.CPU))
	for _, n := range [...]int{l.MemoryMB, l.CallDepth, l.PayloadBytes, l.LogBytes, l.HostCalls, l.Fetches, l.Effects} {
		w.number(int64(n))
	}
	w.bytes(h.Event)
	w.number(int64(h.DataSize))
	return h.Program.pack(w)
}

func (h *Run) unpack(r *reader) {
	h.ExecutionID, h.App, h.Script, h.Version, h.Attempt = r.text(), r.text(), r.text(), r.int(), r.int()
	h.DryRun, h.Taped, h.Depth, h.RootID, h.ParentID = r.yes(), r.yes(), r.int(), r.text(), r.text()
	h.Time, h.Seed = time.Unix(0, r.number()).UTC(), r.number()
	h.Limits = picloud.Limits{Wall: time.Duration(r.number()), CPU: time.Duration(r.number())}
	l := &h.Limits
	for _, n := range [...]*int{&l.MemoryMB, &l.CallDepth, &l.PayloadBytes, &l.LogBytes, &l.HostCalls, &l.Fetches, &l.Effects} {
		*n = r.int()
	}
	h.Event, h.DataSize = r.bytes(), r.int()
	h.Program.unpack(r)
}

func (h Program) pack(dst []byte) []byte {
	w := writer(dst)
	w.text(h.SHA256)
	w.number(int64(h.CodeSize))
	w.number(int64(h.MapSize))
	return w
}

func (h *Program) unpack(r *reader) { h.SHA256, h.CodeSize, h.MapSize = r.text(), r.int(), r.int() }

func (h Call) pack(dst []byte) []byte {
	w := writer(dst)
	w.text(h.Op)
	w.part(h.Fetch != nil, h.Fetch)
	for _, s := range [...]string{h.Collection, h.Key, h.Prefix, h.Cursor, h.To, h.Order} {
		w.text(s)
	}
	w.number(int64(h.Limit))
	w.number(h.DelayMS)
	w.number(int64(h.Priority))
	return w
}

func (h *Call) unpack(r *reader) {
	h.Op = r.text()
	var fetch Fetch
	if r.part(&fetch) {
		h.Fetch = &fetch
	}
	for _, s := range [...]*string{&h.Collection, &h.Key, &h.Prefix, &h.Cursor, &h.To, &h.Order} {
		*s = r.text()
	}
	h.Limit, h.DelayMS, h.Priority = r.int(), r.number(), r.int()
}

func (h Reply) pack(dst []byte) []byte {
	w := writer(dst)
	w.number(h.Elapsed)
	w.part(h.Fetched != nil, h.Fetched)
	w.text(h.ErrorType)
	w.text(h.Error)
	w.yes(h.Found)
	w.number(int64(len(h.Items)))
	for _, e := range h.Items {
		w.text(e.Key)
		w.number(e.Version)
		w.number(int64(e.Size))
	}
	w.text(h.Next)
	return w
}

func (h *Reply) unpack(r *reader) {
	h.Elapsed = r.number()
	var fetched Fetched
	if r.part(&fetched) {
		h.Fetched = &fetched
	}
	h.ErrorType, h.Error, h.Found = r.text(), r.text(), r.yes()
	for n := r.number(); n > 0 && r.err == nil; n-- {
		h.Items = append(h.Items, Entry{Key: r.text(), Version: r.number(), Size: r.int()})
	}
	h.Next = r.text()
}

func (h Log) pack(dst []byte) []byte {
	w := writer(dst)
	w.number(h.Time)
	w.text(h.Level)
	w.number(int64(h.Values))
	w.yes(h.Cut)
	return w
}

func (h *Log) unpack(r *reader) {
	h.Time, h.Level, h.Values, h.Cut = r.number(), r.text(), r.int(), r.yes()
}

func (h Done) pack(dst []byte) []byte {
	w := writer(dst)
	w.part(h.Failure != nil, h.Failure)
	w.yes(h.Response)
	w.number(int64(h.Status))
	w.part(len(h.Headers) > 0, h.Headers)
	w.number(int64(h.CPU))
	return w
}

func (h *Done) unpack(r *reader) {
	var failure picloud.ScriptError
	if r.part(&failure) {
		h.Failure = &failure
	}
	h.Response, h.Status = r.yes(), r.int()
	r.part(&h.Headers)
	h.CPU = time.Duration(r.number())
}
