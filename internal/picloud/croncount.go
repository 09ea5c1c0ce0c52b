package picloud

import (
	"slices"
	"time"
)

// Count gives how often the times come between two instants, both included, in a time zone; it stops counting past most.
func (t CronTimes) Count(from, to time.Time, zone *time.Location, most int) int {
	if t.Every > 0 {
		every := int64(t.Every / time.Second) // whole seconds, counted from the epoch as Temporal does
		before := from.Add(-time.Nanosecond).Unix()
		return int(min(to.Unix()/every-before/every, int64(most)+1))
	}
	n := 0
	for at := from.Add(time.Minute - time.Nanosecond).Truncate(time.Minute); !at.After(to) && n <= most; at = at.Add(time.Minute) {
		if slices.ContainsFunc(t.Calendars, func(c CronCalendar) bool { return c.covers(at.In(zone)) }) {
			n++
		}
	}
	return n
}

// covers says whether the minute of at is one of the calendar's.
func (c CronCalendar) covers(at time.Time) bool {
	in := func(ranges []CronRange, n int) bool {
		return slices.ContainsFunc(ranges, func(r CronRange) bool { return r.First <= n && n <= r.Last })
	}
	return in(c.Minutes, at.Minute()) && in(c.Hours, at.Hour()) && in(c.DaysOfMonth, at.Day()) && in(c.Months, int(at.Month())) && in(c.DaysOfWeek, int(at.Weekday()))
}
