package child

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

// One op is what every run pays before and beside its script: a runtime with all that is installed in it, and an empty script run in it.
func BenchmarkEmptyRun(b *testing.B) {
	code, sourceMap, faults := bundle("empty", picloud.JavaScript, "export default () => {}")
	require.Empty(b, faults)
	program, err := compileProgram("empty", code, sourceMap)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		s, err := newScope(newClock(time.Unix(0, 0)), 0)
		if err != nil {
			b.Fatal(err)
		}
		(&timers{}).install(s)
		newConsole(s, 0, nil, 0)
		if err := s.load(program); err != nil {
			b.Fatal(err)
		}
		script, err := s.defaultExport()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.invoke(nil, script, s.NewObject(), s.NewObject()); err != nil {
			b.Fatal(err)
		}
	}
}
