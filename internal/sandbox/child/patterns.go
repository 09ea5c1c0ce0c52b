package child

import (
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"

	"github.com/picloud/picloud/internal/sandbox/child/pattern"
)

// placedError is what is wrong with a program at a place of it.
type placedError struct {
	position file.Position // the user's own, where there is a source map
	message  string
}

// Error implements error.
func (e *placedError) Error() string { return e.message }

// dynamicRequire is esbuild's name for a require that it could not resolve: its argument is no literal. The user's own names are kept apart from it.
const dynamicRequire = "__require"

// refine writes out the \p{…} in the regular expression literals of a program, and refuses imports at run time.
func refine(tree *ast.Program, source string) error {
	if !pattern.NeedsExpansion(source) && !strings.Contains(source, dynamicRequire) {
		return nil
	}
	var failed error
	fail := func(at file.Idx, message string) {
		if failed == nil {
			failed = &placedError{tree.File.Position(int(at) - tree.File.Base()), message}
		}
	}
	walk(tree, func(node any) {
		switch n := node.(type) {
		case *ast.RegExpLiteral:
			made, err := pattern.Expand(n.Pattern, n.Flags)
			if err != nil {
				fail(n.Idx, err.Error())
				return
			}
			n.Pattern = made
		case *ast.CallExpression:
			if callee, ok := n.Callee.(*ast.Identifier); ok && callee.Name == dynamicRequire {
				fail(callee.Idx, "cannot import at run time: a script is one file and imports nothing")
			}
		}
	})
	return failed
}
