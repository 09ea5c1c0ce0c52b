package api

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// The listener's limits. The time that a handler takes has none: synchronous calls wait as long as their scripts may run.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Patience is how long a listener waits for a caller that sends or takes slowly. Zero fields = one minute.
type Patience struct {
	Body   time.Duration // for a whole body, from the end of the headers on; also for one that no handler reads
	Answer time.Duration // for every 64 KiB of an answer
}

const defaultPatience = time.Minute

// NewHTTPServer makes the server of handler on addr. Nobody holds a connection of it by being slow: headers, bodies, answers and idle connections all have their time. It
// speaks HTTP/1.1 only: what is wrong with HTTP/2 servers is its proxy's to mend.
func NewHTTPServer(addr string, handler http.Handler, patience Patience) *http.Server {
	if patience.Body == 0 {
		patience.Body = defaultPatience
	}
	if patience.Answer == 0 {
		patience.Answer = defaultPatience
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Protocols: protocols,
		Addr:      addr, Handler: patience.limit(handler),
		ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
}

// limit sets the deadlines of a connection as its requests go on. It refuses CONNECT: this is no proxy.
func (p Patience) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection := http.NewResponseController(w)
		if r.Method == http.MethodConnect {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		_ = connection.SetWriteDeadline(time.Time{}) // that of the answer before; what has no deadlines (a recorder) does without
		if r.Body != nil && r.Body != http.NoBody {
			_ = connection.SetReadDeadline(time.Now().Add(p.Body))
			r.Body = &timedBody{r.Body, connection}
		}
		answer := &timedAnswer{w, connection, p.Answer}
		defer answer.extend() // what is buffered is sent when the handler has returned
		next.ServeHTTP(answer, r)
	})
}

// timedBody takes the read deadline away at its end: it would end the request's context. Before that it stays, whether a handler reads the body or not: net/http reads what is left
// of one, before it answers, for as long as the caller sends.
type timedBody struct {
	io.ReadCloser

	connection *http.ResponseController
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.connection.SetReadDeadline(time.Time{})
	}
	return n, err //nolint:wrapcheck // an io.Reader
}

// answerPart is what a caller gets Patience.Answer for.
const answerPart = 64 << 10

// timedAnswer sets the write deadline anew for every part.
type timedAnswer struct {
	http.ResponseWriter

	connection *http.ResponseController
	timeout    time.Duration
}

func (a *timedAnswer) extend() { _ = a.connection.SetWriteDeadline(time.Now().Add(a.timeout)) }

// Write implements http.ResponseWriter.
func (a *timedAnswer) Write(p []byte) (written int, err error) {
	for {
		a.extend()
		n, err := a.ResponseWriter.Write(p[:min(len(p), answerPart)])
		written, p = written+n, p[n:]
		if err != nil || len(p) == 0 {
			return written, err //nolint:wrapcheck // an io.Writer
		}
	}
}

// Flush implements http.Flusher.
func (a *timedAnswer) Flush() {
	a.extend()
	_ = a.connection.Flush() // the caller may be gone
}

// Unwrap is for http.ResponseController.
func (a *timedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
