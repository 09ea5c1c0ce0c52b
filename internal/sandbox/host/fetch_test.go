package host_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/egress"
	"github.com/picloud/picloud/internal/sandbox/frame"
	"github.com/picloud/picloud/internal/sandbox/host"
)

// exec is the execution whose run makes the requests.
const exec = "019ab2c4-6f11-7000-9aaa-bbbbccccdddd"

// web is a little Internet: names that stand for addresses, and one server behind all of them.
type web struct {
	t       *testing.T
	server  *httptest.Server
	address string // of the one server
	guard   egress.Guard
	options host.FetchOptions

	mu     sync.Mutex
	names  map[string][]string // addresses by name; of several resolutions one after another, the last stays
	dialed []string
}

// newWeb serves h for public.example (1.1.1.1) and other.example (1.0.0.1).
func newWeb(t *testing.T, h http.HandlerFunc) *web {
	t.Helper()
	w := &web{t: t, server: httptest.NewServer(h), names: map[string][]string{"public.example": {"1.1.1.1"}, "other.example": {"1.0.0.1"}, "intern.example": {"10.0.0.5"}}}
	t.Cleanup(w.server.Close)
	w.address = w.server.Listener.Addr().String()
	w.guard = egress.Guard{Resolve: w.resolve, Connect: w.connect}
	limits := picloud.DefaultLimits
	limits.PayloadBytes = 1000
	w.options = host.FetchOptions{
		Guard: &w.guard, Limits: limits,
		Run: picloud.Run{ExecutionID: exec, Event: picloud.Event{TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
	}
	return w
}

func (w *web) resolve(_ context.Context, name string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	addrs := w.names[name]
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if len(addrs) > 1 {
		w.names[name] = addrs[1:]
	}
	return []netip.Addr{netip.MustParseAddr(addrs[0])}, nil
}

// connect notes where a connection goes, and makes it to the one server.
func (w *web) connect(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, addr.String())
	w.mu.Unlock()
	var d net.Dialer
	return d.DialContext(ctx, "tcp", w.address)
}

func (w *web) table() host.Table {
	f, err := host.NewFetch(w.options)
	require.NoError(w.t, err)
	w.t.Cleanup(f.Close)
	t := host.Table{}
	f.Register(t)
	return t
}

// fetch makes one request, alone in its run.
func (w *web) fetch(r frame.Fetch, body string) host.Answer {
	w.t.Helper()
	return fetchIn(w.t, w.table(), r, body)
}

func fetchIn(t *testing.T, table host.Table, r frame.Fetch, body string) host.Answer {
	t.Helper()
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	r.HasBody = body != ""
	a, later, err := table[frame.OpFetch](frame.Call{Op: frame.OpFetch, Fetch: &r}, []byte(body))
	require.NoError(t, err)
	if later != nil {
		a, err = later(t.Context())
		require.NoError(t, err)
	}
	if a.Head.Fetched == nil {
		require.Equal(t, "TypeError", a.Head.ErrorType)
	}
	return a
}

func TestFetch(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rw.Header().Set("X-Echo", r.Method+" "+r.Host+" "+r.URL.Path+" "+string(body))
		rw.Header().Add("Set-Cookie", "a=1")
		rw.Header().Add("Set-Cookie", "b=2")
		rw.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(rw, "tea")
	})
	a := w.fetch(frame.Fetch{URL: "http://public.example:81/a#fragment", Method: "POST"}, "hello")
	require.Equal(t, "tea", string(a.Body))
	f := a.Head.Fetched
	require.Equal(t, 418, f.Status)
	require.Equal(t, "I'm a teapot", f.StatusText)
	require.Equal(t, "http://public.example:81/a", f.URL)
	require.False(t, f.Redirected)
	require.Contains(t, f.Headers, [2]string{"x-echo", "POST public.example:81 /a hello"})
	require.Contains(t, f.Headers, [2]string{"set-cookie", "b=2"})
	require.Equal(t, []string{"1.1.1.1:81"}, w.dialed)
}

