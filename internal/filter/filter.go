// Package filter evaluates what triggers say in CEL about their events: filters (bool) and keys (text). An expression sees one variable, event, and can neither change
// anything nor run for long: its size, its cost and its memory are bounded.
// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md
package filter

import (
	"fmt"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/picloud/picloud/internal/picloud"
)

// The bounds of an expression.
const (
	MaxLength    = 4 << 10   // of its text, in bytes
	MaxKeyLength = 256       // of the key that it gives, in bytes
	maxCost      = 1_000_000 // units of CEL's cost model that one evaluation may use: some tens of milliseconds
	maxMemory    = 4_000_000 // elements and characters that one evaluation may hold
	maxNodes     = 5_000     // of the syntax tree, macros expanded
	maxDepth     = 50        // of the syntax tree
	maxRegex     = 1_000     // instructions of a regular expression
)

// Filter says whether an event fires a trigger.
type Filter struct{ program cel.Program }

// Compile reads the text of a filter. What is wrong with it is picloud.Invalid on field, with line and column. Compiled texts are remembered: to ask for the same one again is cheap.
func Compile(field, text string) (*Filter, error) {
	program, err := remembered(wantBool, field, text)
	return &Filter{program}, err
}

// Match evaluates the filter. An error says that it has no value for this event, e.g. because it reads a field that the event does not have. Its text is for people who may see
// the event, not for a log: it may quote data.
func (f *Filter) Match(e Event) (bool, error) {
	out, err := eval(f.program, e)
	if err != nil {
		return false, err
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("the filter gives %s, not true or false", out.Type().TypeName())
	}
	return bool(b), nil
}

// Key gives the text by which events of a trigger are grouped.
type Key struct{ program cel.Program }

// CompileKey reads the text of a key, as [Compile] does that of a filter: a string, number, bool or null, the latter as "".
func CompileKey(field, text string) (*Key, error) {
	program, err := remembered(wantText, field, text)
	return &Key{program}, err
}

// Of evaluates the key, at most MaxKeyLength bytes. Errors are as those of [Filter.Match].
func (k *Key) Of(e Event) (string, error) {
	out, err := eval(k.program, e)
	if err != nil {
		return "", err
	}
	text, err := textOf(out)
	if err == nil && len(text) > MaxKeyLength {
		return "", fmt.Errorf("the key is %d bytes long: at most %d", len(text), MaxKeyLength)
	}
	return text, err
}

// textOf gives the one text of a value that can be a key: numbers in their shortest form.
func textOf(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Bool:
		return strconv.FormatBool(bool(v)), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64), nil
	case types.Null:
		return "", nil
	default:
		return "", fmt.Errorf("the key gives %s: a string, number, bool or null is wanted", v.Type().TypeName())
	}
}

func eval(program cel.Program, e Event) (ref.Val, error) {
	if e.bad != nil {
		return nil, e.bad
	}
	out, _, err := program.Eval(map[string]any{"event": e.view})
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	return out, nil
}

// Check compiles the filter of a trigger; "" is none.
func Check(t picloud.Trigger) error {
	if t.Filter == "" {
		return nil
	}
	_, err := Compile("filter", t.Filter)
	return err
}
