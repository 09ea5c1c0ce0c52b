package child

import (
	"errors"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/child/web"
)

// maxTypeName is the longest ScriptError.Type, in bytes.
const maxTypeName = 256

// scriptError makes the failure of what a script threw. It may run the script's code (a getter of the error): call it within the run's limits.
func (s *scope) scriptError(thrown goja.Value) *picloud.ScriptError {
	e := &picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "Error"}
	if err := s.attempt(func() { s.describe(e, thrown) }); err != nil {
		e.Message = "the script threw a value that cannot be described"
	}
	e.Type, e.Message, e.Stack = cut(e.Type, maxTypeName), cut(e.Message, picloud.MaxErrorMessage), cut(e.Stack, picloud.MaxErrorStack)
	return e
}

func (s *scope) describe(e *picloud.ScriptError, thrown goja.Value) {
	o, ok := thrown.(*goja.Object)
	if !ok {
		e.Message = thrown.String()
		return
	}
	if o.ClassName() != "Error" {
		e.Message = inspect(s, o)
		if message := text(o.Get("message")); message != "" {
			e.Message = message
		}
		return
	}
	e.Type, e.Message = className(o), text(o.Get("message"))
	e.Stack = s.stackOf(o, 0)
	e.NonRetryable, e.RetryAfter = s.globals.Retry(o)
}

// The bounds of what a stack shows of the errors behind its own.
const (
	maxCauses     = 5
	maxAggregated = 5
)

// stackOf gives the stack of an error with those of its causes, of the errors that it gathers and of the one that it suppressed. It may run the
// script's code.
func (s *scope) stackOf(o *goja.Object, depth int) string {
	stack := cleanStack(text(o.Get("stack")))
	if stack == "" || depth == maxCauses {
		return stack
	}
	behind := func(label string, v goja.Value) {
		if v == nil || goja.IsUndefined(v) {
			return
		}
		shown := ""
		if cause, ok := v.(*goja.Object); ok && cause.ClassName() == "Error" {
			shown = s.stackOf(cause, depth+1)
		}
		if shown == "" {
			shown = inspect(s, v)
		}
		stack += "\n" + label + shown
	}
	behind("Caused by: ", o.Get("cause"))
	behind("Suppressed: ", o.Get("suppressed"))
	if list, ok := o.Get("errors").(*goja.Object); ok && list.ClassName() == "Array" {
		n := int(list.Get("length").ToInteger())
		for i := range min(n, maxAggregated) {
			behind("Error "+strconv.Itoa(i+1)+" of "+strconv.Itoa(n)+": ", list.Get(strconv.Itoa(i)))
		}
	}
	return stack
}

// className gives the class of an error: its own name where it has one, else its constructor's.
func className(o *goja.Object) string {
	for _, name := range o.GetOwnPropertyNames() {
		if name == "name" {
			return text(o.Get("name"))
		}
	}
	if c, ok := o.Get("constructor").(*goja.Object); ok {
		if name := text(c.Get("name")); name != "" {
			return name
		}
	}
	if name := text(o.Get("name")); name != "" {
		return name
	}
	return "Error"
}

// thrownError makes the failure of an error that came out of the runtime. limit is the limit that was hit, if any.
func (s *scope) thrownError(err error, limit *picloud.ScriptError) *picloud.ScriptError {
	if limit != nil {
		return limit
	}
	var ex *goja.Exception
	if errors.As(err, &ex) {
		e := s.scriptError(ex.Value())
		if e.Stack == "" {
			e.Stack = cut(cleanFrames(ex.Stack()), picloud.MaxErrorStack)
		}
		return e
	}
	return &picloud.ScriptError{Reason: picloud.ReasonScriptError, Type: "Error", Message: cut(err.Error(), picloud.MaxErrorMessage)}
}

// maxFrames is how many frames of a deep stack are kept.
const maxFrames = 50

// cleanFrames writes frames as cleanStack does.
func cleanFrames(frames []goja.StackFrame) string {
	var b strings.Builder
	for _, f := range frames[:min(len(frames), maxFrames)] {
		p := f.Position()
		if p.Line > 0 {
			b.WriteString("\tat " + f.FuncName() + " (" + p.Filename + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column) + "(0))\n")
		}
	}
	return cleanStack(b.String())
}

// stackLine is a frame as goja writes it: "\tat name (file:line:column(pc))" or without the name and its parentheses.
var stackLine = regexp.MustCompile(`^\s*at (?:(.*) \()?([^()]+):(\d+):(\d+)\(\d+\)\)?$`)

// cleanStack gives a goja stack in the form that people know from other engines, without the frames of our own code and of built-ins.
func cleanStack(stack string) string {
	var b strings.Builder
	frames := 0
	for line := range strings.Lines(stack) {
		line = strings.TrimRight(line, "\n")
		m := stackLine.FindStringSubmatch(line)
		switch {
		case m == nil && strings.HasPrefix(line, "\tat "): // native
			continue
		case m == nil:
			b.WriteString(line)
		case strings.HasPrefix(m[2], web.FilePrefix) || m[2] == helperName || frames >= maxFrames:
			continue
		default:
			frames++
			// goja counts the columns of source maps from 0.
			column, _ := strconv.Atoi(m[4])
			at := m[2] + ":" + m[3] + ":" + strconv.Itoa(column+1)
			if m[1] != "" {
				at = functionName(m[1], m[2]) + " (" + at + ")"
			}
			b.WriteString("    at " + at)
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n")
}

// functionName gives the name of a function of a file: esbuild calls an anonymous default export after the file.
func functionName(name, file string) string {
	if base, ok := strings.CutSuffix(name, "_default"); ok && base == noIdentifier.ReplaceAllString(strings.TrimSuffix(file, path.Ext(file)), "_") {
		return "default"
	}
	return name
}

var noIdentifier = regexp.MustCompile(`[^0-9A-Za-z_$]+`)

// text gives a value as a string; "" for undefined.
func text(v goja.Value) string {
	if v == nil || goja.IsUndefined(v) {
		return ""
	}
	return v.String()
}

// cut shortens a text to at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "…"
	if n < len(mark) {
		return ""
	}
	s = s[:n-len(mark)]
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + mark
}
