// Package host is the server's side of what scripts may call: one file a host API. Calls arrive in the order in which the script made them, from one
// goroutine; what has to wait for the outside is given back as a Later and may run beside others.
package host

import (
	"context"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// Answer is what a script gets for a call.
type Answer struct {
	Head frame.Reply // with Elapsed where it has a time of its own
	Body []byte
	Sent func() // is called when the answer is on its way; nil = nobody asks
}

// Later finishes a call that has to wait. Its errors are as those of Func.
type Later func(ctx context.Context) (Answer, error)

// Func takes one call: it answers at once, or gives a Later. A *picloud.ScriptError as error ends the run with that failure; any other error is
// a fault of the platform and ends the run as that. What the script did wrong and may catch is an Answer made by Throw.
type Func func(call frame.Call, body []byte) (Answer, Later, error)

// Table is the operations that a run may call, by name.
type Table map[string]Func

// Throw makes the Answer that rejects the script's promise with an error of a standard class.
func Throw(class, message string) Answer {
	return Answer{Head: frame.Reply{ErrorType: class, Error: message}}
}
