package api

import (
	"fmt"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// fillLimits gives l with its zero fields taken from other.
func fillLimits(l, other picloud.Limits) picloud.Limits {
	fill := func(to *int, from int) {
		if *to == 0 {
			*to = from
		}
	}
	if l.Wall == 0 {
		l.Wall = other.Wall
	}
	if l.CPU == 0 {
		l.CPU = other.CPU
	}
	fill(&l.MemoryMB, other.MemoryMB)
	fill(&l.PayloadBytes, other.PayloadBytes)
	fill(&l.LogBytes, other.LogBytes)
	fill(&l.HostCalls, other.HostCalls)
	fill(&l.Effects, other.Effects)
	return l
}

// parseLimits reads what a script asks for: what it leaves out is the default, or the ceiling where that is lower.
func parseLimits(asked *Limits, ceiling picloud.Limits) (picloud.Limits, error) {
	var wrong []picloud.FieldError
	say := func(field, format string, args ...any) {
		wrong = append(wrong, picloud.FieldError{Field: "limits." + field, Message: fmt.Sprintf(format, args...)})
	}
	duration := func(field string, s *string, fallback, most time.Duration) time.Duration {
		if s == nil {
			return min(fallback, most)
		}
		d, err := time.ParseDuration(*s)
		switch {
		case err != nil:
			say(field, `%q is no duration: use e.g. "500ms", "10s" or "5m"`, (*s)[:min(len(*s), 50)])
		case d < time.Millisecond || d > most:
			say(field, `must be "1ms" to this instance's ceiling, %q`, formatDuration(most))
		}
		return d
	}
	number := func(field string, n *int, fallback, most int) int {
		if n == nil {
			return min(fallback, most)
		}
		if *n < 1 || *n > most {
			say(field, "must be 1 to this instance's ceiling, %d", most)
		}
		return *n
	}
	if asked == nil {
		asked = &Limits{}
	}
	d := picloud.DefaultLimits
	l := picloud.Limits{
		Wall:         duration("wall", asked.Wall, d.Wall, ceiling.Wall),
		CPU:          duration("cpu", asked.CPU, d.CPU, ceiling.CPU),
		MemoryMB:     number("memory_mb", asked.MemoryMb, d.MemoryMB, ceiling.MemoryMB),
		PayloadBytes: number("payload_bytes", asked.PayloadBytes, d.PayloadBytes, ceiling.PayloadBytes),
		LogBytes:     number("log_bytes", asked.LogBytes, d.LogBytes, ceiling.LogBytes),
		HostCalls:    number("host_calls", asked.HostCalls, d.HostCalls, ceiling.HostCalls),
		Effects:      number("effects", asked.Effects, d.Effects, ceiling.Effects),
	}
	if wrong != nil {
		return l, picloud.InvalidFields(wrong...)
	}
	return l, nil
}

func toLimits(l picloud.Limits) Limits {
	wall, cpu := formatDuration(l.Wall), formatDuration(l.CPU)
	return Limits{
		Wall: &wall, CPU: &cpu, MemoryMb: &l.MemoryMB, PayloadBytes: &l.PayloadBytes, LogBytes: &l.LogBytes, HostCalls: &l.HostCalls, Effects: &l.Effects,
	}
}
