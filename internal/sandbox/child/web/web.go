// Package web gives a goja runtime the web APIs and the newer parts of the language that goja lacks. Everything is made when it is first named: a run
// pays for nothing that it does not touch.
package web

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// FilePrefix begins the file names of this package's code in stacks.
const FilePrefix = "picloud:"

//go:embed js/*.js
var sources embed.FS

// Host is what the APIs need of the run.
type Host struct {
	// Random gives random bytes; it never fails.
	Random io.Reader
	// Now is the run's clock; Started is when it began, by that clock.
	Now     func() time.Time
	Started time.Time
}

// Globals are the lazy globals of one runtime.
type Globals struct {
	rt      *goja.Runtime
	host    Host
	table   *table
	modules map[string]*goja.Object // the exports of what was loaded, by module
	useFunc *goja.Object            // use, as modules see it
	extra   map[string]func() goja.Value
	sealed  map[string]bool // names that were made once: from then on they are the script's to change or delete
}

// Install puts the lazy globals beneath the global object of rt: as its prototype, so that a name costs nothing until it is looked up.
func Install(rt *goja.Runtime, host Host) (*Globals, error) {
	g := &Globals{rt: rt, host: host, table: index}
	if err := rt.GlobalObject().SetPrototype(rt.NewDynamicObject(g)); err != nil {
		return nil, fmt.Errorf("set prototype of the global object: %w", err)
	}
	return g, nil
}

// Provide adds a lazy global of the caller's.
func (g *Globals) Provide(name string, maker func() goja.Value) {
	if g.extra == nil {
		g.extra = map[string]func() goja.Value{}
	}
	g.extra[name] = maker
}

// module is one file of JavaScript: an expression whose value is a function of use and host, which gives an object of exports.
type module struct {
	name string
	// globals are the exports that are global names.
	globals []string
	// glue makes host: the functions that are written in Go. nil for none.
	glue func(*Globals) map[string]any

	once    sync.Once
	program *goja.Program
}

// compiled gives the module's program, compiled at its first use in this process.
func (m *module) compiled() *goja.Program {
	m.once.Do(func() { m.program = compile(m.name) })
	return m.program
}

// compile compiles a file of this package.
func compile(name string) *goja.Program {
	source, err := sources.ReadFile("js/" + name + ".js")
	if err != nil {
		panic(err)
	}
	return goja.MustCompile(FilePrefix+name, string(source), true)
}

// table finds modules. Globals hold it, since glue, which the modules name, must not refer to them.
type table struct{ byName, byGlobal map[string]*module }

var index = func() *table {
	t := &table{map[string]*module{}, map[string]*module{}}
	for _, m := range modules {
		t.byName[m.name] = m
		for _, global := range m.globals {
			t.byGlobal[global] = m
		}
	}
	return t
}()

// Names gives the global names of this package, sorted.
func Names() []string {
	return slices.Sorted(maps.Keys(index.byGlobal))
}

// Loaded reports whether the script has made use of a module.
func (g *Globals) Loaded(module string) bool { return g.modules[module] != nil }

// use gives the exports of a module. An error of its code, or an interrupt, is thrown on.
func (g *Globals) use(name string) *goja.Object {
	if o := g.modules[name]; o != nil {
		return o
	}
	m := g.table.byName[name]
	v, err := g.rt.RunProgram(m.compiled())
	throw(err)
	start, _ := goja.AssertFunction(v)
	host := g.rt.NewObject()
	if m.glue != nil {
		for name, value := range m.glue(g) {
			_ = host.Set(name, value)
		}
	}
	v, err = start(nil, g.user(), host)
	throw(err)
	if g.modules == nil {
		g.modules = map[string]*goja.Object{}
	}
	g.modules[name] = v.(*goja.Object)
	return g.modules[name]
}

