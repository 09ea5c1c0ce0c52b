// Package activities is the work of the Temporal workflows: one file an activity, each with its Input, its Result and a method on [Activities].
// What they need comes in as interfaces; the package links no database driver, no script engine and no logging library.
package activities

import (
	"math/rand/v2"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// The names under which the activities are registered. Workflows call them by these; histories hold them: never change one.
const (
	RunScriptName          = "RunScript"
	BuryExecutionName      = "BuryExecution"
	CancelExecutionName    = "CancelExecution"
	MaintainPartitionsName = "MaintainPartitions"
	OpenTickName           = "OpenTick"
	ReplayLettersName      = "ReplayLetters"
	DryRunLettersName      = "DryRunLetters"
	EndBulkReplayName      = "EndBulkReplay"
	HandOverMailName       = "HandOverMail"
)

// Activities are the activities with what they need. All fields down to MailDomain must be set; Inbox may be nil in a process where no caller waits, and with it Presence.
type Activities struct {
	Journal   picloud.Journal
	Sandbox   picloud.Sandbox
	Inbox     picloud.Inbox
	Presence  picloud.Presence
	Running   *Running // nil = attempts hear of cancellations through Temporal alone
	Keeper    Keeper
	Ticks     picloud.Ticks
	Bulk      picloud.BulkWork
	DryRunner picloud.DryRunner
	Mails     picloud.OutgoingMails
	Courier   picloud.Courier
	// MailDomain is the domain whose mailboxes are the instance's own.
	MailDomain picloud.MailDomain
	Random     func() float64   // uniform in [0,1), for jitter; nil = math/rand
	Seed       func() int64     // of a script's Math.random; nil = math/rand
	Now        func() time.Time // nil = time.Now
	// StopGrace is how long a script may go on when its worker is stopping, before it is handed back; the worker sets it.
	StopGrace time.Duration
}

func (a *Activities) random() float64 {
	if a.Random != nil {
		return a.Random()
	}
	return rand.Float64() //nolint:gosec // jitter is no secret
}

// seed draws the seed of an attempt: it is recorded with it, and is no secret.
func (a *Activities) seed() int64 {
	if a.Seed != nil {
		return a.Seed()
	}
	return rand.Int64() //nolint:gosec // crypto.getRandomValues is for secrets
}

func (a *Activities) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}
