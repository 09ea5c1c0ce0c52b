package child

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/child/pattern"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// lowered are the language features that goja lacks and esbuild rewrites; all others stay as they are, since lowered code runs slower.
var lowered = map[string]bool{
	"async-generator": false, "for-await": false, "using": false, "decorators": false,
	"import-meta": false, "top-level-await": false, "dynamic-import": false,
}

const (
	noDefaultExport = "the script has no default export that is a function: write `export default async function (event, ctx) { … }`"
	noTopLevelAwait = "await cannot stand at the top level of a script: move it into the default function"
)

// compile serves one Compile frame.
func (s *server) compile(f frame.Frame) error {
	var head frame.Compile
	if err := frame.Decode(f, &head); err != nil {
		return err
	}
	// There is nothing to interrupt in a compiler: the watchdog ends the process.
	s.watch.begin(frame.CompileLimits, compiledFailure, func(*picloud.ScriptError) {})
	code, sourceMap, faults := bundle(head.Name, head.Language, string(f.Body))
	var made *program
	if len(faults) == 0 {
		var err error
		if made, err = compileProgram(head.Name, code, sourceMap); err != nil {
			faults = []frame.Fault{gojaFault(err, sourceMap)}
		}
	}
	if limit, _ := s.watch.end(); limit != nil {
		faults = []frame.Fault{{Message: limit.Message, Line: 1, Column: 1}}
	}
	if len(faults) == 0 {
		faults = s.try(made, func(*picloud.ScriptError, time.Duration) frame.Frame { return compiledFrame(code, sourceMap, true) })
	}
	answer := compiledFrame(code, sourceMap, false)
	if len(faults) > 0 {
		answer = frame.New(frame.KindCompiled, 0, frame.Compiled{Faults: faults}, nil)
	}
	s.conn.send(answer)
	return nil
}

func compiledFrame(code, sourceMap []byte, ending bool) frame.Frame {
	return frame.New(frame.KindCompiled, 0, frame.Compiled{CodeSize: len(code), Ending: ending}, append(code[:len(code):len(code)], sourceMap...))
}

// bundle makes of a module one JavaScript expression that leaves its exports in a global, with a source map.
func bundle(name string, language picloud.Language, source string) (code, sourceMap []byte, faults []frame.Fault) {
	loader, file := api.LoaderTS, name+".ts"
	if language == picloud.JavaScript {
		loader, file = api.LoaderJS, name+".js"
	}
	made := api.Build(api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: source, Sourcefile: file, Loader: loader},
		Bundle: true, Format: api.FormatIIFE, GlobalName: scriptGlobal, Platform: api.PlatformNeutral,
		Target: api.ESNext, Supported: lowered, TreeShaking: api.TreeShakingFalse,
		Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentExclude, Outfile: "script.js",
		Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsNone, TsconfigRaw: "{}", LogLimit: maxFaults,
		LogOverride: map[string]api.LogLevel{"empty-import-meta": api.LogLevelError},
		Plugins:     []api.Plugin{{Name: "picloud", Setup: refuseImports}},
	})
	for _, m := range made.Errors {
		faults = append(faults, esbuildFault(m))
	}
	for _, f := range made.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			sourceMap = shiftColumns(f.Contents)
		} else {
			code = f.Contents
		}
	}
	return code, sourceMap, faults
}

// maxFaults is how many faults of a source are reported.
const maxFaults = 20

// refuseImports makes every import an error: a script is one file.
func refuseImports(b api.PluginBuild) {
	b.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		if a.Kind == api.ResolveEntryPoint {
			return api.OnResolveResult{}, nil
		}
		text := fmt.Sprintf("cannot import %q: a script is one file and imports nothing", a.Path)
		return api.OnResolveResult{Errors: []api.Message{{Text: text}}}, nil
	})
}

func esbuildFault(m api.Message) frame.Fault {
	f := frame.Fault{Message: m.Text, Line: 1, Column: 1}
	switch {
	case strings.Contains(m.Text, "op-level await"):
		f.Message = noTopLevelAwait
	case m.ID == "empty-import-meta":
		f.Message = "import.meta is not there: a script is no file with an address"
	}
	if l := m.Location; l != nil {
		before := l.LineText[:min(max(l.Column, 0), len(l.LineText))]
		f.Line, f.Column = max(l.Line, 1), len(utf16.Encode([]rune(before)))+1
	}
	return f
}

// compiledFailure reports a compilation that hit a limit.
func compiledFailure(e *picloud.ScriptError, _ time.Duration) frame.Frame {
	return frame.New(frame.KindCompiled, 0, frame.Compiled{Faults: []frame.Fault{{Message: e.Message, Line: 1, Column: 1}}, Ending: true}, nil)
}

// try evaluates the module, within limits of its own (stuck makes the answer when they are hit and do not help), to find a default export that is none. A module that throws does so when it runs: that is no fault of the source.
func (s *server) try(p *program, stuck reporter) []frame.Fault {
	scope, err := newScope(newClock(time.Now()), 0)
	if err != nil {
		return []frame.Fault{{Message: err.Error(), Line: 1, Column: 1}}
	}
	(&timers{}).install(scope)
	newConsole(scope, 0, nil, 0)
	s.watch.begin(frame.TrialLimits, stuck, func(e *picloud.ScriptError) { scope.Interrupt(e) })
	err = scope.load(p)
	if err == nil {
		_, err = scope.defaultExport()
	}
	_, _ = s.watch.end()
	var failure *picloud.ScriptError
	if errors.As(err, &failure) && failure.Type == "TypeError" {
		return []frame.Fault{{Message: noDefaultExport, Line: 1, Column: 1}}
	}
	return nil
}

// refusedFlags finds the flags of a regular expression in goja's complaint about them.
var refusedFlags = regexp.MustCompile(`Invalid flags supplied to RegExp constructor '(\w*)'`)

// gojaFault finds the place of goja's complaint in the user's source.
func gojaFault(err error, sourceMap []byte) frame.Fault {
	f := frame.Fault{Message: err.Error(), Line: 1, Column: 1}
	var list parser.ErrorList
	var syntax *goja.CompilerSyntaxError
	var wrong *placedError
	switch {
	case errors.As(err, &wrong):
		f.Line, f.Column = wrong.position.Line, wrong.position.Column+1
	case errors.As(err, &list) && len(list) > 0:
		f.Message = list[0].Message
		m, err := sourcemap.Parse("", sourceMap)
		if err != nil {
			return f
		}
		if _, _, line, column, ok := m.Source(list[0].Position.Line, list[0].Position.Column); ok {
			f.Line, f.Column = line, column+1
		}
	case errors.As(err, &syntax):
		f.Message = syntax.Message
		if syntax.File != nil {
			p := syntax.File.Position(syntax.Offset)
			f.Line, f.Column = p.Line, p.Column+1
		}
	}
	if flags := refusedFlags.FindStringSubmatch(f.Message); flags != nil {
		if _, err := pattern.Expand("", flags[1]); err != nil {
			f.Message = err.Error()
		}
	}
	return f
}
