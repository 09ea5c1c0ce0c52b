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

// Last gives the last of the times that is not after at, in a time zone; at itself where there is none in the nine years before.
func (t CronTimes) Last(at time.Time, zone *time.Location) time.Time {
	if t.Every > 0 {
		every := int64(t.Every / time.Second)
		return time.Unix(at.Unix()/every*every, 0).UTC()
	}
	for minute := at.Truncate(time.Minute); minute.After(at.AddDate(-9, 0, 0)); { // 29 February comes at least every eight years
		local := minute.In(zone)
		if slices.ContainsFunc(t.Calendars, func(c CronCalendar) bool { return c.covers(local) }) {
			return minute.UTC()
		}
		step := time.Minute
		if !slices.ContainsFunc(t.Calendars, func(c CronCalendar) bool { return c.coversDay(local) }) {
			step = max(step, time.Duration(local.Hour()-1)*time.Hour) // within the day, also where its clock is changed
		}
		minute = minute.Add(-step)
	}
	return at
}

// covers says whether the minute of at is one of the calendar's.
func (c CronCalendar) covers(at time.Time) bool {
	return inRanges(c.Minutes, at.Minute()) && inRanges(c.Hours, at.Hour()) && c.coversDay(at)
}

// coversDay says whether the day of at is one of the calendar's.
func (c CronCalendar) coversDay(at time.Time) bool {
	return inRanges(c.DaysOfMonth, at.Day()) && inRanges(c.Months, int(at.Month())) && inRanges(c.DaysOfWeek, int(at.Weekday()))
}

func inRanges(ranges []CronRange, n int) bool {
	return slices.ContainsFunc(ranges, func(r CronRange) bool { return r.First <= n && n <= r.Last })
}
