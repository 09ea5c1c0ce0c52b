package filter_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/filter"
	"github.com/picloud/picloud/internal/picloud"
)

func order(data string) filter.Event {
	return filter.Of(picloud.Event{
		ID: "019f0000-0000-7000-8000-000000000001", Source: "/apps/shop/kv/orders", Type: picloud.TypeKVUpdated, Subject: "o-1",
		Time: time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC), RootID: "019f0000-0000-7000-8000-000000000001", Depth: 2, Data: json.RawMessage(data),
	})
}

func TestMatch(t *testing.T) {
	t.Parallel()
	const data = `{"collection":"orders","key":"o-1","value":{"total":120,"price":99.5,"tags":["new","eu"],"note":null},"old_value":{"total":90},"n":9007199254740993}`
	for _, c := range []struct {
		filter string
		want   bool
	}{
		{`event.data.value.total > 100`, true},
		{`event.data.value.total > 100.5`, true},
		{`event.data.value.total == 120`, true},
		{`event.data.value.total - event.data.old_value.total >= 50.0`, false},
		{`event.data.value.price * 2.0 == 199.0`, true},
		{`"eu" in event.data.value.tags && event.data.value.tags.exists(t, t.startsWith("n"))`, true},
		{`event.data.value.note == null`, true},
		{`has(event.data.value.customer)`, false},
		{`event.data.value.?customer.orValue("nobody") == "nobody"`, true},
		{`event.type == "picloud.kv.updated" && event.subject.startsWith("o-")`, true},
		{`event.source.split("/")[2] == "shop"`, true},
		{`event.time.getHours() == 22 && event.time.getHours("Europe/Berlin") == 23`, true},
		{`event.time > timestamp("2026-01-01T00:00:00Z")`, true},
		{`event.depth == 2 && event.parentid == "" && event.rootid == event.id`, true},
		{`math.greatest(event.data.value.total, event.data.old_value.total) == 120.0`, true},
		{`event.data.value.tags.distinct().size() == 2`, true},
		{`event.data.key.matches("^o-[0-9]+$")`, true},
		{`true`, true},
	} {
		f, err := filter.Compile("filter", c.filter)
		require.NoError(t, err, c.filter)
		got, err := f.Match(order(data))
		require.NoError(t, err, c.filter)
		assert.Equal(t, c.want, got, c.filter)
	}
}

func TestWhatHasNoValueIsAnErrorAndNotFalse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ filter, data, says string }{
		{`event.data.value.total > 100`, `{"value":{}}`, "no such key: total"},
		{`event.data.value.total > 100`, `{}`, "no such key: value"},
		{`event.data.total > 100`, ``, "total"},
		{`event.data.total > 100`, `{"total":"a lot"}`, "no such overload"},
		{`event.data`, `{}`, "not true or false"},
		{`event.data.a[3] == 1`, `{"a":[]}`, "index out of bounds"},
		{`event.data.a`, `not json`, "decode data"},
		{`event.data.a.all(x, event.data.a.all(y, event.data.a.all(z, x != y || y == z || true)))`, `{"a":[` + strings.TrimSuffix(strings.Repeat("1,", 300), ",") + `]}`, "cost limit exceeded"},
	} {
		f, err := filter.Compile("filter", c.filter)
		require.NoError(t, err, c.filter)
		_, err = f.Match(order(c.data))
		assert.ErrorContains(t, err, c.says, c.filter)
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, data, want string }{
		{`event.data.customer`, `{"customer":"c-7"}`, "c-7"},
		{`event.data.customer`, `{"customer":7}`, "7"},
		{`event.data.customer`, `{"customer":1.5}`, "1.5"},
		{`event.data.customer`, `{"customer":true}`, "true"},
		{`event.data.customer`, `{"customer":null}`, ""},
		{`event.depth`, `{}`, "2"},
		{`event.subject + "/" + event.data.region`, `{"region":"eu"}`, "o-1/eu"},
		{`"all"`, `{}`, "all"},
	} {
		k, err := filter.CompileKey("concurrency.key", c.key)
		require.NoError(t, err, c.key)
		got, err := k.Of(order(c.data))
		require.NoError(t, err, c.key)
		assert.Equal(t, c.want, got, c.key)
	}
	k, err := filter.CompileKey("concurrency.key", `event.data.customer`)
	require.NoError(t, err)
	for data, says := range map[string]string{
		`{"customer":[1]}`: "list", `{"customer":{}}`: "map", `{}`: "no such key", `{"customer":"` + strings.Repeat("x", filter.MaxKeyLength+1) + `"}`: "257 bytes long",
	} {
		_, err := k.Of(order(data))
		assert.ErrorContains(t, err, says, data)
	}
}

func TestWhatCannotBeCompiledIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, says string
		line, column int
	}{
		{``, "is empty", 0, 0},
		{` `, "is empty", 0, 0},
		{`event.data.total >`, "Syntax error", 1, 19},
		{"event.depth > 1 &&\n  event.dat.total > 100", "undefined field 'dat'", 2, 8},
		{`events.data.total > 1`, "undeclared reference to 'events'", 1, 1},
		{`event.depth > "a"`, "no matching overload", 1, 13},
		{`event.subject`, "gives string: true or false is wanted", 1, 1},
		{`1 + 1`, "gives int", 1, 1},
		{`event.subject.matches("(")`, "invalid matches argument", 1, 23},
		{`event.subject == "` + strings.Repeat("x", filter.MaxLength) + `"`, "bytes long: at most 4096", 0, 0},
		{strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100), "recursion", 1, 1},
		{"event.subject == \"\x00\"", "NUL", 0, 0},
		{"event.subject == \"\xff\"", "UTF-8", 0, 0},
	} {
		_, err := filter.Compile("filter", c.filter)
		e := picloud.AsError(err)
		require.NotNil(t, e, "%q: %v", c.filter, err)
		assert.Equal(t, picloud.Invalid, e.Kind)
		assert.Equal(t, "filter", e.Fields[0].Field)
		assert.Contains(t, e.Fields[0].Message, c.says, c.filter)
		if c.line > 0 && c.says != "recursion" {
			assert.Equal(t, [2]int{c.line, c.column}, [2]int{e.Fields[0].Line, e.Fields[0].Column}, c.filter)
		}
		assert.LessOrEqual(t, len(e.Fields), 5)
	}
	_, err := filter.CompileKey("throttle.key", `[event.subject]`)
	require.ErrorContains(t, err, "throttle.key: gives list")
}

// FuzzExpression: whatever the text and the event, nothing panics, and evaluation ends soon.
func FuzzExpression(f *testing.F) {
	for _, seed := range [][2]string{
		{`event.data.value.total > 100`, `{"value":{"total":120}}`},
		{`event.data.all(x, event.data.all(y, x != y))`, `[1,2,3]`},
		{`lists.range(100000000).map(x, x * x).size() > 3`, `{}`},
		{`lists.range(3000).all(x, lists.range(3000).all(y, x + y >= 0))`, `{}`},
		{`"aaaaaaaaaaaaaaaaaaaa".replace("a", "bbbbbbbbbbbbbbbbbb").replace("b", "cccccccccccccccccccc").replace("c","dddddddddddddddddddd").replace("d", "eeeeeeeeeeeeee") == event.subject`, `{}`},
		{`"%s %d".format([event.subject, event.depth]) == ""`, `null`},
		{`event.subject.matches("(a+)+$")`, ``},
		{`event.data.?a.?b.orValue(1) == 1`, `{"a":{"b":2}}`},
		{`event.time.getHours("Nowhere/At_all") == 1`, `{}`},
		{`event.data["` + strings.Repeat("x", 100) + `"]`, `{`},
		{"\u202e'\U0001f600", `"\ud800"`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, data string) {
		begun := time.Now()
		e := order(data)
		compiled, err := filter.Compile("filter", text)
		if err != nil {
			require.Equal(t, picloud.Invalid, picloud.AsError(err).Kind, "%v", err)
		} else {
			_, _ = compiled.Match(e)
		}
		if key, err := filter.CompileKey("key", text); err == nil {
			_, _ = key.Of(e)
		}
		require.Less(t, time.Since(begun), 10*time.Second, "%s", text) // the bound of a hang, far above what a loaded machine needs
	})
}
