package mail

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picloud/picloud/internal/ratelimit"
)

// guard is a listener that bounds the connections, in all and from one address, and in time, and can end them politely.
type guard struct {
	net.Listener

	timeout  time.Duration // of a whole connection
	stopping atomic.Bool

	mu    sync.Mutex
	conns map[*guarded]struct{}
	byIP  map[string]int
}

func newGuard(l net.Listener, timeout time.Duration) *guard {
	return &guard{Listener: l, timeout: timeout, conns: map[*guarded]struct{}{}, byIP: map[string]int{}}
}

// Accept implements net.Listener. Who is one too many hears so.
func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // the library asks what kind of error it is
		}
		if held := g.admit(c); held != nil {
			return held, nil
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write([]byte("421 4.7.0 too many connections: try again later\r\n"))
		_ = c.Close()
	}
}

func (g *guard) admit(c net.Conn) *guarded {
	ip := network(addressOf(c))
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns) >= maxConnections || g.byIP[ip] >= maxConnectionsPerIP {
		return nil
	}
	held := &guarded{Conn: c, guard: g, ip: ip, until: time.Now().Add(g.timeout)}
	g.conns[held] = struct{}{}
	g.byIP[ip]++
	return held
}

// stop ends the waiting of all connections for their clients: each is told 421 when it would read on, after the answer that it is making.
func (g *guard) stop() {
	g.stopping.Store(true)
	_ = g.Listener.Close() //nolint:staticcheck // the listener's own Close, by itself: the library does not know it until it serves
	for _, c := range g.all() {
		_ = c.SetReadDeadline(time.Time{})
	}
}

// closeAll closes what is still open.
func (g *guard) closeAll() {
	for _, c := range g.all() {
		_ = c.Close()
	}
}

func (g *guard) all() []*guarded {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]*guarded, 0, len(g.conns))
	for c := range g.conns {
		out = append(out, c)
	}
	return out
}

// guarded is a connection of a guard.
type guarded struct {
	net.Conn

	guard *guard
	ip    string // or its network
	until time.Time
	once  sync.Once
}

// SetReadDeadline implements net.Conn. Nothing is waited for while the guard stops, nor past the connection's time: commands alone, each within its own time, would hold it for ever.
func (c *guarded) SetReadDeadline(t time.Time) error {
	switch {
	case c.guard.stopping.Load():
		t = time.Unix(1, 0)
	case t.IsZero() || t.After(c.until):
		t = c.until
	}
	return c.Conn.SetReadDeadline(t) //nolint:wrapcheck // a net.Conn
}

// Close implements net.Conn.
func (c *guarded) Close() error {
	c.once.Do(func() {
		c.guard.mu.Lock()
		defer c.guard.mu.Unlock()
		delete(c.guard.conns, c)
		if c.guard.byIP[c.ip]--; c.guard.byIP[c.ip] <= 0 {
			delete(c.guard.byIP, c.ip)
		}
	})
	return c.Conn.Close() //nolint:wrapcheck // a net.Conn
}

// network is what counts as one address.
func network(ip net.IP) string {
	address, _ := netip.AddrFromSlice(ip) // the zero Addr for none
	return ratelimit.Network(address)
}
