package picloud

import "strings"

// Glob is a pattern for names: "*" (all), a prefix with one trailing star ("orders:*"), or an exact name. The SQL function
// glob_match in schema/migrations means the same.
type Glob string

// MaxGlobLength is the longest glob, in bytes.
const MaxGlobLength = 256

// CheckGlob says whether s is a glob; the error names the field.
func CheckGlob(field, s string) error {
	switch star := strings.IndexByte(s, '*'); {
	case s == "":
		return InvalidField(field, "is required: an exact name, a prefix with one trailing star (\"orders:*\") or \"*\"")
	case len(s) > MaxGlobLength:
		return InvalidField(field, "is %d bytes long: at most %d", len(s), MaxGlobLength)
	case strings.ContainsRune(s, 0):
		return InvalidField(field, "contains a NUL byte")
	case star >= 0 && star != len(s)-1:
		return InvalidField(field, "%q is no glob: a star may only stand last: an exact name, a prefix with one trailing star (\"orders:*\") or \"*\"", s)
	}
	return nil
}

// Match reports whether the glob covers name.
func (g Glob) Match(name string) bool {
	if prefix, ok := strings.CutSuffix(string(g), "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return string(g) == name
}
