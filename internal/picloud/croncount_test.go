package picloud

import (
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schedule, zone, from, to string
		want                     int
	}{
		{"0 3 * * *", "", "2026-03-01T03:00:00Z", "2026-03-04T03:00:00Z", 4},
		{"0 3 * * *", "", "2026-03-01T03:00:00.5Z", "2026-03-04T02:59:59Z", 2},
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z", 2}, // the 29th has no 2:30
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", 2}, // the 25th has two
		{"0 0 13 * fri", "", "2026-11-01T00:00:00Z", "2026-11-30T23:59:00Z", 4},            // either day
		{"@every 5m", "", "2026-03-01T00:00:00Z", "2026-03-01T00:10:00Z", 3},
		{"@every 5m", "", "2026-03-01T00:00:01Z", "2026-03-01T00:04:59Z", 0},
		{"* * * * *", "", "2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z", 1001},
		{"@every 1s", "", "2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z", 1001},
	} {
		times, err := ParseCron(c.schedule)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		from, _ := time.Parse(time.RFC3339Nano, c.from)
		to, _ := time.Parse(time.RFC3339Nano, c.to)
		if got := times.Count(from, to, zone, 1000); got != c.want {
			t.Errorf("%s from %s to %s: %d, want %d", c.schedule, c.from, c.to, got, c.want)
		}
	}
}
