package frame

import (
	"encoding/json"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// Setup is the first thing that a child is told: what it may ever need.
type Setup struct {
	// MemoryMB is the largest memory limit of any run, in MiB: the hard limit that the child can never raise again.
	MemoryMB int `json:"memory_mb"`
}

// Hello says that a child is ready.
type Hello struct {
	// Warnings name the layers of protection that this machine refused.
	Warnings []string `json:"warnings,omitempty"`
}

// Run asks for one run. The body is the event's data, the code and the source map.
type Run struct {
	ExecutionID string
	App         string
	Script      string
	Version     int
	Attempt     int
	DryRun      bool
	Taped       bool // the answers come from a tape: each call may fail
	Depth       int
	RootID      string
	ParentID    string
	Time        time.Time // where the run's clock begins, in UTC
	Seed        int64     // of Math.random
	Limits      picloud.Limits
	Event       json.RawMessage // the envelope, without data
	DataSize    int
	Program     Program
}

// Program names a program. CodeSize and MapSize are 0 where the child has it already.
type Program struct {
	SHA256   string
	CodeSize int
	MapSize  int
}

// The operations that a script may ask of the server.
const (
	OpKVGet        = "kv.get"
	OpKVSet        = "kv.set"
	OpKVDelete     = "kv.delete"
	OpKVList       = "kv.list"
	OpTopicPublish = "topic.publish"
	OpQueueSend    = "queue.send"
	OpSecretGet    = "secret.get"
	OpEmailSend    = "email.send"
)

// Call is one call of a script to the server.
type Call struct {
	Op         string
	Fetch      *Fetch // fetch, fetch.abort
	Collection string
	Key        string // or the name of a secret
	Prefix     string
	Cursor     string
	Limit      int
	To         string // the topic or queue of a message
	DelayMS    int64  // of a message
	Priority   int    // of a message
	Order      string // the ordering key of a message
}

// Reply answers a Call. With Error set, the script's promise is rejected with an error of class ErrorType. Tapes keep it as JSON.
type Reply struct {
	// Elapsed is the time from the run's start to this reply, in microseconds: the run's clock goes on to it.
	Elapsed   int64    `json:"at,omitempty"`
	Fetched   *Fetched `json:"h,omitempty"` // fetch
	ErrorType string   `json:"t,omitempty"`
	Error     string   `json:"e,omitempty"`
	Found     bool     `json:"f,omitempty"` // get: there is a value, the body; delete: the key was there
	Items     []Entry  `json:"i,omitempty"` // list: their values are the body
	Next      string   `json:"n,omitempty"` // list: the cursor of the next page
}

// Entry is one item of a list; Size is the length of its value in the body.
type Entry struct {
	Key     string `json:"k"`
	Version int64  `json:"v"`
	Size    int    `json:"s"`
}

// Log is one captured console call.
type Log struct {
	Time  int64 // microseconds since 1970
	Level string
	// Values is the length of the structured values, a JSON array, behind the message.
	Values int
	// Cut marks the line that says that there was more: the last one, beyond the limit.
	Cut bool
}

// LogLineCost is what a log line costs of the limit of log bytes beside its text, so that empty lines come to an end too.
const LogLineCost = 16

// Done is the end of a run: a failure, a value (the body; JSON) or a response (its body is the body).
type Done struct {
	Failure  *picloud.ScriptError
	Response bool
	Status   int
	Headers  [][2]string
	CPU      time.Duration
}

// Compile asks for a compilation; the body is the source.
type Compile struct {
	Name     string           `json:"name"`
	Language picloud.Language `json:"language"`
}

// Compiled answers a Compile: faults of the source, or the code and its map as the body.
type Compiled struct {
	Faults   []Fault `json:"faults,omitempty"`
	CodeSize int     `json:"code_size"`
	// Ending says that the child ends itself after this: its thread could not be had back.
	Ending bool `json:"ending,omitempty"`
}

// Fault is one thing that is wrong with a source; Line and Column count from 1, columns in UTF-16 units as editors do.
type Fault struct {
	Message string `json:"message"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}