func TestFetchHeaders(t *testing.T) {
	t.Parallel()
	var got []http.Header
	w := newWeb(t, func(_ http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Host", r.Host)
		got = append(got, r.Header)
	})
	table := w.table()
	fetchIn(t, table, frame.Fetch{URL: "http://public.example/"}, "")
	fetchIn(t, table, frame.Fetch{URL: "http://public.example/", Headers: [][2]string{
		{"host", "intern.example"}, {"connection", "upgrade"}, {"transfer-encoding", "chunked"}, {"proxy-authorization", "x"}, {"te", "trailers"}, {"content-length", "7"},
		{"accept-encoding", "br"}, {"idempotency-key", "mine"}, {"user-agent", "me"}, {"traceparent", "trace"}, {"cookie", "a=1"}, {"x-a", "1"}, {"x-a", "2"},
	}}, "")
	fetchIn(t, table, frame.Fetch{URL: "http://public.example/"}, "")
	require.Len(t, got, 3)
	require.Equal(t, exec+"-1", got[0].Get("Idempotency-Key"))
	require.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-9aaabbbbccccdddd-01", got[0].Get("Traceparent"), "the event's trace, the execution's span")
	require.Equal(t, "PiCloud", got[0].Get("User-Agent"))
	require.Equal(t, exec+"-3", got[2].Get("Idempotency-Key"), "the counter counts calls: a repeated run gives each the same key")
	for name, want := range map[string]string{
		"X-Host": "public.example", "Connection": "", "Te": "", "Proxy-Authorization": "", "Content-Length": "", "Accept-Encoding": "gzip",
		"Idempotency-Key": "mine", "User-Agent": "me", "Traceparent": "trace", "Cookie": "a=1", "X-A": "1",
	} {
		require.Equal(t, want, got[1].Get(name), name)
	}
	require.Equal(t, []string{"1", "2"}, got[1].Values("X-A"))
}

func TestFetchRefusesEveryClass(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(http.ResponseWriter, *http.Request) { t.Error("a request went through") })
	for addr, class := range map[string]string{
		"127.0.0.1": "loopback", "[::1]": "loopback", "0.0.0.0": "unspecified", "[::]": "unspecified", "10.0.0.5": "private", "172.16.0.1": "private", "192.168.0.1": "private",
		"100.64.0.1": "private", "169.254.1.1": "link-local", "169.254.169.254": "metadata", "[fd00:ec2::254]": "metadata", "[fc00::1]": "private", "[fe80::1]": "link-local",
		"224.0.0.1": "multicast", "[ff02::1]": "multicast", "255.255.255.255": "broadcast", "198.18.0.1": "benchmark", "192.0.2.1": "documentation", "[::ffff:127.0.0.1]": "loopback",
		"[::ffff:10.0.0.5]": "private", "[64:ff9b::7f00:1]": "translated", "[2002:7f00:1::]": "translated", "[2001::1]": "translated", "240.0.0.1": "reserved",
	} {
		a := w.fetch(frame.Fetch{URL: "http://" + addr + "/"}, "")
		require.Contains(t, a.Head.Error, class+" address; PICLOUD_FETCH_ALLOW_PRIVATE", addr)
		require.Contains(t, a.Head.Error, "refused: ", addr)
	}
	a := w.fetch(frame.Fetch{URL: "https://intern.example/"}, "")
	require.Equal(t, "fetch to intern.example (10.0.0.5) refused: private address; PICLOUD_FETCH_ALLOW_PRIVATE or PICLOUD_FETCH_ALLOW opens it", a.Head.Error)
	require.Empty(t, w.dialed)
}

func TestFetchAgainstRebinding(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Connection", "close") })
	w.names["rebind.example"] = []string{"1.1.1.1", "127.0.0.1"}
	table := w.table()
	require.NotNil(t, fetchIn(t, table, frame.Fetch{URL: "http://rebind.example/"}, "").Head.Fetched)
	require.Contains(t, fetchIn(t, table, frame.Fetch{URL: "http://rebind.example/"}, "").Head.Error, "rebind.example (127.0.0.1) refused: loopback address")
	require.Equal(t, []string{"1.1.1.1:80"}, w.dialed, "what was resolved for the dial is what is judged")
}

func TestFetchAllowLists(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(http.ResponseWriter, *http.Request) {})
	w.guard.Allow = picloud.FetchRules{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}
	require.NotNil(t, w.fetch(frame.Fetch{URL: "http://intern.example/"}, "").Head.Fetched)
	w.options.Run.FetchAllow = []string{"*.example:80", "192.168.0.0/16"}
	require.NotNil(t, w.fetch(frame.Fetch{URL: "http://public.example/"}, "").Head.Fetched)
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example:81/"}, "").Head.Error, "not in the app's fetch_allow list")
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://1.1.1.1/"}, "").Head.Error, "fetch to 1.1.1.1 refused: it is not in the app's fetch_allow list")
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://192.168.0.1/"}, "").Head.Error, "private address")
	w.guard.AllowPrivate = true
	require.NotNil(t, w.fetch(frame.Fetch{URL: "http://192.168.0.1/"}, "").Head.Fetched)
}

