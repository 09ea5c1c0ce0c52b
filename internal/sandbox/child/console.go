package child

import (
	"slices"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/sandbox/frame"
)

// console captures what the script says, up to a limit.
type console struct {
	conn  *conn
	left  int
	full  bool
	clock *clock
}

// newConsole installs console in the scope; limit is in bytes. With a nil conn all is dropped.
func newConsole(s *scope, limit int, c *conn) *console {
	con := &console{conn: c, left: limit, clock: s.clock}
	o := s.NewObject()
	for method, level := range map[string]string{"debug": "debug", "log": "info", "info": "info", "warn": "warn", "error": "error", "trace": "debug"} {
		_ = o.Set(method, func(call goja.FunctionCall) goja.Value {
			if !con.full {
				line := "a value that cannot be shown"
				if ex := s.Try(func() { line = format(s, call.Arguments, con.left) }); ex != nil {
					line += ": " + ex.Value().String()
				}
				con.add(level, line)
			}
			return goja.Undefined()
		})
	}
	_ = s.GlobalObject().DefineDataProperty("console", o, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	return con
}

// add sends one line, cut at the limit.
func (c *console) add(level, message string) {
	if c.full || c.conn == nil {
		return
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
	c.send(frame.Log{Level: level}, message)
}

// truncated says that there was more; this line is beyond the limit.
func (c *console) truncated() {
	c.send(frame.Log{Level: "warn", Cut: true}, frame.LogTruncated)
}

func (c *console) send(head frame.Log, message string) {
	head.Time = c.clock.now.UnixMicro()
	c.conn.send(frame.New(frame.KindLog, 0, head, []byte(message)))
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
