package picloud

import (
	"context"
	"slices"
	"time"
	_ "time/tzdata" // so that time zones are known on machines without them
)

// Overlap says what happens when a cron trigger is due while an execution of it has not ended. The values are Temporal's overlap policies.
// Source: https://docs.temporal.io/schedule#overlap-policy
type Overlap string

// The overlap policies.
const (
	OverlapSkip        Overlap = "skip"         // the tick is left out
	OverlapBufferOne   Overlap = "buffer_one"   // one tick waits, others are left out
	OverlapAllowAll    Overlap = "allow_all"    // it runs beside
	OverlapCancelOther Overlap = "cancel_other" // the running execution is canceled, then it runs
)

// Overlaps are all of them.
var Overlaps = []Overlap{OverlapSkip, OverlapBufferOne, OverlapAllowAll, OverlapCancelOther}

// CronConfig is the config of a cron trigger.
type CronConfig struct {
	Schedule      string        `json:"schedule"`           // five cron fields, "@every <duration>", @hourly, @daily, @weekly, @monthly or @yearly
	Timezone      string        `json:"timezone,omitempty"` // IANA name; "" = UTC. It means nothing to @every
	Overlap       Overlap       `json:"overlap"`
	CatchupWindow time.Duration `json:"catchup_window"`   // ticks that were missed no longer ago than this are made up for
	Jitter        time.Duration `json:"jitter,omitempty"` // every tick is late by a random time up to this, and never past the next one
}

// What a config gets that says nothing else, and the bounds of what it may say.
const (
	DefaultCatchupWindow = time.Hour
	MinCatchupWindow     = 10 * time.Second // Temporal's
	MaxCatchupWindow     = 30 * 24 * time.Hour
	MaxCronJitter        = 24 * time.Hour
)

// Check says what is wrong with the config; fields are named "config.<field>".
func (c CronConfig) Check() error {
	if _, err := ParseCron(c.Schedule); err != nil {
		return err
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil || c.Timezone == "Local" || len(c.Timezone) > 64 {
		return InvalidField("config.timezone", `%q is no time zone: use an IANA name, e.g. "Europe/Berlin"`, c.Timezone[:min(len(c.Timezone), 64)])
	}
	if !slices.Contains(Overlaps, c.Overlap) {
		return InvalidField("config.overlap", "must be skip, buffer_one, allow_all or cancel_other")
	}
	if c.CatchupWindow < MinCatchupWindow || c.CatchupWindow > MaxCatchupWindow {
		return InvalidField("config.catchup_window", `must be "10s" to "720h"`)
	}
	if c.Jitter < 0 || c.Jitter > MaxCronJitter {
		return InvalidField("config.jitter", `must be "0s" to "24h"`)
	}
	return nil
}

// CronTrigger is a cron trigger as its Schedule is made from it.
type CronTrigger struct {
	ID      string
	App     string // slug
	Name    string
	Enabled bool
	Config  CronConfig
}

// Tick is one time at which a cron trigger is due. Its ids are those of the event and of the execution to be: they are the same whenever it is asked again.
type Tick struct {
	TriggerID   string    `json:"trigger_id"`
	EventID     string    `json:"event_id"`
	ExecutionID string    `json:"execution_id"`
	ScheduledAt time.Time `json:"scheduled_at"` // as the schedule has it, without jitter
	At          time.Time `json:"at"`           // when it came
}

// Ticks is the cron triggers as the engine works them.
type Ticks interface {
	// CronTriggers gives the cron triggers of all apps, or with an id that one alone (none when it is gone).
	CronTriggers(ctx context.Context, id string) ([]CronTrigger, error)
	// OpenTick stores the event of a tick and gives its firing; nil when the trigger is gone or disabled. It may be repeated.
	OpenTick(ctx context.Context, t Tick) (*Firing, error)
}

// Schedules keeps the timers of cron triggers equal to the triggers.
type Schedules interface {
	// SyncSchedule makes the timer of one cron trigger what the stored trigger says now; none when it is gone.
	SyncSchedule(ctx context.Context, triggerID string) error
	// NextFires gives the next n (at most 10) times at which the trigger is due, as the engine has them.
	NextFires(ctx context.Context, triggerID string, n int) ([]time.Time, error)
}
