package picloud

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// PathPattern is a parsed pattern on paths: "/orders/:id" (one segment, named), "/files/*rest" (all that follows, named), "/files/*" and "/ord*" (all that
// follows, without a name), or an exact path. The zero pattern covers nothing.
type PathPattern struct {
	segments []pathSegment
}

// The kinds of segments, the most specific first.
const (
	literalSegment = iota
	paramSegment
	prefixSegment // the text, and all that follows it
	restSegment   // all that follows, slashes and the empty text included
)

type pathSegment struct {
	kind int
	text string // of a literal or prefix
	name string // of a parameter; "" = without
}

// MaxPathParams is how many parts of a path may have names.
const MaxPathParams = 20

var paramForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// ParsePath reads a pattern; "" and "*" cover every path. The error names the field.
func ParsePath(field, pattern string) (PathPattern, error) {
	switch {
	case pattern == "" || pattern == "*":
		return PathPattern{segments: []pathSegment{{kind: restSegment}}}, nil
	case pattern[0] != '/':
		return PathPattern{}, InvalidField(field, `must start with a slash, as the path below the endpoint does ("/orders/:id")`)
	case len(pattern) > MaxGlobLength:
		return PathPattern{}, InvalidField(field, "is %d bytes long: at most %d", len(pattern), MaxGlobLength)
	case strings.ContainsFunc(pattern, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }):
		return PathPattern{}, InvalidField(field, "contains control characters or invalid UTF-8")
	}
	var p PathPattern
	var names []string
	parts := strings.Split(pattern[1:], "/")
	for i, part := range parts {
		s := pathSegment{text: part}
		star := strings.IndexByte(part, '*')
		switch {
		case strings.HasPrefix(part, ":"):
			s = pathSegment{kind: paramSegment, name: part[1:]}
		case star == 0:
			s = pathSegment{kind: restSegment, name: part[1:]}
		case star == len(part)-1 && star > 0:
			s = pathSegment{kind: prefixSegment, text: part[:star]}
		case star > 0:
			return PathPattern{}, InvalidField(field, "%q: a star stands at the end of the path, or before the name of all that follows (\"/files/*rest\")", part)
		}
		if s.kind >= prefixSegment && i < len(parts)-1 {
			return PathPattern{}, InvalidField(field, "%q: a star may only stand in the last part of the path", part)
		}
		if named := s.kind == paramSegment || s.kind == restSegment && s.name != ""; named {
			if !paramForm.MatchString(s.name) {
				return PathPattern{}, InvalidField(field, "%q: the name of a part of the path is 1 to 64 of A-Z, a-z, 0-9 and _, no digit first", part)
			}
			if slices.Contains(names, s.name) {
				return PathPattern{}, InvalidField(field, "%q: there are two parts of that name", part)
			}
			names = append(names, s.name)
		}
		p.segments = append(p.segments, s)
	}
	if len(names) > MaxPathParams {
		return PathPattern{}, InvalidField(field, "has %d named parts: at most %d", len(names), MaxPathParams)
	}
	return p, nil
}

// Match reports whether the pattern covers a path that starts with a slash, and gives its named parts. A named segment is never empty.
func (p PathPattern) Match(path string) (params map[string]string, covers bool) {
	params = map[string]string{}
	rest, more := strings.CutPrefix(path, "/")
	for _, s := range p.segments {
		if s.kind == restSegment && len(p.segments) == 1 { // covers what has no slash, too
			more = true
		}
		if !more {
			return nil, false
		}
		switch s.kind {
		case restSegment:
			if s.name != "" {
				params[s.name] = rest
			}
			return params, true
		case prefixSegment:
			return params, strings.HasPrefix(rest, s.text)
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		switch {
		case s.kind == literalSegment && segment != s.text, s.kind == paramSegment && segment == "":
			return nil, false
		case s.kind == paramSegment:
			params[s.name] = segment
		}
	}
	return params, !more && len(p.segments) > 0
}

// Example gives a path that the pattern covers, with what its named parts are then.
func (p PathPattern) Example() (path string, params map[string]string) {
	var b strings.Builder
	for _, s := range p.segments {
		b.WriteByte('/')
		switch {
		case s.kind == literalSegment:
			b.WriteString(s.text)
		case s.kind == paramSegment:
			b.WriteString("42")
		case len(p.segments) > 1:
			b.WriteString(s.text + "example")
		}
	}
	path = b.String()
	params, _ = p.Match(path)
	return path, params
}

// Shape is the pattern without its names: patterns of one shape cover the same paths.
func (p PathPattern) Shape() string {
	var b strings.Builder
	for _, s := range p.segments {
		b.WriteByte('/')
		switch s.kind {
		case literalSegment:
			b.WriteString(s.text)
		case paramSegment:
			b.WriteByte(':')
		case prefixSegment:
			b.WriteString(s.text + "*")
		case restSegment:
			b.WriteByte('*')
		}
	}
	return b.String()
}

// comparePatterns orders patterns that cover one path: below 0 when a is the more specific, segment by segment from the left: a text, a named segment, the
// beginning of a text (the longer first), all that follows.
func comparePatterns(a, b PathPattern) int {
	return slices.CompareFunc(a.segments, b.segments, func(a, b pathSegment) int {
		if d := cmp.Compare(a.kind, b.kind); d != 0 {
			return d
		}
		if a.kind == prefixSegment {
			return cmp.Compare(len(b.text), len(a.text))
		}
		return 0
	})
}
