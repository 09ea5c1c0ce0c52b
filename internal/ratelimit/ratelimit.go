// Package ratelimit bounds how often callers may do something: a token bucket each, for the callers that were seen last.
package ratelimit

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Policy is how often one caller may do something.
type Policy struct {
	Name      string  // for the header RateLimit-Policy: a token such as "key"
	PerSecond float64 // refill of the bucket; 0 or less = no bound
	Burst     int     // size of the bucket; less than 1 counts as 1
}

// callersKept bounds the memory of a Limiter, at some 200 bytes a caller. The least recently seen is forgotten first: its bucket is full again.
const callersKept = 1 << 16

// Limiter holds the buckets of one policy. It is safe for concurrent use; nil refuses nobody.
type Limiter struct {
	policy  Policy
	buckets *lru.Cache[string, *rate.Limiter]
	now     func() time.Time
}

// New makes the Limiter of policy; nil where it sets no bound.
func New(policy Policy) *Limiter {
	if policy.PerSecond <= 0 {
		return nil
	}
	policy.Burst = max(policy.Burst, 1)
	buckets, err := lru.New[string, *rate.Limiter](callersKept)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	return &Limiter{policy: policy, buckets: buckets, now: time.Now}
}

// Decision is what became of one request.
type Decision struct {
	Allowed    bool
	RetryAfter time.Duration // until a request is allowed again; 0 when this one is

	policy    Policy
	remaining int
	reset     time.Duration // until the bucket is full
}

// Take asks for one request of a caller, and takes its token when there is one.
func (l *Limiter) Take(caller string) Decision { return l.decide(caller, 1) }

// Peek says what Take would, and takes nothing.
func (l *Limiter) Peek(caller string) Decision { return l.decide(caller, 0) }

func (l *Limiter) decide(caller string, tokens int) Decision {
	if l == nil {
		return Decision{Allowed: true}
	}
	bucket := l.bucket(caller)
	now := l.now()
	d := Decision{policy: l.policy}
	left := bucket.TokensAt(now)
	if d.Allowed = left >= 1; d.Allowed && tokens > 0 {
		if d.Allowed = bucket.AllowN(now, tokens); d.Allowed { // another request may have been quicker
			left -= float64(tokens)
		}
	}
	if !d.Allowed {
		d.RetryAfter = l.refill(1 - left)
	}
	d.remaining = max(int(left), 0)
	d.reset = l.refill(float64(l.policy.Burst) - left)
	return d
}

func (l *Limiter) bucket(caller string) *rate.Limiter {
	if bucket, ok := l.buckets.Get(caller); ok {
		return bucket
	}
	made := rate.NewLimiter(rate.Limit(l.policy.PerSecond), l.policy.Burst)
	if earlier, ok, _ := l.buckets.PeekOrAdd(caller, made); ok {
		return earlier
	}
	return made
}

// refill is the time in which the bucket gets that many tokens.
func (l *Limiter) refill(tokens float64) time.Duration {
	return time.Duration(max(tokens, 0) / l.policy.PerSecond * float64(time.Second))
}

// WriteHeaders tells the caller where it stands: RateLimit-Policy and RateLimit as draft-ietf-httpapi-ratelimit-headers-10 defines them, and for a
// refusal Retry-After (RFC 9110, section 10.2.3), in whole seconds.
func (d Decision) WriteHeaders(h http.Header) {
	if d.policy.Name == "" {
		return
	}
	name := strconv.Quote(d.policy.Name)
	window := math.Ceil(float64(d.policy.Burst) / d.policy.PerSecond)
	h.Set("Ratelimit-Policy", name+";q="+strconv.Itoa(d.policy.Burst)+";w="+strconv.Itoa(int(window)))
	h.Set("Ratelimit", name+";r="+strconv.Itoa(d.remaining)+";t="+strconv.Itoa(seconds(d.reset)))
	if !d.Allowed {
		h.Set("Retry-After", strconv.Itoa(max(seconds(d.RetryAfter), 1)))
	}
}

// Network is what counts as one caller by address: an IPv6 host has a whole /64 to choose addresses from, and an IPv4 host one address.
func Network(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	prefix, err := address.Prefix(64)
	if err != nil { // the zero Addr
		return ""
	}
	return prefix.Addr().String()
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
