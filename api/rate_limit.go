package api

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/auth"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/ratelimit"
)

// RateLimits are how many requests a second a caller may make, with bursts of twice as many; 0 = no bound.
type RateLimits struct {
	Key     float64 // with one API key, or one person's sessions
	Address float64 // without a key that is right, from one IP address: open and signed endpoints, and guesses at keys
}

// limiters are the buckets of both.
type limiters struct {
	keys, addresses *ratelimit.Limiter
}

func newLimiters(limits RateLimits) limiters {
	burst := func(perSecond float64) int { return int(math.Ceil(2 * perSecond)) }
	return limiters{
		keys:      ratelimit.New(ratelimit.Policy{Name: "key", PerSecond: limits.Key, Burst: burst(limits.Key)}),
		addresses: ratelimit.New(ratelimit.Policy{Name: "address", PerSecond: limits.Address, Burst: burst(limits.Address)}),
	}
}

// network is what counts as one caller at an IP address.
func network(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	return ratelimit.Network(address)
}

// admit counts a request of the caller that authenticate gave, or its error, and answers 429 when there have been too many. Those with a right key are not held up by
// others at their address.
func (s *server) admit(c *gin.Context, caller auth.Caller, err error) bool {
	var decision ratelimit.Decision
	var who string
	switch e := picloud.AsError(err); {
	case err == nil:
		id := "session:" + caller.Principal.Name
		if caller.Key != nil {
			id = caller.Key.ID
		}
		who, decision = "this key", s.limiters.keys.Take(id)
	case e != nil && e.Kind != picloud.Internal:
		who, decision = "this address", s.limiters.addresses.Take(network(c.ClientIP()))
	default:
		return true // the database is away: nothing is known about the caller
	}
	decision.WriteHeaders(c.Writer.Header())
	if decision.Allowed {
		return true
	}
	s.write(c, http.StatusTooManyRequests, problem{Code: "rate_limited", Detail: fmt.Sprintf("too many requests with %s: wait as long as Retry-After says", who)})
	return false
}
