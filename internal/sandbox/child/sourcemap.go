package child

import (
	"encoding/json"
	"strings"
)

// base64VLQ are the digits of the mappings of a source map (ECMA-426, section 6).
const base64VLQ = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// The parts of a digit of a base64 VLQ: five bits of the number and one that says that more come.
const (
	vlqBits = 5
	vlqMore = 1 << vlqBits
	vlqMask = vlqMore - 1
)

// shiftColumns moves the generated columns of a source map by one to the right: goja looks them up as if they counted from 1. A map that it cannot read
// comes back as it is.
func shiftColumns(sourceMap []byte) []byte {
	var fields map[string]json.RawMessage
	var mappings string
	if json.Unmarshal(sourceMap, &fields) != nil || json.Unmarshal(fields["mappings"], &mappings) != nil {
		return sourceMap
	}
	lines := strings.Split(mappings, ";")
	for i, line := range lines {
		if n, rest, ok := cutVLQ(line); ok {
			lines[i] = vlq(n+1) + rest
		}
	}
	text, err := json.Marshal(strings.Join(lines, ";"))
	if err != nil {
		return sourceMap
	}
	fields["mappings"] = text
	shifted, err := json.Marshal(fields)
	if err != nil {
		return sourceMap
	}
	return shifted
}

// cutVLQ takes a number off the start of s. Generated columns at the start of a line are never negative.
func cutVLQ(s string) (n int, rest string, ok bool) {
	for i, shift := 0, 0; i < len(s); i, shift = i+1, shift+vlqBits {
		digit := strings.IndexByte(base64VLQ, s[i])
		if digit < 0 || shift > 30 {
			return 0, s, false
		}
		n |= (digit & vlqMask) << shift
		if digit&vlqMore == 0 {
			return n >> 1, s[i+1:], n&1 == 0
		}
	}
	return 0, s, false
}

// vlq writes a number that is not negative.
func vlq(n int) string {
	var b strings.Builder
	for n <<= 1; ; {
		digit := n & vlqMask
		if n >>= vlqBits; n > 0 {
			digit |= vlqMore
		}
		b.WriteByte(base64VLQ[digit])
		if n == 0 {
			return b.String()
		}
	}
}
