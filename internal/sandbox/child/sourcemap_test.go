package child

import (
	"testing"

	"github.com/go-sourcemap/sourcemap"
	"github.com/stretchr/testify/require"
)

func TestShiftColumns(t *testing.T) {
	t.Parallel()
	// Line 1: column 0 is from 1:0, column 4 from 1:2. Line 2: column 40 from 2:0.
	plain := []byte(`{"version":3,"sources":["a.ts"],"names":[],"mappings":"AAAA,IAAE;wCACF"}`)
	m, err := sourcemap.Parse("", shiftColumns(plain))
	require.NoError(t, err)
	for _, c := range [][4]int{{1, 5, 1, 2}, {1, 9, 1, 2}, {2, 41, 2, 0}} {
		_, _, line, column, ok := m.Source(c[0], c[1])
		require.True(t, ok)
		require.Equal(t, [2]int{c[2], c[3]}, [2]int{line, column}, "%v", c)
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"mappings":1}`} {
		require.Equal(t, bad, string(shiftColumns([]byte(bad))))
	}
}
