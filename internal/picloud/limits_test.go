package picloud_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

var update = flag.Bool("update", false, "write the table of limits in docs/scripting.md anew")

const (
	limitsDoc   = "../../docs/scripting.md"
	limitsBegin = "<!-- limits: written by `go test ./internal/picloud -update` -->\n"
	limitsEnd   = "<!-- limits end -->\n"
)

func limitsTable() string {
	var b strings.Builder
	b.WriteString("| limit | default | least | default ceiling | at the limit | what it bounds |\n|---|---|---|---|---|---|\n")
	unit := func(l picloud.Limit, value int64) string {
		if l.Unit == picloud.LimitDuration {
			return strings.Replace(l.Text(value), "m0s", "m", 1)
		}
		return l.Text(value) + " " + l.Unit
	}
	for _, l := range picloud.LimitTable {
		end := "the run goes on"
		if l.ErrorType != "" {
			end = fmt.Sprintf("`%s` (`%s`)", l.ErrorType, l.Reason)
		}
		normal := l.Text(l.Get(picloud.DefaultLimits))
		if l.Unit != picloud.LimitDuration {
			normal += " " + l.Unit
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s, `%s` | %s | %s |\n", l.Name, normal, unit(l, l.Least), unit(l, l.Ceiling), l.Variable, end, l.Description)
	}
	return b.String()
}

func TestLimitsAreInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(limitsDoc)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), limitsBegin)
	require.True(t, found, "docs/scripting.md has no %s", limitsBegin)
	table, after, found := strings.Cut(rest, limitsEnd)
	require.True(t, found, "docs/scripting.md has no %s", limitsEnd)
	if *update {
		require.NoError(t, os.WriteFile(limitsDoc, []byte(before+limitsBegin+limitsTable()+limitsEnd+after), 0o600))
		return
	}
	require.Equal(t, limitsTable(), table, "the table is stale: run go test ./internal/picloud -update")
}

func TestLimitTableIsComplete(t *testing.T) {
	t.Parallel()
	fields := reflect.TypeFor[picloud.Limits]()
	require.Len(t, picloud.LimitTable, fields.NumField())
	var all picloud.Limits
	for i, l := range picloud.LimitTable {
		name, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		require.Equal(t, name, l.Name)
		require.Positive(t, l.Get(picloud.DefaultLimits), l.Name)
		require.GreaterOrEqual(t, l.Ceiling, l.Get(picloud.DefaultLimits), l.Name)
		require.Positive(t, l.Least, l.Name)
		require.NotEmpty(t, l.Description, l.Name)
		require.Equal(t, l.ErrorType == "", l.Reason == "", l.Name)
		l.Set(&all, int64(i+1))
		require.Equal(t, int64(i+1), l.Get(all), l.Name)
	}
	require.Equal(t, 4, all.CallDepth)
	require.Equal(t, all, all.Or(picloud.DefaultLimits))
	require.Equal(t, picloud.DefaultLimits, picloud.Limits{}.Or(picloud.DefaultLimits))
	require.Equal(t, all, picloud.DefaultLimits.Within(all))
	require.Equal(t, picloud.DefaultLimits, picloud.DefaultLimits.Within(picloud.Limits{}))
}
