package picloud

import (
	"encoding/json"
	"slices"
	"time"
)

// MaxTapeBytes bounds what a tape holds of one run.
const MaxTapeBytes = 1 << 20

// Tape is what a failed run got from the outside, in the order of its calls: with the event, the clock and the seed it is all that the run depended on. It never holds the value of a
// secret: where one would stand, there is "[secret NAME]".
type Tape struct {
	Calls     []TapeCall `json:"calls"`
	Secrets   []string   `json:"secrets"`             // names of those that were read
	Truncated bool       `json:"truncated,omitempty"` // what came after MaxTapeBytes is not on it
}

// Saw says whether the attempt had read a value of the key that was there.
func (t Tape) Saw(collection, key string) bool {
	return slices.ContainsFunc(t.Calls, func(c TapeCall) bool { return c.Body != "" && c.What == "kv.get "+collection+"/"+key })
}

// TapeCall is one call of the script and its answer.
type TapeCall struct {
	What   string          `json:"what"`             // "kv.get orders/42", "fetch GET https://example.com/"
	At     int64           `json:"at"`               // when it was answered: microseconds since the run's start
	Order  int             `json:"order,omitempty"`  // of the answers from the outside, counted from 1; 0 = answered at once, or never
	Answer json.RawMessage `json:"answer,omitempty"` // as the sandbox has it; left out: never answered
	Body   string          `json:"body,omitempty"`   // of the answer
	Base64 bool            `json:"base64,omitempty"` // the body is no text, and in base64
}

// LetterTape is the tape of a dead letter's last attempt.
type LetterTape struct {
	Tape

	Attempt int
	Clock   time.Time // Run.Time of the attempt
	Seed    int64     // Run.Seed of the attempt
}
