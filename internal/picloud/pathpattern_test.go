package picloud

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPathPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string
		params        string // "name=value …"; "-" = not covered
	}{
		{"", "/", ""}, {"", "/a/b", ""}, {"*", "/a", ""}, {"/*", "/", ""}, {"/*", "/a/b", ""}, {"/", "/", ""}, {"/", "/a", "-"},
		{"/orders/:id", "/orders/42", "id=42"}, {"/orders/:id", "/orders/", "-"}, {"/orders/:id", "/orders", "-"}, {"/orders/:id", "/orders/42/", "-"}, {"/orders/:id", "/orders/42/x", "-"},
		{"/orders/:id/lines/:line", "/orders/4/lines/2", "id=4 line=2"}, {"/files/*rest", "/files/a/b.txt", "rest=a/b.txt"}, {"/files/*rest", "/files/", "rest="}, {"/files/*rest", "/files", "-"},
		{"/later/*", "/later/x/y", ""}, {"/later/*", "/later", "-"}, {"/ord*", "/orders/1", ""}, {"/ord*", "/or", "-"}, {"/a/ord*", "/a/ord", ""}, {"/a", "/a", ""}, {"/a", "/A", "-"}, {"/a", "/a/", "-"}, {"/a/", "/a/", ""},
		{"/:a", "/ü ", "a=ü "}, {"/a:b", "/a:b", ""},
	} {
		p, err := ParsePath("path", c.pattern)
		require.NoError(t, err, c.pattern)
		params, covers := p.Match(c.path)
		if c.params == "-" {
			assert.False(t, covers, "%s %s", c.pattern, c.path)
			continue
		}
		require.True(t, covers, "%s %s", c.pattern, c.path)
		var got []string
		for name, value := range params {
			got = append(got, name+"="+value)
		}
		slices.Sort(got)
		assert.Equal(t, c.params, strings.Join(got, " "), "%s %s", c.pattern, c.path)
	}
	for _, bad := range []string{"orders", "/a*b", "/*/b", "/a/*x/b", "/:", "/:1", "/:a-b", "/:a/:a", "/:a/*a", "/*a b", "/a\x00", "/" + strings.Repeat("a", 256), strings.Repeat("/:a", 21)} {
		_, err := ParsePath("path", bad)
		assert.Error(t, err, bad)
	}
}

func trigger(name string, path string, methods ...string) Trigger {
	return Trigger{Name: name, Enabled: true, HTTP: &HTTPConfig{Path: path, Methods: methods}}
}

func TestMostSpecificTriggerWins(t *testing.T) {
	t.Parallel()
	triggers := []Trigger{
		trigger("all", ""), trigger("rest", "/orders/*rest"), trigger("prefix", "/orders/n*"), trigger("longer", "/orders/ne*"), trigger("id", "/orders/:id"), trigger("id-get", "/orders/:order", "GET", "HEAD"),
		trigger("new", "/orders/new"), trigger("lines", "/orders/:id/lines"), trigger("new-lines", "/orders/new/:what"), trigger("post", "/only", "POST"), trigger("put", "/only", "PUT", "POST"),
	}
	for request, want := range map[string]string{
		"GET /": "all", "POST /orders": "all", "POST /orders/1": "id", "GET /orders/1": "id-get", "GET /orders/new": "new", "POST /orders/next": "id", "GET /orders/1/2": "rest", "GET /orders/nex/t": "longer",
		"GET /orders/nxx/t": "prefix", "GET /orders/1/lines": "lines", "GET /orders/new/lines": "new-lines", "POST /only": "post", "PUT /only": "put", "GET /only": "all",
	} {
		method, path, _ := strings.Cut(request, " ")
		m := MatchHTTP(triggers, method, path)
		require.NotNil(t, m.Trigger, request)
		assert.Equal(t, want, m.Trigger.Name, request)
		assert.Empty(t, m.Allow)
	}
	assert.Equal(t, map[string]string{"order": "7"}, MatchHTTP(triggers, "GET", "/orders/7").Params)
	m := MatchHTTP(triggers[9:], "GET", "/only")
	assert.Nil(t, m.Trigger)
	assert.Equal(t, []string{"POST", "PUT"}, m.Allow)
	m = MatchHTTP(triggers[9:], "GET", "/other")
	assert.Nil(t, m.Trigger)
	assert.Empty(t, m.Allow)
	assert.NotNil(t, m.Params)
	triggers[0].Enabled = false
	assert.Nil(t, MatchHTTP(triggers[:1], "GET", "/").Trigger)
}

// What a pattern is made of comes back out of a path that is made of it, and the order of triggers does not decide between different shapes.
func TestPathPatternsAndTheirPaths(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[a-z]{1,3}`)
		segment := rapid.OneOf(part, rapid.Just(":x"), rapid.Just(":y"))
		parts := rapid.SliceOfNDistinct(segment, 1, 4, rapid.ID).Draw(t, "parts")
		var path strings.Builder
		want := map[string]string{}
		for _, s := range parts {
			value := s
			if name, named := strings.CutPrefix(s, ":"); named {
				value = part.Draw(t, "value")
				want[name] = value
			}
			path.WriteString("/" + value)
		}
		pattern := "/" + strings.Join(parts, "/")
		p, err := ParsePath("path", pattern)
		require.NoError(t, err)
		params, covers := p.Match(path.String())
		require.True(t, covers)
		require.Equal(t, want, params)
		require.Zero(t, comparePatterns(p, p))

		a, b := trigger("a", pattern), trigger("b", path.String()+"*")
		first, second := MatchHTTP([]Trigger{a, b}, "GET", path.String()), MatchHTTP([]Trigger{b, a}, "GET", path.String())
		require.Equal(t, first.Trigger.Name, second.Trigger.Name)
	})
}
