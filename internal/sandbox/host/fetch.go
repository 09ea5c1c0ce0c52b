package host

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/egress"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// The bounds of one request, beside the payload limit for both bodies.
const (
	maxRedirects      = 5
	maxURL            = 8 << 10
	maxResponseHeader = 64 << 10
	handshakeTimeout  = 10 * time.Second
)

// FetchOptions make a Fetch.
type FetchOptions struct {
	Guard  *egress.Guard
	Limits picloud.Limits
	Run    picloud.Run // ExecutionID, FetchAllow, DryRun, FetchLive and the event's TraceParent matter
	// TLS trusts other authorities than the machine does; nil = the machine's.
	TLS *tls.Config
}

// Fetch serves the requests of one run. Its connections are the run's own: one that the guard let an app make serves no other.
type Fetch struct {
	FetchOptions
	rules     picloud.FetchRules
	transport *http.Transport
	count     int // calls so far; one goroutine makes them

	mu    sync.Mutex
	abort map[int]context.CancelFunc // by the script's number
}

// NewFetch begins the requests of one run.
func NewFetch(o FetchOptions) (*Fetch, error) {
	rules, err := picloud.ParseFetchRules(o.Run.FetchAllow)
	if err != nil {
		return nil, fmt.Errorf("read fetch_allow: %w", err)
	}
	return &Fetch{FetchOptions: o, rules: rules, abort: map[int]context.CancelFunc{}}, nil
}

// Register adds the operations to a table.
func (f *Fetch) Register(t Table) {
	t[frame.OpFetch] = f.fetch
	t[frame.OpAbort] = f.cancel
}

// Close closes the connections that are kept.
func (f *Fetch) Close() {
	if f.transport != nil {
		f.transport.CloseIdleConnections()
	}
}

// fetch takes one call. What is wrong with it is a TypeError for the script to catch, as is all that goes wrong on the way.
func (f *Fetch) fetch(call frame.Call, body []byte) (Answer, Later, error) {
	if call.Fetch == nil {
		return Throw("TypeError", "fetch takes a request"), nil, nil
	}
	if f.Run.DryRun && !f.Run.FetchLive {
		return Throw("TypeError", `fetch is refused in a dry run: nothing outside is touched, unless "fetch":"live" is asked for`), nil, nil
	}
	if f.count++; f.count > f.Limits.Fetches {
		return Answer{}, nil, fault.Fetches(f.Limits)
	}
	request, err := f.request(*call.Fetch, body)
	if err != nil {
		return Throw("TypeError", err.Error()), nil, nil
	}
	f.connect()
	number, redirect := call.Fetch.Number, call.Fetch.Redirect
	aborted, cancel := context.WithCancel(context.Background())
	f.mu.Lock()
	f.abort[number] = cancel
	f.mu.Unlock()
	return Answer{}, func(ctx context.Context) (Answer, error) {
		defer cancel()
		stop := context.AfterFunc(ctx, cancel)
		defer stop()
		answer, err := f.follow(request.WithContext(aborted), redirect)
		f.mu.Lock()
		delete(f.abort, number)
		f.mu.Unlock()
		if err != nil {
			if ctx.Err() != nil {
				return Answer{}, ctx.Err()
			}
			return Throw("TypeError", explain(request.URL, err)), nil
		}
		return answer, nil
	}, nil
}

// cancel ends a request that its script has given up.
func (f *Fetch) cancel(call frame.Call, _ []byte) (Answer, Later, error) {
	if call.Fetch != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		if cancel := f.abort[call.Fetch.Number]; cancel != nil {
			cancel()
		}
	}
	return Answer{}, nil, nil
}

// connect makes the run's transport when it is first needed.
func (f *Fetch) connect() {
	if f.transport != nil {
		return
	}
	f.transport = &http.Transport{
		Proxy:       nil, // a proxy of the environment would connect where the guard does not see it
		DialContext: f.Guard.Dialer(f.rules), TLSClientConfig: f.TLS, TLSHandshakeTimeout: handshakeTimeout, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: maxResponseHeader, MaxIdleConnsPerHost: 4,
	}
}

