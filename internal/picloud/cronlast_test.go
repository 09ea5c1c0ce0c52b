package picloud_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

func TestLast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schedule, zone, at, want string }{
		{"@every 5m", "", "2026-03-01T12:07:31Z", "2026-03-01T12:05:00Z"},
		{"* * * * *", "", "2026-03-01T12:07:31Z", "2026-03-01T12:07:00Z"},
		{"30 7 * * mon-fri", "Europe/Berlin", "2026-03-01T12:00:00Z", "2026-02-27T06:30:00Z"}, // a Sunday
		{"30 2 29 2 *", "Europe/Berlin", "2027-01-01T00:00:00Z", "2024-02-29T01:30:00Z"},
		{"0 0 29 2 *", "", "2104-01-01T00:00:00Z", "2096-02-29T00:00:00Z"},              // 2100 is none
		{"30 2 * * *", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T01:30:00Z"}, // there is no 2:30 that day
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T01:29:00Z", "2026-10-25T00:30:00Z"}, // the first of two
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T01:30:00Z"},
		{"0 0 1 1 *", "America/Havana", "2026-12-31T00:00:00Z", "2026-01-01T05:00:00Z"},
	} {
		times, err := picloud.ParseCron(c.schedule)
		require.NoError(t, err)
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		at, err := time.Parse(time.RFC3339, c.at)
		require.NoError(t, err)
		assert.Equal(t, c.want, times.Last(at, zone).Format(time.RFC3339), "%s in %s", c.schedule, c.zone)
	}
}
