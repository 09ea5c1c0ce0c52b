package child

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// console captures what the script says, up to a limit. Its lines carry the time of the run's clock.
type console struct {
	scope  *scope
	conn   *conn
	run    uint32 // its number
	left   int
	full   bool
	indent string // of the open groups
	counts map[string]int
	timers map[string]time.Time
}

// maxGroups bounds the indentation, maxLabels the counters and timers.
const (
	maxGroups = 20
	maxLabels = 1000
)

// newConsole installs console in the scope, made when it is first named; limit is in bytes. With a nil conn all is dropped. run is the number of the
// run that its lines are of.
func newConsole(s *scope, limit int, c *conn, run uint32) *console {
	con := &console{scope: s, conn: c, run: run, left: limit}
	s.globals.Provide("console", con.object)
	return con
}

// object makes the console of the script.
func (c *console) object() goja.Value {
	o := c.scope.NewObject()
	say := func(level string) func([]goja.Value) {
		return func(args []goja.Value) { c.say(level, args) }
	}
	for name, f := range map[string]func([]goja.Value){
		"debug": say("debug"), "log": say("info"), "info": say("info"), "warn": say("warn"), "error": say("error"),
		"group": c.group, "groupCollapsed": c.group, "groupEnd": func([]goja.Value) { c.indent = c.indent[min(2, len(c.indent)):] },
		"trace": c.trace, "assert": c.assert, "table": c.table, "count": c.count, "countReset": func(args []goja.Value) { delete(c.counts, label(args)) },
		"time": c.start, "timeLog": func(args []goja.Value) { c.elapsed(args, false) }, "timeEnd": func(args []goja.Value) { c.elapsed(args, true) },
		"dir": func(args []goja.Value) {
			c.add("info", (&inspector{scope: c.scope, limit: c.left}).value(first(args), 0, 0))
		},
	} {
		_ = o.Set(name, func(call goja.FunctionCall) goja.Value {
			if c.full {
				return goja.Undefined()
			}
			if ex := c.scope.Try(func() { f(call.Arguments) }); ex != nil {
				c.add("info", "a value that cannot be shown: "+cut(ex.Value().String(), 1<<10))
			}
			return goja.Undefined()
		})
	}
	return o
}

func first(args []goja.Value) goja.Value {
	if len(args) == 0 {
		return goja.Undefined()
	}
	return args[0]
}

// label gives the name of a counter or timer.
func label(args []goja.Value) string {
	if len(args) == 0 || goja.IsUndefined(args[0]) {
		return "default"
	}
	return cut(args[0].String(), 1<<10)
}

func (c *console) say(level string, args []goja.Value) {
	message := format(c.scope, args, c.left)
	c.addWith(level, message, logValues(c.scope, args, c.left-frame.LogLineCost-len(message)))
}

func (c *console) group(args []goja.Value) {
	if len(args) > 0 {
		c.say("info", args)
	}
	if len(c.indent) < 2*maxGroups {
		c.indent += "  "
	}
}

func (c *console) trace(args []goja.Value) {
	stack := cleanFrames(c.scope.CaptureCallStack(0, nil))
	message := "Trace"
	if len(args) > 0 {
		message += ": " + format(c.scope, args, c.left)
	}
	if stack != "" {
		message += "\n" + stack
	}
	c.add("debug", message)
}

func (c *console) assert(args []goja.Value) {
	if len(args) > 0 && args[0].ToBoolean() {
		return
	}
	message := "Assertion failed"
	if len(args) > 1 {
		message += ": " + format(c.scope, args[1:], c.left)
	}
	c.add("error", message)
}

func (c *console) count(args []goja.Value) {
	name := label(args)
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	if len(c.counts) < maxLabels {
		c.counts[name]++
	}
	c.add("info", name+": "+strconv.Itoa(c.counts[name]))
}

func (c *console) start(args []goja.Value) {
	if c.timers == nil {
		c.timers = map[string]time.Time{}
	}
	if name := label(args); len(c.timers) < maxLabels {
		c.timers[name] = c.scope.clock.now
	}
}

func (c *console) elapsed(args []goja.Value, end bool) {
	name := label(args)
	began, ok := c.timers[name]
	if !ok {
		c.add("warn", fmt.Sprintf("there is no console timer %q", name))
		return
	}
	message := name + ": " + strconv.FormatFloat(float64(c.scope.clock.now.Sub(began).Microseconds())/1000, 'f', -1, 64) + "ms"
	if end {
		delete(c.timers, name)
	} else if len(args) > 1 {
		message += " " + format(c.scope, args[1:], c.left)
	}
	c.add("info", message)
}

// add sends one line, cut at the limit.
func (c *console) add(level, message string) { c.addWith(level, message, nil) }

// addWith sends one line with its structured values, which are left out where they are over the limit.
func (c *console) addWith(level, message string, values []byte) {
	if c.full || c.conn == nil {
		return
	}
	if c.indent != "" {
		message = c.indent + strings.ReplaceAll(message, "\n", "\n"+c.indent)
	}
	c.left -= frame.LogLineCost
	if len(message) > c.left {
		c.full = true
		if message = cut(message, max(c.left, 0)); message == "" {
			c.truncated()
			return
		}
		defer c.truncated()
	}
	c.left -= len(message)
	if len(values) > c.left {
		values = nil
	}
	c.left -= len(values)
	c.send(frame.Log{Level: level, Values: len(values)}, message+string(values))
}

// truncated says that there was more; this line is beyond the limit.
func (c *console) truncated() {
	c.send(frame.Log{Level: "warn", Cut: true}, frame.LogTruncated)
}

func (c *console) send(head frame.Log, message string) {
	head.Time = c.scope.clock.now.UnixMicro()
	c.conn.send(frame.New(frame.KindLog, c.run, head, []byte(message)))
}

// rejections remembers promises that were rejected and that nothing has taken up.
type rejections struct {
	main *goja.Promise // the script's own: its rejection is the run's failure
	open []*goja.Promise
}

// maxRejections is how many unhandled rejections are remembered.
const maxRejections = 20

func (u *rejections) track(p *goja.Promise, op goja.PromiseRejectionOperation) {
	switch {
	case op == goja.PromiseRejectionHandle:
		u.open = slices.DeleteFunc(u.open, func(o *goja.Promise) bool { return o == p })
	case len(u.open) < maxRejections:
		u.open = append(u.open, p)
	}
}

// report logs what is left at the end of a run.
func (u *rejections) report(r *run) {
	for _, p := range u.open {
		if p != u.main {
			e := r.scriptError(p.Result())
			r.console.add("warn", "unhandled rejection: "+e.Error())
		}
	}
}
