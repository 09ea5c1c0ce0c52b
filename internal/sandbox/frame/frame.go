// Package frame is the language that the server and a sandbox child speak over their one socket: frames of a small fixed header, a head and a raw body.
// Payloads travel in the body, so that JSON is never wrapped in JSON. The heads of what every run and every call says are packed (pack.go); the others are
// JSON.
package frame

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Kind says what a frame is.
type Kind uint8

// The kinds of frames. The comment says who sends it, its head, and its body.
const (
	KindSetup    Kind = iota + 1 // server: Setup
	KindHello                    // child: Hello; it is ready
	KindRun                      // server: Run; data, code, source map
	KindNeed                     // child: no head; the program of the run has left its cache
	KindProgram                  // server: Program; code, source map
	KindCall                     // child: Call; the value, if the call has one
	KindReply                    // server: Reply; values, one after another
	KindLog                      // child: Log; the message and its values
	KindDone                     // child: Done; the value, or the body of the response
	KindCompile                  // server: Compile; the source
	KindCompiled                 // child: Compiled; code, source map
	KindWait                     // child: no head; the script waits for the call that was just sent, and for nothing else
	kindEnd
)

// HeaderSize is the length of a frame's header: kind (1 byte), id, length of the head, length of the body (4 bytes each, little endian).
const HeaderSize = 13

// Frame is one message. ID joins a Call and its Reply, and a Run and what the child says of it: Need, Log and Done. It is 0 elsewhere.
type Frame struct {
	Kind Kind
	ID   uint32
	Head []byte
	Body []byte
}

// What a Reader refuses.
var (
	ErrUnknownKind = errors.New("unknown kind of frame")
	ErrTooLarge    = errors.New("frame is too large")
)

// Append adds the wire form of f to dst.
func Append(dst []byte, f Frame) []byte {
	dst = append(slices.Grow(dst, HeaderSize+len(f.Head)+len(f.Body)), byte(f.Kind))
	dst = binary.LittleEndian.AppendUint32(dst, f.ID)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(f.Head)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(f.Body)))
	dst = append(dst, f.Head...)
	return append(dst, f.Body...)
}

// New makes a frame with a head; nil = none. The heads of this package can always be written.
func New(kind Kind, id uint32, head any, body []byte) Frame {
	f := Frame{Kind: kind, ID: id, Body: body}
	if packed, ok := head.(packer); ok {
		f.Head = packed.pack(make([]byte, 0, packedSize))
	} else if head != nil {
		f.Head = marshal(head)
	}
	return f
}

// marshal gives the JSON of a head or a part of one.
func marshal(head any) []byte {
	b, err := json.Marshal(head)
	if err != nil {
		panic(fmt.Sprintf("marshal %T: %v", head, err))
	}
	return b
}

// Reader reads frames and refuses what is larger than its bounds before it makes room for it.
type Reader struct {
	r io.Reader
	// MaxHead and MaxBody are the largest head and body taken, in bytes.
	MaxHead, MaxBody int
	header           [HeaderSize]byte
}

// NewReader reads frames from r.
func NewReader(r io.Reader, maxHead, maxBody int) *Reader {
	return &Reader{r: r, MaxHead: maxHead, MaxBody: maxBody}
}

// Next gives the next frame; its slices are its own. io.EOF at a clean end, io.ErrUnexpectedEOF within a frame, ErrUnknownKind, ErrTooLarge.
func (r *Reader) Next() (Frame, error) {
	if _, err := io.ReadFull(r.r, r.header[:]); err != nil {
		return Frame{}, err
	}
	f := Frame{Kind: Kind(r.header[0]), ID: binary.LittleEndian.Uint32(r.header[1:])}
	head, body := binary.LittleEndian.Uint32(r.header[5:]), binary.LittleEndian.Uint32(r.header[9:])
	if f.Kind == 0 || f.Kind >= kindEnd {
		return Frame{}, fmt.Errorf("%w: %d", ErrUnknownKind, f.Kind)
	}
	if int64(head) > int64(r.MaxHead) || int64(body) > int64(r.MaxBody) {
		return Frame{}, fmt.Errorf("%w: head of %d bytes (at most %d), body of %d (at most %d)", ErrTooLarge, head, r.MaxHead, body, r.MaxBody)
	}
	if head+body == 0 {
		return f, nil
	}
	buf := make([]byte, int(head)+int(body))
	if _, err := io.ReadFull(r.r, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	f.Head, f.Body = buf[:head:head], buf[head:]
	return f, nil
}

// Decode reads the head of f into v, a pointer to a head of this package.
func Decode(f Frame, v any) error {
	if packed, ok := v.(unpacker); ok {
		u := reader{rest: f.Head}
		packed.unpack(&u)
		if err := u.end(); err != nil {
			return fmt.Errorf("read head of frame kind %d: %w", f.Kind, err)
		}
		return nil
	}
	if err := json.Unmarshal(f.Head, v); err != nil {
		return fmt.Errorf("read head of frame kind %d: %w", f.Kind, err)
	}
	return nil
}

// Split cuts body into parts of the given sizes, which must add up to its length.
func Split(body []byte, sizes ...int) ([][]byte, error) {
	parts := make([][]byte, len(sizes))
	for i, n := range sizes {
		if n < 0 || n > len(body) {
			return nil, fmt.Errorf("split body: part %d of %d bytes is not there", i, n)
		}
		parts[i], body = body[:n:n], body[n:]
	}
	if len(body) != 0 {
		return nil, fmt.Errorf("split body: %d bytes too many", len(body))
	}
	return parts, nil
}