// request checks one request and makes it.
func (f *Fetch) request(c frame.Fetch, body []byte) (*http.Request, error) {
	if len(c.URL) > maxURL {
		return nil, fmt.Errorf("fetch: the URL has %d bytes: at most %d", len(c.URL), maxURL)
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("fetch: %q is no URL", c.URL[:min(len(c.URL), 200)])
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	if !isMethod(c.Method) {
		return nil, fmt.Errorf("fetch: method %q is refused", c.Method[:min(len(c.Method), 50)])
	}
	if len(body) > f.Limits.PayloadBytes {
		return nil, fmt.Errorf("fetch: the body has %d bytes, the payload limit is %d", len(body), f.Limits.PayloadBytes)
	}
	u.Fragment, u.RawFragment = "", ""
	header, err := f.header(c.Headers)
	if err != nil {
		return nil, err
	}
	r := &http.Request{Method: c.Method, URL: u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if c.HasBody {
		if c.Method == http.MethodGet || c.Method == http.MethodHead {
			return nil, fmt.Errorf("fetch: a %s request has no body", c.Method)
		}
		setBody(r, body)
	}
	return r, nil
}

func setBody(r *http.Request, body []byte) {
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	if len(body) == 0 {
		r.Body = http.NoBody
	}
}

// checkURL fails for a URL that no request is made to.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("fetch: scheme %q is refused: only http and https", u.Scheme)
	case u.Hostname() == "":
		return errors.New("fetch: the URL has no host")
	case u.User != nil:
		return errors.New("fetch: a URL with a user name or password is refused: set the header Authorization")
	}
	return nil
}

// isMethod reports whether s is a method that a script may use.
// Source: https://fetch.spec.whatwg.org/#methods
func isMethod(s string) bool {
	return isToken(s) && !slices.Contains([]string{http.MethodConnect, http.MethodTrace, "TRACK"}, strings.ToUpper(s))
}

// isToken reports whether s can be a method or the name of a header (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return false
		}
	}
	return s != ""
}

// connectionHeaders belong to the connection and to the server that makes it: what a script says of them is dropped, as fetch has it.
// Source: https://fetch.spec.whatwg.org/#forbidden-request-header
var connectionHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Via",
}

// header makes a request's headers: the script's own, and those that join the request to its execution.
func (f *Fetch) header(pairs [][2]string) (http.Header, error) {
	header, size := http.Header{}, 0
	for _, p := range pairs {
		name := http.CanonicalHeaderKey(p[0])
		if !isToken(p[0]) || strings.ContainsAny(p[1], "\x00\r\n") {
			return nil, fmt.Errorf("fetch: header %q is refused", p[0][:min(len(p[0]), 100)])
		}
		if size += len(p[0]) + len(p[1]); size > frame.MaxHeadersBytes || len(header) > frame.MaxHeaders {
			return nil, fmt.Errorf("fetch: the headers are more than %d, or more than %d bytes", frame.MaxHeaders, frame.MaxHeadersBytes)
		}
		if !slices.Contains(connectionHeaders, name) {
			header.Add(name, p[1])
		}
	}
	otherwise := func(name, value string) {
		if _, set := header[name]; !set && value != "" {
			header.Set(name, value)
		}
	}
	otherwise("User-Agent", "PiCloud")
	otherwise("Idempotency-Key", f.Run.ExecutionID+"-"+strconv.Itoa(f.count))
	otherwise("Traceparent", picloud.ExecutionTrace(f.Run.Event.TraceParent, f.Run.ExecutionID))
	return header, nil
}