func TestFetchRedirects(t *testing.T) {
	t.Parallel()
	type hop struct{ method, body, authorization, contentType, key string }
	var hops []hop
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		hops = append(hops, hop{r.Method, string(body), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key")})
		if to := r.URL.Query().Get("to"); to != "" {
			rw.Header().Set("Location", to)
			status := map[string]int{"/301": 301, "/302": 302, "/303": 303, "/307": 307, "/308": 308}[r.URL.Path]
			rw.WriteHeader(status)
		}
	})
	from := func(method, path, to string) (host.Answer, []hop) {
		hops = nil
		body := "b"
		if method == "GET" || method == "HEAD" {
			body = ""
		}
		a := w.fetch(frame.Fetch{Method: method, URL: "http://public.example" + path + "?to=" + to, Headers: [][2]string{{"authorization", "secret"}, {"content-type", "text/x"}}}, body)
		return a, hops
	}
	full := hop{"POST", "b", "secret", "text/x", exec + "-1"}
	for path, want := range map[string]hop{
		"/301": {"GET", "", "secret", "", exec + "-1"}, "/302": {"GET", "", "secret", "", exec + "-1"}, "/303": {"GET", "", "secret", "", exec + "-1"}, "/307": full, "/308": full,
	} {
		a, seen := from("POST", path, "/end")
		require.Equal(t, []hop{full, want}, seen, path)
		require.True(t, a.Head.Fetched.Redirected)
		require.Equal(t, "http://public.example/end", a.Head.Fetched.URL)
	}
	_, seen := from("PUT", "/302", "/end")
	require.Equal(t, "PUT", seen[1].method)
	_, seen = from("HEAD", "/303", "/end")
	require.Equal(t, "HEAD", seen[1].method)
	_, seen = from("GET", "/302", "http://other.example/302?to=http://public.example/end")
	require.Len(t, seen, 3)
	require.Equal(t, []string{"secret", "", ""}, []string{seen[0].authorization, seen[1].authorization, seen[2].authorization}, "what is dropped does not come back")
	_, seen = from("GET", "/302", "http://public.example:8080/")
	require.Empty(t, seen[1].authorization, "another port is another origin")

	for to, why := range map[string]string{
		"http://10.0.0.5/": "fetch to 10.0.0.5 refused: private address", "http://intern.example/": "intern.example (10.0.0.5) refused", "http://[::ffff:7f00:1]/": "loopback",
		"http://169.254.169.254/latest": "metadata", "file:///etc/passwd": "scheme", "http://u:p@other.example/": "user name", "gopher://x/": "scheme", "http://": "no host",
	} {
		a, seen := from("GET", "/302", to)
		require.Contains(t, a.Head.Error, why, to)
		require.Len(t, seen, 1)
	}
	require.NotNil(t, w.fetch(frame.Fetch{URL: "http://public.example/302?to=%3Fto=x"}, "").Head.Fetched, "a relative address")

	w = newWeb(t, http.RedirectHandler("/again", http.StatusFound).ServeHTTP)
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/"}, "").Head.Error, "more than 5 times")
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/", Redirect: "error"}, "").Head.Error, "redirect")
	require.Equal(t, 302, w.fetch(frame.Fetch{URL: "http://public.example/", Redirect: "manual"}, "").Head.Fetched.Status)
}

func TestFetchSizes(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
		var out io.Writer = rw
		if r.URL.Path == "/bomb" {
			rw.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(rw)
			defer z.Close() //nolint:errcheck // the client has gone
			out = z
		}
		n := 1001
		if r.URL.Path == "/fits" {
			n = 1000
		}
		_, _ = out.Write(bytes.Repeat([]byte("x"), n))
	})
	require.Len(t, w.fetch(frame.Fetch{URL: "http://public.example/fits"}, "").Body, 1000)
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/large"}, "").Head.Error, "payload limit of 1000")
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/bomb"}, "").Head.Error, "payload limit of 1000")
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/", Method: "POST"}, strings.Repeat("x", 1001)).Head.Error, "payload limit is 1000")
}

func TestFetchesOverlapAndAbort(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	all.Add(3)
	w := newWeb(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			all.Done()
			<-r.Context().Done()
			return
		}
		all.Done()
		all.Wait() // for each other, and for the one that hangs
	})
	table := w.table()
	answers := make(chan host.Answer, 3)
	for i, path := range []string{"/a", "/b", "/hang"} {
		_, later, err := table[frame.OpFetch](frame.Call{Fetch: &frame.Fetch{Number: i + 1, Method: "GET", URL: "http://public.example" + path}}, nil)
		require.NoError(t, err)
		go func() {
			a, err := later(t.Context())
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
	}
	require.Equal(t, 200, (<-answers).Head.Fetched.Status)
	require.Equal(t, 200, (<-answers).Head.Fetched.Status)
	for _, n := range []int{99, 3, 3} {
		_, _, err := table[frame.OpAbort](frame.Call{Fetch: &frame.Fetch{Number: n}}, nil)
		require.NoError(t, err)
	}
	require.Contains(t, (<-answers).Head.Error, "aborted")
}

