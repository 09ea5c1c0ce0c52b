package web

import (
	"errors"
	"time"

	"github.com/dop251/goja"
)

// MaxRetryAfter bounds what a script may ask for.
const MaxRetryAfter = 365 * 24 * time.Hour

func retryGlue(g *Globals) map[string]any { return map[string]any{"duration": g.duration} }

// duration gives the milliseconds of a Go duration string or a number of milliseconds, as RetryAfterError takes it.
func (g *Globals) duration(call goja.FunctionCall) goja.Value {
	var d time.Duration
	var err error
	switch v := call.Argument(0).Export().(type) {
	case string:
		d, err = time.ParseDuration(v)
	case int64:
		d = time.Duration(min(v, int64(MaxRetryAfter/time.Millisecond)+1)) * time.Millisecond
	case float64:
		d = time.Duration(min(v, float64(MaxRetryAfter/time.Millisecond)+1) * float64(time.Millisecond))
	default:
		err = errors.New("not a duration")
	}
	if err != nil || d <= 0 || d > MaxRetryAfter {
		panic(g.rt.NewTypeError("RetryAfterError takes a positive duration of at most 365 days, like \"30s\", or a number of milliseconds"))
	}
	return g.rt.ToValue(float64(d) / float64(time.Millisecond))
}

// Retry reports what an error asks of the retry policy: that there be none, or when the next attempt is due (0 for nothing asked).
func (g *Globals) Retry(thrown *goja.Object) (never bool, after time.Duration) {
	if !g.Loaded("retry") {
		return false, 0
	}
	classes := g.use("retry")
	if g.rt.InstanceOf(thrown, classes.Get("NonRetryableError").(*goja.Object)) {
		never = true
	}
	if g.rt.InstanceOf(thrown, classes.Get("RetryAfterError").(*goja.Object)) {
		ms := 0.0
		if v := thrown.Get("retryAfter"); v != nil { // the script may have taken it away, or made other errors instances
			ms = v.ToFloat()
		}
		if ms > 0 && ms <= float64(MaxRetryAfter/time.Millisecond) {
			after = time.Duration(ms * float64(time.Millisecond))
		}
	}
	return never, after
}
