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
	// ScheduleState tells how the timer of a trigger is, as the engine has it; zero where there is none.
	ScheduleState(ctx context.Context, triggerID string) (ScheduleState, error)
	// Backfill makes the ticks of a past time, as if they came now. Conflict "trigger_unscheduled" where the trigger has no timer.
	Backfill(ctx context.Context, triggerID string, b Backfill) error
}

// ScheduleState is the timer of a cron trigger.
type ScheduleState struct {
	Next    []time.Time // the next times, at most 10; none while it is disabled
	Last    []TickTime  // the last times at which it came, at most 10, the youngest first
	Missed  int64       // ticks that nobody made up for: everything was down for longer than the catch-up window
	Skipped int64       // ticks that the overlap policy left out
}

// TickTime is when a tick was due and when it came.
type TickTime struct{ ScheduledAt, At time.Time }

// Backfill is a past time whose ticks are to come once more.
type Backfill struct {
	From, To time.Time // both included
	AtOnce   bool      // the executions run beside each other; else one after the other, in their order
}

// The bounds of a Backfill. Temporal keeps 1000 ticks waiting for their turn.
// Source: https://docs.temporal.io/schedule#backfill
const (
	MaxBackfillTicks = 1000
	MaxBackfillTime  = 366 * 24 * time.Hour
)

// Check says what is wrong with the backfill of c's times and gives the number of ticks that it comes to.
func (b Backfill) Check(c CronConfig, now time.Time) (int, error) {
	switch {
	case !b.From.Before(b.To):
		return 0, InvalidField("to", "must be after from")
	case b.To.After(now):
		return 0, InvalidField("to", "must be past: what is to come comes by itself")
	case b.To.Sub(b.From) > MaxBackfillTime:
		return 0, InvalidField("from", "may be at most 366 days before to")
	}
	times, err := ParseCron(c.Schedule)
	if err != nil {
		return 0, err
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return 0, InvalidField("config.timezone", "%q is no time zone", c.Timezone)
	}
	n := times.Count(b.From, b.To, zone, MaxBackfillTicks)
	if n > MaxBackfillTicks {
		return 0, InvalidField("from", "the trigger comes more than %d times between from and to: take a shorter time", MaxBackfillTicks)
	}
	return n, nil
}