func TestFetchEndsWithItsRun(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	w := newWeb(t, func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	_, later, err := w.table()[frame.OpFetch](frame.Call{Fetch: &frame.Fetch{Method: "GET", URL: "http://public.example/"}}, nil)
	require.NoError(t, err)
	go func() {
		<-reached
		cancel()
	}()
	_, err = later(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestFetchRefusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(http.ResponseWriter, *http.Request) { t.Error("a request went through") })
	for name, c := range map[string]struct {
		r    frame.Fetch
		body string
		why  string
	}{
		"scheme": {frame.Fetch{URL: "ftp://public.example/"}, "", "only http and https"}, "no scheme": {frame.Fetch{URL: "public.example"}, "", "scheme"},
		"no host": {frame.Fetch{URL: "http:///x"}, "", "no host"}, "user": {frame.Fetch{URL: "http://a:b@public.example/"}, "", "Authorization"},
		"broken": {frame.Fetch{URL: "http://[::1"}, "", "no URL"}, "long": {frame.Fetch{URL: "http://public.example/" + strings.Repeat("x", 9000)}, "", "at most"},
		"connect": {frame.Fetch{URL: "http://public.example", Method: "CONNECT"}, "", "method"}, "trace": {frame.Fetch{URL: "http://public.example", Method: "trace"}, "", "method"},
		"method": {frame.Fetch{URL: "http://public.example", Method: "A B"}, "", "method"}, "header name": {frame.Fetch{URL: "http://public.example", Headers: [][2]string{{"a b", ""}}}, "", "header"},
		"smuggled": {frame.Fetch{URL: "http://public.example", Headers: [][2]string{{"a", "b\r\nc: d"}}}, "", "header"},
		"headers":  {frame.Fetch{URL: "http://public.example", Headers: [][2]string{{"a", strings.Repeat("x", 40000)}}}, "", "bytes"},
		"get body": {frame.Fetch{URL: "http://public.example"}, "x", "no body"}, "name": {frame.Fetch{URL: "http://none.example/"}, "", "does not resolve: no such host"},
	} {
		require.Contains(t, w.fetch(c.r, c.body).Head.Error, c.why, name)
	}
	a, _, err := w.table()[frame.OpFetch](frame.Call{}, nil)
	require.NoError(t, err)
	require.Equal(t, "TypeError", a.Head.ErrorType)
	w.options.Run.DryRun = true
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/"}, "").Head.Error, "dry run")
	w.options.Run.FetchAllow = []string{"http://no"}
	_, err = host.NewFetch(w.options)
	require.Error(t, err)
}

func TestFetchFailuresAreWords(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/reset":
			conn, _, _ := rw.(http.Hijacker).Hijack()
			_ = conn.Close()
		case "/odd":
			rw.WriteHeader(999)
		case "/half":
			rw.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(rw, "half")
		}
	})
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/reset"}, "").Head.Error, "fetch to http://public.example failed: ")
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/odd"}, "").Head.Error, "status 999")
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/half"}, "").Head.Error, "unexpected EOF")
	w.guard.Connect = func(context.Context, netip.AddrPort) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	require.Equal(t, "fetch to http://public.example failed: dial: connection refused", w.fetch(frame.Fetch{URL: "http://public.example/"}, "").Head.Error)
	w.guard.Connect = func(context.Context, netip.AddrPort) (net.Conn, error) { return nil, context.DeadlineExceeded }
	require.Contains(t, w.fetch(frame.Fetch{URL: "http://public.example/"}, "").Head.Error, "no connection in time")
}

func TestFetchSpeaksTLS(t *testing.T) {
	t.Parallel()
	w := newWeb(t, nil)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(rw, r.Proto) }))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	w.address = secure.Listener.Addr().String()
	w.names["example.com"] = []string{"1.1.1.1"} // the name on the test server's certificate
	require.Contains(t, w.fetch(frame.Fetch{URL: "https://example.com/"}, "").Head.Error, "certificate")
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	w.options.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	require.Equal(t, "HTTP/2.0", string(w.fetch(frame.Fetch{URL: "https://example.com/"}, "").Body))
	require.Contains(t, w.fetch(frame.Fetch{URL: "https://public.example/"}, "").Head.Error, "certificate")
}

func TestFetchesAreCounted(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(http.ResponseWriter, *http.Request) {})
	w.options.Limits.Fetches = 3
	table := w.table()
	call := frame.Call{Fetch: &frame.Fetch{URL: "x:"}}
	for range 3 {
		_, _, err := table[frame.OpFetch](call, nil)
		require.NoError(t, err)
	}
	_, _, err := table[frame.OpFetch](call, nil)
	require.EqualError(t, err, "FetchLimitExceeded: the run fetches more often than its limit of 3")
}
