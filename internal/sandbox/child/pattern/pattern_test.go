package pattern_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/sandbox/child/pattern"
)

// goClass makes a Go pattern of an expanded one, which is a class of \u{…} only.
func goClass(t *testing.T, source string) *regexp.Regexp {
	t.Helper()
	made, err := pattern.Expand(source, "u")
	require.NoError(t, err)
	return regexp.MustCompile("^" + strings.ReplaceAll(made, `\u{`, `\x{`) + "$")
}

func TestExpandAgreesWithUnicode(t *testing.T) {
	t.Parallel()
	for source, is := range map[string]func(rune) bool{
		`\p{L}`:                unicode.IsLetter,
		`\P{L}`:                func(r rune) bool { return !unicode.IsLetter(r) },
		`\p{Uppercase_Letter}`: unicode.IsUpper,
		`[\p{Nd}_]`:            func(r rune) bool { return unicode.IsDigit(r) || r == '_' },
		`[^\p{gc=Nd}]`:         func(r rune) bool { return !unicode.IsDigit(r) },
		`\p{White_Space}`:      unicode.IsSpace,
		`\p{Script=Han}`:       func(r rune) bool { return unicode.Is(unicode.Han, r) },
		`\p{sc=Cyrl}`:          func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) },
		`\p{ASCII}`:            func(r rune) bool { return r <= unicode.MaxASCII },
		`[\p{Any}]`:            func(rune) bool { return true },
		`[\P{Lowercase}\p{ASCII}]`: func(r rune) bool {
			return r <= unicode.MaxASCII || !unicode.IsLower(r) && !unicode.Is(unicode.Other_Lowercase, r)
		},
	} {
		class := goClass(t, source)
		for r := range rune(0x30000) {
			if r >= 0xd800 && r <= 0xdfff { // no characters, in Go
				continue
			}
			if want, got := is(r), class.MatchString(string(r)); want != got {
				require.Equal(t, want, got, "%s %U", source, r)
			}
		}
	}
}

func TestExpandLeavesTheRest(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{`\\p{L}`, "u"}, {`a\[b`, "u"}, {`\p{L}`, "i"}, {`[\]x]`, "u"}, {"ä", "gu"}} {
		made, err := pattern.Expand(c[0], c[1])
		require.NoError(t, err)
		require.Equal(t, c[0], made)
	}
}

func TestExpandRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{`\p{Nope}`, "u", "not known here"}, {`\p{Script=Nope}`, "u", "not known here"}, {`\pL`, "u", "braces"}, {`\p{L`, "u", "braces"},
		{`\p{RGI_Emoji}`, "u", "not known here"}, {`\p{scx=Grek}`, "u", "not known here"}, {`a`, "gv", "v flag"}, {`a`, "d", "d flag"},
		{strings.Repeat(`\p{L}`, 1000), "u", "too long"},
	} {
		_, err := pattern.Expand(c[0], c[1])
		require.ErrorContains(t, err, c[2], c[0])
	}
}
