package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// dialTimeout is how long one address may take to answer.
const dialTimeout = 5 * time.Second

// maxAddresses is how many addresses of one name are tried.
const maxAddresses = 4

// Guard is an instance's policy. The zero Guard lets scripts reach the public Internet and nothing else.
type Guard struct {
	// AllowPrivate opens every address (PICLOUD_FETCH_ALLOW_PRIVATE).
	AllowPrivate bool
	// Allow opens single destinations that are not public (PICLOUD_FETCH_ALLOW).
	Allow picloud.FetchRules

	// Resolve gives the addresses of a name, at least one or an error; nil = the machine's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Connect opens a TCP connection to an address that was let through; nil = the network.
	Connect func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
}

// RefusedError says why a destination is not reached.
type RefusedError struct {
	Host string     // as it was asked for
	Addr netip.Addr // what it stands for
	Why  string     // e.g. "private address; PICLOUD_FETCH_ALLOW_PRIVATE or PICLOUD_FETCH_ALLOW opens it"
}

// Error gives e.g. "fetch to intern.example (10.0.0.5) refused: private address; …".
func (e *RefusedError) Error() string {
	where := e.Host
	if addr := e.Addr.String(); addr != e.Host {
		where += " (" + addr + ")"
	}
	return "fetch to " + where + " refused: " + e.Why
}

// Check says whether a connection to addr, for a request to host, may be made by an app whose own allow-list is app (empty = no list). The app's list
// narrows; what is not public needs the instance's word as well. Its error is a *RefusedError.
func (g *Guard) Check(app picloud.FetchRules, host string, addr netip.AddrPort) error {
	ip := addr.Addr().Unmap()
	if len(app) > 0 && !app.Match(host, ip, addr.Port()) {
		return &RefusedError{Host: host, Addr: ip, Why: "it is not in the app's fetch_allow list"}
	}
	class := Classify(ip)
	if class == "" || g.AllowPrivate || g.Allow.Match(host, ip, addr.Port()) {
		return nil
	}
	return &RefusedError{Host: host, Addr: ip, Why: class + "; PICLOUD_FETCH_ALLOW_PRIVATE or PICLOUD_FETCH_ALLOW opens it"}
}

// Dialer gives the DialContext of a transport that an app's requests alone use. Every address is checked, then connected to as it is: nothing is
// resolved in between. The first address that answers is taken.
func (g *Guard) Dialer(app picloud.FetchRules) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		host, portText, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("read address: %w", err)
		}
		port, err := strconv.ParseUint(portText, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("read port: %w", err)
		}
		addrs, err := g.resolve(ctx, host)
		if err != nil {
			return nil, err
		}
		var all error
		for _, ip := range addrs[:min(len(addrs), maxAddresses)] {
			addr := netip.AddrPortFrom(ip.Unmap(), uint16(port))
			if err := g.Check(app, host, addr); err != nil {
				all = errors.Join(all, err)
				continue
			}
			conn, err := g.connect(ctx, addr)
			if err == nil {
				return conn, nil
			}
			all = errors.Join(all, err)
		}
		return nil, all
	}
}

func (g *Guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	resolve := g.Resolve
	if resolve == nil {
		resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	addrs, err := resolve(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("resolve %s: no address", host)
	}
	return addrs, nil
}

func (g *Guard) connect(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if g.Connect != nil {
		return g.Connect(ctx, addr)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", addr.String())
}
