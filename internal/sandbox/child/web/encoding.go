package web

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
	"golang.org/x/text/encoding/charmap"
)

// The names of the encodings, as https://encoding.spec.whatwg.org/#names-and-labels has them.
const (
	utf8Name    = "utf-8"
	utf16leName = "utf-16le"
	utf16beName = "utf-16be"
	latin1Name  = "windows-1252"
)

// labels are the labels of the encodings that TextDecoder knows.
var labels = map[string]string{
	"unicode-1-1-utf-8": utf8Name, "unicode11utf8": utf8Name, "unicode20utf8": utf8Name, "utf-8": utf8Name, "utf8": utf8Name, "x-unicode20utf8": utf8Name,
	"utf-16le": utf16leName, "utf-16": utf16leName, "ucs-2": utf16leName, "iso-10646-ucs-2": utf16leName, "csunicode": utf16leName, "unicode": utf16leName,
	"unicodefeff": utf16leName, "utf-16be": utf16beName, "unicodefffe": utf16beName,
	"ansi_x3.4-1968": latin1Name, "ascii": latin1Name, "cp1252": latin1Name, "cp819": latin1Name, "csisolatin1": latin1Name, "ibm819": latin1Name,
	"iso-8859-1": latin1Name, "iso-ir-100": latin1Name, "iso8859-1": latin1Name, "iso88591": latin1Name, "iso_8859-1": latin1Name, "iso_8859-1:1987": latin1Name,
	"l1": latin1Name, "latin1": latin1Name, "us-ascii": latin1Name, "windows-1252": latin1Name, "x-cp1252": latin1Name,
}

func encodingGlue(g *Globals) map[string]any {
	return map[string]any{
		"encode":     func(call goja.FunctionCall) goja.Value { return g.buffer([]byte(call.Argument(0).String())) },
		"encodingOf": func(label string) string { return labels[strings.ToLower(strings.Trim(label, "\t\n\f\r "))] },
		"decoder": func(call goja.FunctionCall) goja.Value {
			d := &decoder{encoding: call.Argument(0).String(), fatal: call.Argument(1).ToBoolean(), keepBOM: call.Argument(2).ToBoolean()}
			return g.rt.ToValue(func(call goja.FunctionCall) goja.Value {
				text, ok := d.decode(g.mustBytes("what TextDecoder decodes", call.Argument(0)), call.Argument(1).ToBoolean())
				if !ok {
					panic(g.rt.NewTypeError("the data is not valid " + d.encoding))
				}
				return text
			})
		},
	}
}

// decoder decodes one stream of bytes.
type decoder struct {
	encoding       string
	fatal, keepBOM bool
	rest           []byte // an incomplete sequence at the end of the last chunk
	begun          bool
}

// decode decodes a chunk; ok is false where the data is invalid and that is fatal. more says that another chunk comes.
func (d *decoder) decode(chunk []byte, more bool) (text goja.String, ok bool) {
	if len(d.rest) > 0 {
		chunk = append(d.rest, chunk...)
		d.rest = nil
	}
	var s []uint16
	switch d.encoding {
	case utf8Name:
		if more {
			chunk = d.keep(chunk, incompleteUTF8(chunk))
		}
		if ok = utf8.Valid(chunk); !ok && d.fatal {
			return nil, false
		}
		if ok {
			text := d.trim(string(chunk))
			return stringValue(text), true
		}
		s = utf16.Encode([]rune(d.trim(replaceUTF8(chunk))))
	case latin1Name:
		text, err := charmap.Windows1252.NewDecoder().Bytes(chunk)
		return stringValue(string(text)), err == nil
	default:
		if more {
			chunk = d.keep(chunk, len(chunk)%2)
		}
		if s, ok = d.utf16(chunk, more); !ok {
			return nil, false
		}
	}
	return goja.StringFromUTF16(s), true
}

func stringValue(s string) goja.String { return goja.StringFromUTF16(utf16.Encode([]rune(s))) }

