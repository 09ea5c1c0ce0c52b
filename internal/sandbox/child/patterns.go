package child

import (
	"reflect"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"

	"github.com/picloud/picloud/internal/sandbox/child/pattern"
)

// patternError is what is wrong with a regular expression literal, at a place of the compiled code.
type patternError struct {
	position file.Position // the user's own, where there is a source map
	message  string
}

// Error implements error.
func (e *patternError) Error() string { return e.message }

// expandPatterns writes out the \p{…} in the regular expression literals of a program.
func expandPatterns(tree *ast.Program) error {
	var failed error
	literals(reflect.ValueOf(tree.Body), func(l *ast.RegExpLiteral) {
		made, err := pattern.Expand(l.Pattern, l.Flags)
		switch {
		case err == nil:
			l.Pattern = made
		case failed == nil:
			failed = &patternError{tree.File.Position(int(l.Idx) - tree.File.Base()), err.Error()}
		}
	})
	return failed
}

var fileType = reflect.TypeFor[*file.File]()

// literals calls visit for the regular expression literals below v, in order. goja has no walker of its own.
func literals(v reflect.Value, visit func(*ast.RegExpLiteral)) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			literals(v.Elem(), visit)
		}
	case reflect.Pointer:
		if v.IsNil() || v.Type() == fileType {
			return
		}
		if l, ok := v.Interface().(*ast.RegExpLiteral); ok {
			visit(l)
			return
		}
		literals(v.Elem(), visit)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				literals(v.Field(i), visit)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			literals(v.Index(i), visit)
		}
	default:
	}
}
