package web

import (
	"math"
	"math/big"
	"strings"

	"github.com/dop251/goja"

	"github.com/picloud/picloud/internal/sandbox/child/pattern"
)

// patch is a module that adds to a built-in object what goja lacks there. Since a built-in cannot be made lazily, its triggers say which programs need
// it: those whose text has one of them.
type patch struct {
	module   string
	triggers []string
}

var patches = []patch{
	{"symbols", []string{"asyncIterator", "ispose"}},
	{"iterator", []string{"terator", ".values()", ".keys()", ".entries()", "matchAll", "yield"}},
	{"promise", []string{"withResolvers", ".try"}},
	{"groups", []string{"groupBy", "getOrInsert"}},
	{"fromasync", []string{"fromAsync"}},
	{"text", []string{"WellFormed"}},
	{"stacks", []string{"captureStackTrace"}},
	{"locales", []string{"toLocale", "localeCompare"}},
	{"regexp", []string{"RegExp"}},
	{"numbers", []string{"sumPrecise", ".transfer"}},
}

// dynamic are what makes code at run time: nobody knows what that needs.
var dynamic = []string{"eval", "Function("}

// Needs gives what Patch must be told for a program, by its text.
func Needs(code string) []string {
	has := func(s string) bool { return strings.Contains(code, s) }
	every := anyOf(dynamic, has)
	var need []string
	for _, p := range patches {
		if every || anyOf(p.triggers, has) {
			need = append(need, p.module)
		}
	}
	return need
}

func anyOf(list []string, is func(string) bool) bool {
	for _, s := range list {
		if is(s) {
			return true
		}
	}
	return false
}

// Patch adds what a program needs to the built-in objects, before it runs. It panics as the runtime's code does: call it within an attempt.
func (g *Globals) Patch(needs []string) {
	for _, name := range needs {
		g.use(name)
	}
}

func regexpGlue(g *Globals) map[string]any {
	return map[string]any{"expand": func(call goja.FunctionCall) goja.Value {
		made, err := pattern.Expand(call.Argument(0).String(), call.Argument(1).String())
		if err != nil {
			o, failed := g.rt.New(g.rt.Get("SyntaxError"), g.rt.ToValue(err.Error()))
			throw(failed)
			panic(o)
		}
		return g.rt.ToValue(made)
	}}
}

// sumPrecision is enough of a mantissa to add any float64s without rounding.
const sumPrecision = 2200

func numbersGlue(g *Globals) map[string]any {
	return map[string]any{
		"detach": cloneGlue(g)["detach"],
		// sum adds an array of finite numbers exactly.
		"sum": func(call goja.FunctionCall) goja.Value {
			var numbers []float64
			throw(g.rt.ExportTo(call.Argument(0), &numbers))
			total := new(big.Float).SetPrec(sumPrecision)
			for _, n := range numbers {
				total.Add(total, big.NewFloat(n))
			}
			f, _ := total.Float64()
			if math.IsInf(f, 0) && total.IsInf() {
				return goja.Undefined()
			}
			return g.rt.ToValue(f)
		},
	}
}
