package auth

import "time"

// SetClock gives an Authenticator another clock.
func SetClock(a *Authenticator, now func() time.Time) { a.now = now }