// follow makes a request and those that its answers redirect to. Every hop passes the guard: it is in the dialer.
func (f *Fetch) follow(r *http.Request, mode string) (Answer, error) {
	first := r.URL
	for hop := 0; ; hop++ {
		response, err := f.transport.RoundTrip(r)
		if err != nil {
			return Answer{}, err
		}
		to, err := location(response)
		if err != nil || to == nil || mode == "manual" {
			if err == nil {
				return f.read(response, r.URL, hop > 0)
			}
			_ = response.Body.Close()
			return Answer{}, err
		}
		_ = response.Body.Close()
		if mode == "error" {
			return Answer{}, errors.New("it redirects, and redirect is \"error\"")
		}
		if hop == maxRedirects {
			return Answer{}, fmt.Errorf("it redirects more than %d times", maxRedirects)
		}
		if err := checkURL(to); err != nil {
			return Answer{}, err
		}
		r = redirected(r, response.StatusCode, to)
		if !sameOrigin(first, to) {
			first = &url.URL{} // no later hop gets them back
			for _, name := range []string{"Authorization", "Cookie"} {
				r.Header.Del(name)
			}
		}
	}
}

// location gives where an answer redirects to; nil when it does not.
func location(r *http.Response) (*url.URL, error) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	where := r.Header.Get("Location")
	if where == "" {
		return nil, nil
	}
	to, err := r.Request.URL.Parse(where)
	if err != nil || len(where) > maxURL {
		return nil, errors.New("it redirects to what is no URL")
	}
	to.Fragment, to.RawFragment = "", ""
	return to, nil
}

// redirected makes the next request after a redirection with a status.
// Source: https://fetch.spec.whatwg.org/#http-redirect-fetch
func redirected(r *http.Request, status int, to *url.URL) *http.Request {
	next := r.Clone(r.Context())
	next.URL, next.Host, next.Response = to, to.Host, nil
	becomesGet := status == http.StatusSeeOther && r.Method != http.MethodHead && r.Method != http.MethodGet ||
		(status == http.StatusMovedPermanently || status == http.StatusFound) && r.Method == http.MethodPost
	switch {
	case becomesGet:
		next.Method, next.Body, next.GetBody, next.ContentLength = http.MethodGet, nil, nil, 0
		for _, name := range []string{"Content-Encoding", "Content-Language", "Content-Location", "Content-Type"} {
			next.Header.Del(name)
		}
	case r.GetBody != nil:
		next.Body, _ = r.GetBody()
	}
	return next
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && hostPort(a) == hostPort(b) }

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// read takes an answer in, within the payload limit.
func (f *Fetch) read(r *http.Response, from *url.URL, redirected bool) (Answer, error) {
	defer r.Body.Close() //nolint:errcheck // all that is wanted has been read
	if r.StatusCode < http.StatusOK || r.StatusCode > 599 {
		return Answer{}, fmt.Errorf("its response has the status %d", r.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(f.Limits.PayloadBytes)+1))
	if err != nil {
		return Answer{}, err
	}
	if len(body) > f.Limits.PayloadBytes {
		return Answer{}, fmt.Errorf("its response has more bytes than the payload limit of %d", f.Limits.PayloadBytes)
	}
	head := &frame.Fetched{Status: r.StatusCode, URL: from.String(), Redirected: redirected}
	_, head.StatusText, _ = strings.Cut(r.Status, " ")
	for name, values := range r.Header {
		for _, v := range values {
			head.Headers = append(head.Headers, [2]string{strings.ToLower(name), v})
		}
	}
	slices.SortStableFunc(head.Headers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return Answer{Head: frame.Reply{Fetched: head}, Body: body}, nil
}

// explain says in one line what went wrong with a request, without what the standard library puts around it.
func explain(u *url.URL, err error) string {
	if refused, ok := errors.AsType[*egress.RefusedError](err); ok {
		return refused.Error()
	}
	where := "fetch to " + u.Scheme + "://" + u.Host + " failed: "
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return where + "the name does not resolve: " + dns.Err
	case errors.Is(err, context.Canceled):
		return where + "aborted"
	case errors.Is(err, context.DeadlineExceeded):
		return where + "no connection in time"
	case errors.As(err, &op):
		return where + op.Op + ": " + op.Err.Error()
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return where + text
}
