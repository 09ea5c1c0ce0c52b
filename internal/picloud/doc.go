// Package picloud is the domain of PiCloud: its words, their rules and the contracts between its rooms.
//
// An [App] owns everything. A [Script] has immutable numbered versions, one of them active. A [Trigger] says
// which [Event]s fire which script. A firing is an [Execution]: one event × one trigger = one Execution = one
// Temporal workflow, with one or more attempts. A committed attempt has [Effect]s. An exhausted Execution
// leaves a [DeadLetter].
//
// The package imports the standard library only; everything else in the program imports it.
package picloud
