// Package pattern makes of a regular expression one that goja matches as the standard has it, or says why there is none: goja takes \p{…} for the
// letter p, without a word.
package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

const (
	noSets    = "the v flag is not there: use the u flag, without set operations like && and --"
	noIndices = "the d flag is not there: use exec(), whose result has the index of the match"
)

// maxExpanded is the longest expanded source, in bytes: one \p{L} is 9 KB.
const maxExpanded = 1 << 20

// Expand gives the source of a regular expression with each \p{…} and \P{…} written out, and an error for what cannot be matched. A source that goja
// refuses by itself comes back as it is.
func Expand(source, flags string) (string, error) {
	switch {
	case strings.Contains(flags, "v"):
		return "", errors.New(noSets)
	case strings.Contains(flags, "d"):
		return "", errors.New(noIndices)
	case !strings.Contains(flags, "u") || !NeedsExpansion(source):
		return source, nil
	}
	var out strings.Builder
	class := false // within […]
	for i := 0; i < len(source); i++ {
		c := source[i]
		switch {
		case c == '\\' && i+1 < len(source) && (source[i+1] == 'p' || source[i+1] == 'P'):
			name, ok := strings.CutPrefix(source[i+2:], "{")
			end := strings.IndexByte(name, '}')
			if !ok || end < 0 {
				return "", fmt.Errorf("\\%c must be followed by a property in braces, like \\p{L}", source[i+1])
			}
			set, err := property(name[:end])
			if err != nil {
				return "", err
			}
			if source[i+1] == 'P' {
				set = set.complement()
			}
			if class {
				set.write(&out)
			} else {
				out.WriteByte('[')
				set.write(&out)
				out.WriteByte(']')
			}
			if out.Len() > maxExpanded {
				return "", errors.New("the pattern is too long with its \\p{…} written out: use fewer of them")
			}
			i += len(`p{}`) + end
			continue
		case c == '\\' && i+1 < len(source):
			out.WriteByte(c)
			i++
			c = source[i]
		case c == '[':
			class = true
		case c == ']':
			class = false
		}
		out.WriteByte(c)
	}
	return out.String(), nil
}

// NeedsExpansion reports whether a text may have a \p{…} or \P{…}.
func NeedsExpansion(text string) bool {
	return strings.Contains(text, `\p`) || strings.Contains(text, `\P`)
}

// property gives the characters of a property as it stands within \p{…}.
func property(expression string) (ranges, error) {
	name, value, has := strings.Cut(expression, "=")
	table := func(all map[string]*unicode.RangeTable, name string) *unicode.RangeTable { return all[name] }
	var t *unicode.RangeTable
	switch {
	case has && (name == "Script" || name == "sc"):
		if long := shortScripts[value]; long != "" {
			value = long
		}
		t = table(unicode.Scripts, value)
	case has && (name == "General_Category" || name == "gc"):
		t = category(value)
	case !has:
		if set, ok := derived(name); ok {
			return set, nil
		}
		if t = category(name); t == nil && !strings.HasPrefix(name, "Other_") {
			t = table(unicode.Properties, name)
		}
	}
	if t == nil {
		return nil, fmt.Errorf("\\p{%s} is not known here: there are the general categories (L, Lu, Nd, …), Script=… by its long name, Alphabetic, Lowercase, Uppercase, White_Space, ASCII and the other properties that are no emoji", expression)
	}
	return of(t), nil
}

func category(name string) *unicode.RangeTable {
	if short, ok := unicode.CategoryAliases[name]; ok {
		name = short
	}
	return unicode.Categories[name]
}

// derived gives the properties that are made of others: https://www.unicode.org/reports/tr44/#DerivedCoreProperties.txt
func derived(name string) (ranges, bool) {
	p := unicode.Properties
	switch name {
	case "Any":
		return ranges{{0, unicode.MaxRune}}, true
	case "ASCII":
		return ranges{{0, unicode.MaxASCII}}, true
	case "Assigned":
		return of(category("Cn")).complement(), true
	case "Lowercase", "Lower":
		return of(unicode.Ll, p["Other_Lowercase"]), true
	case "Uppercase", "Upper":
		return of(unicode.Lu, p["Other_Uppercase"]), true
	case "Alphabetic", "Alpha":
		return of(unicode.L, unicode.Nl, p["Other_Lowercase"], p["Other_Uppercase"], p["Other_Alphabetic"]), true
	case "ID_Start", "IDS":
		return without(of(unicode.L, unicode.Nl, p["Other_ID_Start"]), p["Pattern_Syntax"], p["Pattern_White_Space"]), true
	case "ID_Continue", "IDC":
		return without(of(unicode.L, unicode.Nl, p["Other_ID_Start"], unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, p["Other_ID_Continue"]),
			p["Pattern_Syntax"], p["Pattern_White_Space"]), true
	case "space":
		return of(p["White_Space"]), true
	}
	return nil, false
}

// shortScripts are the four-letter names of the scripts that are met most; Go knows the long ones only.
var shortScripts = map[string]string{
	"Arab": "Arabic", "Armn": "Armenian", "Beng": "Bengali", "Cyrl": "Cyrillic", "Deva": "Devanagari", "Ethi": "Ethiopic", "Geor": "Georgian", "Grek": "Greek",
	"Hang": "Hangul", "Hani": "Han", "Hebr": "Hebrew", "Hira": "Hiragana", "Kana": "Katakana", "Khmr": "Khmer", "Latn": "Latin", "Mong": "Mongolian",
	"Taml": "Tamil", "Telu": "Telugu", "Thai": "Thai", "Tibt": "Tibetan", "Zinh": "Inherited", "Zyyy": "Common",
}
