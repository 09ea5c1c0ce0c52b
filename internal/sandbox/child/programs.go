package child

import (
	"container/list"
	"fmt"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/picloud/picloud/internal/sandbox/child/web"
)

// The bounds of a child's program cache.
const (
	maxPrograms     = 64
	maxProgramBytes = 16 << 20 // of code and source maps together
)

// programKey names a cached program: two scripts of the same code have source maps that name different files.
type programKey struct{ sha256, script string }

// programs keeps the compiled programs that ran last.
type programs struct {
	byKey map[programKey]*list.Element
	order *list.List // the last used in front
	bytes int
}

type cached struct {
	key     programKey
	program *program
	bytes   int
}

// program is a compiled program with what it needs of its runtime.
type program struct {
	*goja.Program
	needs []string // what web.Globals.Patch must be told
}

func newPrograms() *programs {
	return &programs{byKey: map[programKey]*list.Element{}, order: list.New()}
}

// get gives a program, or nil.
func (p *programs) get(k programKey) *program {
	e := p.byKey[k]
	if e == nil {
		return nil
	}
	p.order.MoveToFront(e)
	return e.Value.(*cached).program
}

// add compiles code and keeps the program.
func (p *programs) add(k programKey, code, sourceMap []byte) (*program, error) {
	made, err := compileProgram(k.script, code, sourceMap)
	if err != nil {
		return nil, err
	}
	c := &cached{key: k, program: made, bytes: len(code) + len(sourceMap)}
	p.byKey[k] = p.order.PushFront(c)
	p.bytes += c.bytes
	for p.order.Len() > maxPrograms || p.bytes > maxProgramBytes && p.order.Len() > 1 {
		last := p.order.Remove(p.order.Back()).(*cached)
		delete(p.byKey, last.key)
		p.bytes -= last.bytes
	}
	return made, nil
}

// helperName is the file of code that is not the user's, in stacks.
const helperName = "picloud-helper"

// compileProgram compiles JavaScript as goja runs it; name is the file that positions name where there is no source map.
func compileProgram(name string, code, sourceMap []byte) (*program, error) {
	option, source := parser.Option(parser.WithDisableSourceMaps), string(code)
	if len(sourceMap) > 0 {
		name = helperName // what the map does not know is esbuild's
		option = parser.WithSourceMapLoader(func(string) ([]byte, error) { return sourceMap, nil })
		source += "\n//# sourceMappingURL=map\n"
	}
	tree, err := parser.ParseFile(nil, name, source, 0, option)
	if err != nil {
		return nil, fmt.Errorf("parse program: %w", err)
	}
	if err := refine(tree, source); err != nil {
		return nil, err
	}
	compiled, err := goja.CompileAST(tree, true) // a module is strict
	if err != nil {
		return nil, fmt.Errorf("compile program: %w", err)
	}
	return &program{compiled, web.Needs(source)}, nil
}
