package child

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var texts = []string{
	`null`, `true`, ` false `, `0`, `-0`, `12`, `-7`, `1.5e3`, `1E400`, `123456789012345678901`, `""`, `"a"`, `"ä😀"`, `"\u00e4\n\"\\"`, `[]`, `[1,[2],{}]`,
	`{}`, `{"a":1,"a":2,"__proto__":{"x":1},"b":[null]}`, "[1 ,\n2\t]", ``, `{`, `[1,]`, `{"a"}`, `{"a":}`, `nul`, `1 2`, `"`, `"\`, `-`, `--1`, `1e`, "\"\x01\"", `"\ud800"`,
}

// FuzzDecode compares what decode makes with goja's own JSON.parse.
func FuzzDecode(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := newScope(newClock(time.Unix(0, 0)), 0)
		require.NoError(t, err)
		got, err := s.decode(text)
		if !json.Valid(text) || len(text) == 0 {
			return // such text never comes; it only may not crash
		}
		require.NoError(t, err)
		want, err := s.parse(nil, s.ToValue(string(text)))
		if err != nil {
			return // goja refuses numbers beyond float64, which are Infinity
		}
		gotText, err := s.stringify(nil, got)
		require.NoError(t, err)
		wantText, err := s.stringify(nil, want)
		require.NoError(t, err)
		require.Equal(t, wantText.String(), gotText.String())
	})
}
