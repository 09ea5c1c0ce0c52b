package testkit

import (
	"testing"
	"time"
)

// firstPause and longestPause bound the time between two looks of Eventually.
const (
	firstPause   = 2 * time.Millisecond
	longestPause = 100 * time.Millisecond
)

// Eventually calls check until it returns nil, and fails the test with its last error when that takes longer than timeout.
// It looks often at first and more rarely later. This is the one place of the tests in which time is waited for.
func Eventually(t testing.TB, timeout time.Duration, check func() error) {
	t.Helper()
	start := time.Now()
	pause := firstPause
	for looks := 1; ; looks++ {
		err := check()
		if err == nil {
			return
		}
		if waited := time.Since(start); waited >= timeout {
			t.Fatalf("still not so after %s and %d looks: %v", waited.Round(time.Millisecond), looks, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-t.Context().Done():
			timer.Stop()
			t.Fatalf("test ended while waiting: %v", err)
		}
		pause = min(pause*3/2, longestPause)
	}
}

// Until is Eventually for a condition that has nothing to say but yes or no; what names it in the failure message.
func Until(t testing.TB, timeout time.Duration, what string, check func() bool) {
	t.Helper()
	Eventually(t, timeout, func() error {
		if check() {
			return nil
		}
		return notYetError(what)
	})
}

// notYetError is the error of a condition that does not hold.
type notYetError string

func (n notYetError) Error() string { return "not yet: " + string(n) }
