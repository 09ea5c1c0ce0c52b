package picloud

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cycle says what happens when a trigger is about to fire below an execution that it has fired itself.
type Cycle string

// The cycle policies.
const (
	CycleAllow Cycle = "allow" // it goes on, up to the depth
	CycleDeny  Cycle = "deny"  // it is cut before it runs: the trigger may not appear twice on one path from the root event down
)

// Cycles are all of them.
var Cycles = []Cycle{CycleAllow, CycleDeny}

// Budget is what the executions of one root event may use together; 0 = no bound.
type Budget struct {
	Executions int           // PICLOUD_ROOT_MAX_EXECUTIONS
	Effects    int           // PICLOUD_ROOT_MAX_EFFECTS
	CPU        time.Duration // of scripts, failed attempts included; PICLOUD_ROOT_MAX_CPU
}

// DefaultBudget is the instance's where PICLOUD_ROOT_* says nothing else.
var DefaultBudget = Budget{Executions: 10_000, Effects: 100_000, CPU: time.Hour}

// Spent says, for people, which part of the budget is used up by so many effects and so much CPU time: "100000 effects (PICLOUD_ROOT_MAX_EFFECTS)"; "" = none.
func (b Budget) Spent(effects int64, cpu time.Duration) string {
	switch {
	case b.Effects > 0 && effects >= int64(b.Effects):
		return strconv.Itoa(b.Effects) + " effects (PICLOUD_ROOT_MAX_EFFECTS)"
	case b.CPU > 0 && cpu >= b.CPU:
		return b.CPU.String() + " of CPU time (PICLOUD_ROOT_MAX_CPU)"
	default:
		return ""
	}
}

// SpentExecutions is what Spent says of a budget whose executions are used up.
func (b Budget) SpentExecutions() string {
	return strconv.Itoa(b.Executions) + " executions (PICLOUD_ROOT_MAX_EXECUTIONS)"
}

// Cut gives the error of a firing that must not run; nil = it may.
func (f Firing) Cut() *ScriptError {
	e := &ScriptError{NonRetryable: true}
	switch {
	case f.Depth > f.MaxDepth:
		e.Reason, e.Type = ReasonDepthExceeded, "DepthExceeded"
		e.Message = fmt.Sprintf("cut before it ran: depth %d is over the limit of %d (PICLOUD_MAX_TRIGGER_DEPTH, or max_depth of the trigger)", f.Depth, f.MaxDepth)
	case f.Denied:
		e.Reason, e.Type = ReasonCycle, "CycleDenied"
		e.Message = fmt.Sprintf("cut before it ran: the trigger %s has fired on this path already, and its cycle policy is deny", f.Trigger)
	case f.Overspent != "":
		e.Reason, e.Type = ReasonBudgetExceeded, "BudgetExceeded"
		e.Message = "cut before it ran: the tree of its root event has used up its budget of " + f.Overspent + "; this letter stands for all that was cut of the tree"
	default:
		return nil
	}
	return e
}

// Step is one execution on a path, for people.
type Step struct {
	Trigger string // its trigger's name; where it has none, its script's
	What    string // what fired it: "kv orders/42", "queue totals"; "" = not known any more
}

// StepOf makes the step of an execution; source and subject are its event's.
func StepOf(trigger, script, source, subject string) Step {
	s := Step{Trigger: trigger}
	if trigger == "" {
		s.Trigger = script
	}
	parts := strings.SplitN(strings.TrimPrefix(source, "/"), "/", 4) // apps, the app, the kind, what
	if len(parts) < 3 {
		return s
	}
	s.What = strings.Join(parts[2:], " ")
	if parts[2] == string(KindKV) && subject != "" {
		s.What += "/" + subject
	}
	return s
}

// longestStep bounds what a path says of one step, in bytes.
const longestStep = 120

// Describe writes a path to its last step, which was cut: the circle that it ends in, with how many executions went round, or the whole path where no trigger is on it twice.
//
//	on-order → kv orders/42 → recount → queue totals → on-order (16 turns)
func Describe(path []Step) string {
	last := len(path) - 1
	if last < 0 {
		return ""
	}
	start := last - 1
	for start >= 0 && path[start].Trigger != path[last].Trigger {
		start--
	}
	turns, circle := 0, start >= 0
	if circle {
		for _, s := range path[:last] {
			if slices.ContainsFunc(path[start:last], func(in Step) bool { return in.Trigger == s.Trigger }) {
				turns++
			}
		}
	}
	words := []string{path[max(start, 0)].Trigger}
	for _, s := range path[max(start, 0)+1:] {
		if s.What != "" {
			words = append(words, strings.ToValidUTF8(s.What[:min(len(s.What), longestStep)], ""))
		}
		words = append(words, s.Trigger)
	}
	text := strings.Join(words, " → ")
	switch {
	case circle && turns == 1:
		return text + " (1 turn)"
	case circle:
		return fmt.Sprintf("%s (%d turns)", text, turns)
	default:
		return text
	}
}

// Link is one execution of a tree.
type Link struct {
	Execution           // without result, logs, effects and attempts
	What         string // what fired it, for people: "kv orders/42"; "" = not known any more
	DeadLetterID string
}

// Chain is the tree of one root event, or its beginning.
type Chain struct {
	Links []Link // the oldest first
	More  bool   // there are others
	Cut   int64  // firings that were not kept, since the budget of executions was used up; the one that left the dead letter is not among them
}

// Chains reads the trees of executions.
type Chains interface {
	// Chain gives the queued and ended executions of a root event, at most limit of each.
	Chain(ctx context.Context, appID, rootID string, limit int) (Chain, error)
	// Whats gives what fired executions, by the ids of their events; events that are not there are left out.
	Whats(ctx context.Context, appID string, eventIDs []string) (map[string]string, error)
}
