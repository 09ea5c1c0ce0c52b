package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
)

func TestSearchAttributesAreParsed(t *testing.T) {
	t.Parallel()
	got, err := parseSearchAttributes([]string{"App=Keyword", "Depth=Int"})
	require.NoError(t, err)
	require.Equal(t, map[string]enumspb.IndexedValueType{
		"App": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "Depth": enumspb.INDEXED_VALUE_TYPE_INT,
	}, got)
	for _, bad := range []string{"", "App", "=Int", "App=Number", "App=Unspecified"} {
		_, err := parseSearchAttributes([]string{bad})
		require.ErrorContains(t, err, "want Name=Type, with a type of Bool, Datetime, Double, Int, Keyword, KeywordList, Text", bad)
	}
}

func TestFailureIsPrintedOnceAndWithoutUsage(t *testing.T) {
	t.Parallel()
	var out, err bytes.Buffer
	code := Main([]string{"engine", "--no-such-flag"}, Streams{In: new(bytes.Buffer), Out: &out, Err: &err})
	require.Equal(t, 1, code)
	require.Equal(t, "picloud: unknown flag: --no-such-flag\n", err.String())
	require.Empty(t, out.String())
}