// keep puts the last n bytes of a chunk by for the next one and gives those before.
func (d *decoder) keep(chunk []byte, n int) []byte {
	d.rest = append([]byte{}, chunk[len(chunk)-n:]...)
	return chunk[:len(chunk)-n]
}

// trim removes a byte order mark from the start of the stream.
func (d *decoder) trim(s string) string {
	if !d.begun && s != "" {
		d.begun = true
		if !d.keepBOM {
			return strings.TrimPrefix(s, "\ufeff")
		}
	}
	return s
}

func (d *decoder) utf16(chunk []byte, more bool) (units []uint16, ok bool) {
	odd := len(chunk)%2 == 1
	for i := 0; i+1 < len(chunk); i += 2 {
		if d.encoding == utf16leName {
			units = append(units, uint16(chunk[i])|uint16(chunk[i+1])<<8)
		} else {
			units = append(units, uint16(chunk[i+1])|uint16(chunk[i])<<8)
		}
	}
	if last := len(units) - 1; more && last >= 0 && utf16.IsSurrogate(rune(units[last])) && units[last] < 0xdc00 {
		units = units[:last]
		d.rest = append(append([]byte{}, chunk[2*last:2*last+2]...), d.rest...)
	}
	if len(units) > 0 && !d.begun {
		d.begun = true
		if units[0] == 0xfeff && !d.keepBOM {
			units = units[1:]
		}
	}
	runes := utf16.Decode(units)
	fixed := utf16.Encode(runes)
	if odd {
		fixed = append(fixed, utf8.RuneError)
	}
	if d.fatal && (odd || !equalUnits(units, fixed)) {
		return nil, false
	}
	return fixed, true
}

func equalUnits(a, b []uint16) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// incompleteUTF8 gives how many bytes at the end begin a character that is not whole.
func incompleteUTF8(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return n
			}
			return 0
		}
	}
	return 0
}

// replaceUTF8 puts one U+FFFD in the place of each maximal part of an invalid sequence, as the Encoding Standard wants it; Go puts one for each byte.
func replaceUTF8(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size <= 1 {
			size = invalidLength(b)
		}
		out.WriteRune(r)
		b = b[size:]
	}
	return out.String()
}

// invalidLength gives the length of the invalid sequence at the start of b that is replaced as one: as long as it could still have become a character.
func invalidLength(b []byte) int {
	n := 1
	for n < len(b) && n < utf8.UTFMax && !utf8.FullRune(b[:n]) && !utf8.RuneStart(b[n]) {
		n++
	}
	if n > 1 && utf8.FullRune(b[:n]) { // the last byte made it impossible
		n--
	}
	return n
}

func base64Glue(g *Globals) map[string]any {
	return map[string]any{
		"atob": func(call goja.FunctionCall) goja.Value {
			text := strings.NewReplacer(" ", "", "\t", "", "\n", "", "\f", "", "\r", "").Replace(call.Argument(0).String())
			if len(text)%4 == 0 {
				text = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
			}
			b, err := base64.RawStdEncoding.DecodeString(text)
			if err != nil {
				panic(g.domException("InvalidCharacterError", "the string to be decoded is not correctly encoded"))
			}
			units := make([]uint16, len(b))
			for i, c := range b {
				units[i] = uint16(c)
			}
			return goja.StringFromUTF16(units)
		},
		"btoa": func(call goja.FunctionCall) goja.Value {
			var b []byte
			for _, r := range call.Argument(0).String() {
				if r > 0xff {
					panic(g.domException("InvalidCharacterError", "%s", fmt.Sprintf("btoa takes characters up to U+00FF, not %q: encode the text with TextEncoder first, or use Uint8Array.prototype.toBase64", r)))
				}
				b = append(b, byte(r))
			}
			return g.rt.ToValue(base64.StdEncoding.EncodeToString(b))
		},
	}
}
