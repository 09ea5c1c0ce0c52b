package picloud

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CronTimes is what a cron expression means: an interval, or the union of calendars.
//
// The reading is PiCloud's own, and the engine gets its result and not the text: so nothing is accepted here and understood otherwise there. (Temporal reads cron texts too, but demands
// that day of month and day of week both match where both are given; every other cron takes either. Libraries compute times, which are the engine's business.)
type CronTimes struct {
	Every     time.Duration // 0 = calendars
	Calendars []CronCalendar
}

// CronCalendar is the times of which every part is in its list.
type CronCalendar struct {
	Minutes, Hours, DaysOfMonth, Months []CronRange
	DaysOfWeek                          []CronRange // 0 = Sunday
}

// CronRange is the numbers from First to Last, both included.
type CronRange struct{ First, Last int }

// cronField is one field of an expression: its bounds and the names that it may use.
type cronField struct {
	name        string
	first, last int
	names       []string // of first, first+1, …
}

var cronFields = []cronField{
	{name: "minute", last: 59},
	{name: "hour", last: 23},
	{name: "day of month", first: 1, last: 31},
	{name: "month", first: 1, last: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of week", last: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var cronWords = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// maxCronLength is the longest expression, in bytes.
const maxCronLength = 256

// maxEvery is the longest interval.
const maxEvery = 366 * 24 * time.Hour

// ParseCron reads a cron expression: minute, hour, day of month, month and day of week, each a star, a number, a range, a step or a list of these; months and days of the week may be
// given by the first three letters of their English names, Sunday is 0 or 7. Where both days are restricted, either is enough. Or "@every 90s" (whole seconds), or a word such as
// @daily. The error is Invalid on "config.schedule".
func ParseCron(s string) (CronTimes, error) {
	wrong := func(format string, args ...any) (CronTimes, error) {
		return CronTimes{}, InvalidField("config.schedule", format, args...)
	}
	if len(s) > maxCronLength {
		return wrong("is %d bytes long: at most %d", len(s), maxCronLength)
	}
	s = strings.TrimSpace(s)
	if every, ok := strings.CutPrefix(s, "@every "); ok {
		d, err := time.ParseDuration(strings.TrimSpace(every))
		if err != nil || d < time.Second || d > maxEvery || d%time.Second != 0 {
			return wrong(`@every wants a duration of whole seconds, "1s" to "8784h", e.g. "@every 5m"`)
		}
		return CronTimes{Every: d}, nil
	}
	if fields, ok := cronWords[s]; ok {
		s = fields
	}
	words := strings.Fields(s)
	if len(words) != len(cronFields) {
		return wrong(`must have five fields (minute, hour, day of the month, the month, day of the week), e.g. "30 7 * * mon-fri", or be "@every 5m" or @daily; it has %d`, len(words))
	}
	var sets [5][]int
	for i, f := range cronFields {
		var err error
		if sets[i], err = f.parse(words[i]); err != nil {
			return wrong("%s %q: %v", f.name, words[i], err)
		}
	}
	return calendars(sets, words[2][0] != '*', words[4][0] != '*')
}

// calendars gives the times of the five sets. byDate and byWeekday say which of the two days are restricted.
func calendars(sets [5][]int, byDate, byWeekday bool) (CronTimes, error) {
	weekdays := slices.Clone(sets[4])
	for i, d := range weekdays {
		weekdays[i] = d % 7
	}
	slices.Sort(weekdays)
	weekdays = slices.Compact(weekdays)
	c := CronCalendar{Minutes: ranges(sets[0]), Hours: ranges(sets[1]), DaysOfMonth: ranges(sets[2]), Months: ranges(sets[3]), DaysOfWeek: ranges(weekdays)}
	if byDate && byWeekday {
		date, weekday := c, c
		date.DaysOfWeek, weekday.DaysOfMonth = []CronRange{{0, 6}}, []CronRange{{1, 31}}
		return CronTimes{Calendars: []CronCalendar{date, weekday}}, nil
	}
	days := []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	if !slices.ContainsFunc(sets[3], func(month int) bool { return sets[2][0] <= days[month-1] }) {
		return CronTimes{}, InvalidField("config.schedule", "never comes: none of its months has a day %d", sets[2][0])
	}
	return CronTimes{Calendars: []CronCalendar{c}}, nil
}

// parse gives the numbers of one field, sorted.
func (f cronField) parse(word string) ([]int, error) {
	var set []int
	for part := range strings.SplitSeq(word, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			var err error
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > f.last {
				return nil, fmt.Errorf("the step must be 1 to %d", f.last)
			}
		}
		first, last, err := f.span(span, stepped)
		if err != nil {
			return nil, err
		}
		for n := first; n <= last; n += step {
			set = append(set, n)
		}
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}

// span gives the bounds of what stands before a step.
func (f cronField) span(s string, stepped bool) (first, last int, err error) {
	if s == "*" {
		last = f.last
		if len(f.names) == 7 {
			last = 6 // 7 is 0 again
		}
		return f.first, last, nil
	}
	from, to, isRange := strings.Cut(s, "-")
	if first, err = f.number(from); err != nil {
		return 0, 0, err
	}
	switch {
	case isRange:
		if last, err = f.number(to); err != nil {
			return 0, 0, err
		}
		if last < first {
			return 0, 0, fmt.Errorf("%s is before %s", to, from)
		}
		return first, last, nil
	case stepped:
		return first, f.last, nil
	}
	return first, first, nil
}

func (f cronField) number(s string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(s)); i >= 0 {
		return f.first + i, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < f.first || n > f.last || strings.HasPrefix(s, "+") {
		return 0, fmt.Errorf("%q is not %d to %d", s, f.first, f.last)
	}
	return n, nil
}

// ranges gives sorted numbers as ranges.
func ranges(set []int) []CronRange {
	var out []CronRange
	for _, n := range set {
		if i := len(out) - 1; i >= 0 && out[i].Last == n-1 {
			out[i].Last = n
		} else {
			out = append(out, CronRange{n, n})
		}
	}
	return out
}
