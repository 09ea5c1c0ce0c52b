package picloud_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func TestParseCron(t *testing.T) {
	t.Parallel()
	type ranges = []picloud.CronRange
	every := func(minutes, hours, days, months, weekdays ranges) picloud.CronCalendar {
		or := func(r, all ranges) ranges {
			if r == nil {
				return all
			}
			return r
		}
		return picloud.CronCalendar{
			Minutes: or(minutes, ranges{{0, 59}}), Hours: or(hours, ranges{{0, 23}}), DaysOfMonth: or(days, ranges{{1, 31}}),
			Months: or(months, ranges{{1, 12}}), DaysOfWeek: or(weekdays, ranges{{0, 6}}),
		}
	}
	for text, want := range map[string]picloud.CronTimes{
		"* * * * *":            {Calendars: []picloud.CronCalendar{every(nil, nil, nil, nil, nil)}},
		"  30   7 * * mon-FRI": {Calendars: []picloud.CronCalendar{every(ranges{{30, 30}}, ranges{{7, 7}}, nil, nil, ranges{{1, 5}})}},
		"*/20 1,2,3,9 * * *":   {Calendars: []picloud.CronCalendar{every(ranges{{0, 0}, {20, 20}, {40, 40}}, ranges{{1, 3}, {9, 9}}, nil, nil, nil)}},
		"5/25 0-10/5 * jan,3-4 *": {Calendars: []picloud.CronCalendar{every(ranges{{5, 5}, {30, 30}, {55, 55}}, ranges{{0, 0}, {5, 5}, {10, 10}}, nil,
			ranges{{1, 1}, {3, 4}}, nil)}},
		"0 0 * * 5-7": {Calendars: []picloud.CronCalendar{every(ranges{{0, 0}}, ranges{{0, 0}}, nil, nil, ranges{{0, 0}, {5, 6}})}},
		"0 0 1,15 * sun": {Calendars: []picloud.CronCalendar{
			every(ranges{{0, 0}}, ranges{{0, 0}}, ranges{{1, 1}, {15, 15}}, nil, nil), every(ranges{{0, 0}}, ranges{{0, 0}}, nil, nil, ranges{{0, 0}}),
		}},
		"0 0 29 2 *":  {Calendars: []picloud.CronCalendar{every(ranges{{0, 0}}, ranges{{0, 0}}, ranges{{29, 29}}, ranges{{2, 2}}, nil)}},
		"@weekly":     {Calendars: []picloud.CronCalendar{every(ranges{{0, 0}}, ranges{{0, 0}}, nil, nil, ranges{{0, 0}})}},
		"@every 90s":  {Every: 90 * time.Second},
		"@every 1h5m": {Every: 65 * time.Minute},
	} {
		got, err := picloud.ParseCron(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "*/60 * * * *", "5-1 * * * *", "a * * * *",
		"1,,2 * * * *", "1- * * * *", "-1 * * * *", "+1 * * * *", "* * * mon *", "0 0 31 4,6 *", "0 0 30 feb *", "@reboot", "@every", "@every 0s", "@every 1.5s", "@every -1h", "@every 9000h",
		"CRON_TZ=UTC * * * * *", "? * * * *", "* * L * *",
	} {
		_, err := picloud.ParseCron(text)
		e := picloud.AsError(err)
		if assert.NotNil(t, e, "%q", text) {
			assert.Equal(t, "config.schedule", e.Fields[0].Field)
		}
	}
}

// FuzzParseCron: whatever is accepted has times, within the bounds of its fields.
func FuzzParseCron(f *testing.F) {
	for _, s := range []string{"* * * * *", "*/5 1-3,7 1 jan mon", "@every 5m", "0 0 30 2 *", "@daily"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		times, err := picloud.ParseCron(s)
		if err != nil {
			return
		}
		require.NotEqual(t, times.Every > 0, len(times.Calendars) > 0)
		for _, c := range times.Calendars {
			for _, field := range []struct {
				ranges      []picloud.CronRange
				first, last int
			}{{c.Minutes, 0, 59}, {c.Hours, 0, 23}, {c.DaysOfMonth, 1, 31}, {c.Months, 1, 12}, {c.DaysOfWeek, 0, 6}} {
				require.NotEmpty(t, field.ranges)
				for _, r := range field.ranges {
					require.LessOrEqual(t, field.first, r.First)
					require.LessOrEqual(t, r.First, r.Last)
					require.LessOrEqual(t, r.Last, field.last)
				}
			}
		}
	})
}