// user gives the function use(module), which gives the exports of a module, with use.loaded(module).
func (g *Globals) user() goja.Value {
	if g.useFunc == nil {
		g.useFunc = g.rt.ToValue(func(call goja.FunctionCall) goja.Value { return g.use(call.Argument(0).String()) }).(*goja.Object)
		_ = g.useFunc.Set("loaded", func(call goja.FunctionCall) goja.Value { return g.rt.ToValue(g.Loaded(call.Argument(0).String())) })
	}
	return g.useFunc
}

// throw throws err on within the runtime.
func throw(err error) {
	var ex *goja.Exception
	if errors.As(err, &ex) {
		panic(ex.Value())
	}
	if err != nil {
		panic(err)
	}
}

// Get implements goja.DynamicObject: it makes a global at its first use.
func (g *Globals) Get(name string) goja.Value {
	if !g.Has(name) {
		return nil
	}
	var v goja.Value
	if maker := g.extra[name]; maker != nil {
		v = maker()
	} else {
		v = g.use(g.table.byGlobal[name].name).Get(name)
	}
	g.seal(name)
	if err := g.rt.GlobalObject().DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
		throw(err)
	}
	return v
}

func (g *Globals) seal(name string) {
	if g.sealed == nil {
		g.sealed = map[string]bool{}
	}
	g.sealed[name] = true
}

// Has implements goja.DynamicObject.
func (g *Globals) Has(name string) bool {
	if g.table.byGlobal[name] == nil && g.extra[name] == nil {
		return false
	}
	return !g.sealed[name]
}

// Set implements goja.DynamicObject: nothing is set on the prototype of the global object itself.
func (g *Globals) Set(string, goja.Value) bool { return false }

// Delete implements goja.DynamicObject.
func (g *Globals) Delete(string) bool { return false }

// Keys implements goja.DynamicObject: the globals are not enumerable.
func (g *Globals) Keys() []string { return nil }

// domException makes a DOMException to throw.
func (g *Globals) domException(name, format string, args ...any) goja.Value {
	o, err := g.rt.New(g.use("exception").Get("DOMException"), g.rt.ToValue(fmt.Sprintf(format, args...)), g.rt.ToValue(name))
	throw(err)
	return o
}

// bytes gives the bytes of an ArrayBuffer or of a view on one, not copied; ok is false for anything else.
func bytes(v goja.Value) (b []byte, ok bool) {
	o, isObject := v.(*goja.Object)
	if !isObject {
		return nil, false
	}
	if buffer, isBuffer := o.Export().(goja.ArrayBuffer); isBuffer {
		return buffer.Bytes(), true
	}
	if !isView(o) {
		return nil, false
	}
	buffer, isBuffer := o.Get("buffer").Export().(goja.ArrayBuffer)
	if !isBuffer {
		return nil, false
	}
	start, length := int(o.Get("byteOffset").ToInteger()), int(o.Get("byteLength").ToInteger())
	all := buffer.Bytes()
	if start < 0 || length < 0 || start+length > len(all) {
		return nil, false
	}
	return all[start : start+length], true
}

// isView reports whether an object is a typed array or a DataView.
func isView(o *goja.Object) bool {
	switch o.Export().(type) {
	case []int8, []uint8, []int16, []uint16, []int32, []uint32, []float32, []float64, []int64, []uint64:
		return true
	}
	class := o.ClassName()
	return strings.HasSuffix(class, "Array") && class != "Array" || class == "DataView"
}

// buffer makes an ArrayBuffer of b, which is the buffer's from then on.
func (g *Globals) buffer(b []byte) goja.Value { return g.rt.ToValue(g.rt.NewArrayBuffer(b)) }

// mustBytes gives the bytes of a buffer or view, or throws a TypeError that names what needs them.
func (g *Globals) mustBytes(what string, v goja.Value) []byte {
	b, ok := bytes(v)
	if !ok {
		panic(g.rt.NewTypeError(what + " must be an ArrayBuffer, a typed array or a DataView"))
	}
	return b
}
