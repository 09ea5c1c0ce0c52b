package filter

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"

	"github.com/picloud/picloud/internal/picloud"
)

// want is the kind of value that an expression must give.
type want struct {
	types []*cel.Type // dyn is decided when it is evaluated
	words string
}

var (
	wantBool = &want{[]*cel.Type{cel.BoolType}, "true or false"}
	wantText = &want{[]*cel.Type{cel.StringType, cel.BoolType, cel.IntType, cel.UintType, cel.DoubleType, cel.NullType}, "a string, number, bool or null"}
)

// environment is what expressions may use. What is not here they cannot reach: no clock, no randomness, no input but the event.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Types(cel.NativeTypeFor[view](cel.NativeTypeAlias("picloud.Event"), ext.ParseStructTags(true))),
		cel.Variable("event", cel.ObjectType("picloud.Event")),
		cel.CrossTypeNumericComparisons(true), // numbers of JSON are doubles: data.total > 100
		cel.DefaultUTCTimeZone(true),
		cel.OptionalTypes(),
		ext.Strings(), ext.Math(), ext.Lists(), ext.Sets(),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
	)
})

// maxRemembered bounds the memory of compiled expressions.
const maxRemembered = 2_000

// programs are the compiled expressions of this process, by what they must give and their text.
var programs = struct {
	sync.Mutex

	of map[programKey]cel.Program
}{of: map[programKey]cel.Program{}}

type programKey struct {
	want *want
	text string
}

// remembered compiles text, unless that was done lately.
func remembered(w *want, field, text string) (cel.Program, error) {
	key := programKey{w, text}
	programs.Lock()
	program := programs.of[key]
	programs.Unlock()
	if program != nil {
		return program, nil
	}
	program, err := compile(w, field, text)
	if err != nil {
		return nil, err
	}
	programs.Lock()
	defer programs.Unlock()
	if len(programs.of) >= maxRemembered {
		clear(programs.of)
	}
	programs.of[key] = program
	return program, nil
}

func compile(w *want, field, text string) (cel.Program, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, picloud.InvalidField(field, "is empty: a CEL expression that gives %s is wanted", w.words)
	case len(text) > MaxLength:
		return nil, picloud.InvalidField(field, "is %d bytes long: at most %d", len(text), MaxLength)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return nil, picloud.InvalidField(field, "contains a NUL byte or invalid UTF-8")
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("make CEL environment: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, refusal(field, issues)
	}
	if !w.allows(ast.OutputType()) {
		return nil, picloud.InvalidFields(picloud.FieldError{Field: field, Message: fmt.Sprintf("gives %s: %s is wanted", ast.OutputType(), w.words), Line: 1, Column: 1})
	}
	estimate, err := env.EstimateCost(ast, nil)
	if err != nil {
		return nil, picloud.InvalidField(field, "its cost cannot be estimated: %s", err)
	}
	if estimate.Min > maxCost {
		return nil, picloud.InvalidField(field, "costs at least %d units to evaluate: at most %d", estimate.Min, maxCost)
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.MemoryLimit(maxMemory))
	if err != nil {
		return nil, picloud.InvalidField(field, "cannot be evaluated: %s", err)
	}
	return program, nil
}

func (w *want) allows(t *cel.Type) bool {
	if t.IsExactType(cel.DynType) {
		return true
	}
	for _, allowed := range w.types {
		if t.IsExactType(allowed) {
			return true
		}
	}
	return false
}

// maxIssues is how many faults of one expression are told.
const maxIssues = 5

// refusal names what is wrong and where: lines and columns count from one.
func refusal(field string, issues *cel.Issues) error {
	var fields []picloud.FieldError
	for _, e := range issues.Errors() {
		if len(fields) == maxIssues {
			break
		}
		fields = append(fields, picloud.FieldError{Field: field, Message: e.Message, Line: max(e.Location.Line(), 1), Column: max(e.Location.Column(), 0) + 1})
	}
	return picloud.InvalidFields(fields...)
}
