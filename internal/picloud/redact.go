package picloud

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// shortSecret is the length, in bytes, below which a value is hidden only where it stands as a word of its own: shorter texts appear by chance.
const shortSecret = 8

// Redactor hides the values of secrets in what is kept of a run: each becomes "[secret NAME]". It knows a value as it is, in JSON, in a URL, in
// base64 (also within a longer text that was encoded) and in hex; and a line of a value of several lines. The nil Redactor hides nothing.
type Redactor struct {
	forms []hiddenForm // longest first
}

// hiddenForm is one spelling of a value.
type hiddenForm struct {
	text, mark string
	word       *regexp.Regexp // for short values; nil else
	whole      bool           // the value itself, whose beginning may stand at a cut
}

// NewRedactor makes a Redactor of values by the names of their secrets; nil when there are none.
func NewRedactor(values map[string]string) *Redactor {
	if len(values) == 0 {
		return nil
	}
	r := &Redactor{}
	for name, value := range values {
		mark := "[secret " + name + "]"
		if len(value) < shortSecret {
			r.forms = append(r.forms, hiddenForm{text: value, mark: mark, word: regexp.MustCompile(`(^|[^0-9A-Za-z_])` + regexp.QuoteMeta(value) + `($|[^0-9A-Za-z_])`)})
			continue
		}
		for i, text := range spellings(value) {
			r.forms = append(r.forms, hiddenForm{text: text, mark: mark, whole: i == 0})
		}
	}
	slices.SortStableFunc(r.forms, func(a, b hiddenForm) int {
		if d := len(b.text) - len(a.text); d != 0 {
			return d
		}
		return strings.Compare(a.mark, b.mark)
	})
	return r
}

// leastLine is the shortest line of a value that is hidden by itself, in bytes.
const leastLine = 16

// spellings are the texts that a value is known by; the first is the value itself.
func spellings(value string) []string {
	out := []string{value}
	add := func(texts ...string) {
		for _, s := range texts {
			if len(s) >= shortSecret && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) > 1 {
		for _, line := range lines {
			if len(line) >= leastLine && !strings.HasPrefix(line, "-----") { // the frame of a PEM block is no secret
				add(line)
			}
		}
	}
	quoted := jsonText(value)
	add(quoted, strings.ReplaceAll(quoted, `\"`, `"`), strings.ReplaceAll(strings.ReplaceAll(quoted, `\"`, `"`), "'", `\'`))
	for _, escaped := range []string{url.QueryEscape(value), url.PathEscape(value), strings.ReplaceAll(url.QueryEscape(value), "+", "%20")} {
		add(escaped, lowerEscapes(escaped), componentEscapes(escaped))
	}
	add(hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))))
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 { // base64 has three spellings, by how many bytes stand before
			add(withinBase64(encoding, value, before))
		}
	}
	return out
}

// withinBase64 gives the characters of a base64 text that depend on value alone, when before bytes (modulo 3) stand before it.
func withinBase64(encoding *base64.Encoding, value string, before int) string {
	text := encoding.EncodeToString(append(make([]byte, before), value...))
	first := []int{0, 2, 3}[before]
	last := len(text)
	if (before+len(value))%3 != 0 {
		last-- // its last bits are those of what follows
	}
	return text[min(first, last):last]
}

// jsonText gives a text as it stands between the quotes of a JSON string.
func jsonText(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) //nolint:errchkjson // a string always encodes
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

var percentEscape = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerEscapes(s string) string { return percentEscape.ReplaceAllStringFunc(s, strings.ToLower) }

// componentEscapes gives an escaped text as JavaScript's encodeURIComponent writes it, which leaves more characters alone.
func componentEscapes(s string) string {
	return strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(s)
}

// Text gives s without the values. A text that was cut within a value loses that value's beginning too.
func (r *Redactor) Text(s string) string {
	if r == nil || s == "" {
		return s
	}
	s = r.replace(s)
	for _, f := range r.forms {
		if f.whole {
			s = hideCut(s, f)
		}
	}
	return s
}

// replace puts marks in the places of the values.
func (r *Redactor) replace(s string) string {
	for _, f := range r.forms {
		if !strings.Contains(s, f.text) {
			continue
		}
		if f.word == nil {
			s = strings.ReplaceAll(s, f.text, f.mark)
			continue
		}
		mark := "${1}" + strings.ReplaceAll(f.mark, "$", "$$") + "${2}"
		s = f.word.ReplaceAllString(f.word.ReplaceAllString(s, mark), mark) // twice: two words may share the character between them
	}
	return s
}

// hideCut hides the beginning of a value at the end of a text, with or without an ellipsis behind it.
func hideCut(s string, f hiddenForm) string {
	body := strings.TrimSuffix(s, "…")
	for n := min(len(f.text)-1, len(body)); n >= shortSecret; n-- {
		if strings.HasSuffix(body, f.text[:n]) {
			return body[:len(body)-n] + f.mark + s[len(body):]
		}
	}
	return s
}

// hides reports whether s has a value in it.
func (r *Redactor) hides(s string) bool { return r != nil && r.Text(s) != s }

// JSON gives a JSON value without the values of secrets: still JSON, else as it was.
func (r *Redactor) JSON(raw json.RawMessage) json.RawMessage {
	if r == nil || !r.hides(string(raw)) && !bytes.ContainsRune(raw, '\\') {
		return raw
	}
	var out bytes.Buffer
	for i := 0; i < len(raw); {
		end := literalEnd(raw, i)
		literal := raw[i:end]
		switch {
		case raw[i] == '"':
			var text string
			if json.Unmarshal(literal, &text) == nil && r.hides(text) {
				literal = []byte(`"` + jsonText(r.Text(text)) + `"`)
			}
		case end > i+1 && r.hides(string(literal)): // a number that is a secret
			literal = []byte(`"` + r.Text(string(literal)) + `"`)
		}
		out.Write(literal)
		i = end
	}
	// A secret may be a JSON text itself, and stand here as structure.
	if text := out.String(); r.replace(text) != text {
		return json.RawMessage(`"` + jsonText(r.replace(text)) + `"`)
	}
	return out.Bytes()
}

// literalEnd gives the end of the string, number or word that begins at i; of one character for anything else.
func literalEnd(raw []byte, i int) int {
	if raw[i] == '"' {
		for j := i + 1; j < len(raw); j++ {
			switch raw[j] {
			case '\\':
				j++
			case '"':
				return j + 1
			}
		}
		return len(raw)
	}
	j := i
	for j < len(raw) && strings.IndexByte("+-.", raw[j]) >= 0 || j < len(raw) && (raw[j] >= '0' && raw[j] <= '9' || raw[j] >= 'a' && raw[j] <= 'z' || raw[j] == 'E') {
		j++
	}
	return max(j, i+1)
}

// Error gives a failure without the values; nil stays nil.
func (r *Redactor) Error(e *ScriptError) *ScriptError {
	if r == nil || e == nil {
		return e
	}
	hidden := *e
	hidden.Type, hidden.Message, hidden.Stack = r.Text(e.Type), r.Text(e.Message), r.Text(e.Stack)
	return &hidden
}

// Logs gives log lines without the values.
func (r *Redactor) Logs(lines []LogLine) []LogLine {
	if r == nil {
		return lines
	}
	out := slices.Clone(lines)
	for i := range out {
		out[i].Message, out[i].Values = r.Text(out[i].Message), r.JSON(out[i].Values)
	}
	return out
}

// Result gives a result without the values, as it is kept.
func (r *Redactor) Result(result Result) Result {
	if r == nil {
		return result
	}
	result.Value = r.JSON(result.Value)
	if result.Response != nil {
		response := *result.Response
		response.Headers = slices.Clone(response.Headers)
		for i, h := range response.Headers {
			response.Headers[i] = [2]string{h[0], r.Text(h[1])}
		}
		if text := r.Text(string(response.Body)); text != string(response.Body) {
			response.Body = []byte(text)
		}
		result.Response = &response
	}
	return result
}

// Effects gives effects without the values, as they are shown: what they write is not changed by it.
func (r *Redactor) Effects(effects []Effect) []Effect {
	if r == nil {
		return effects
	}
	out := slices.Clone(effects)
	for i, e := range out {
		out[i].Collection, out[i].Key, out[i].Topic, out[i].Queue = r.Text(e.Collection), r.Text(e.Key), r.Text(e.Topic), r.Text(e.Queue)
		out[i].Subject, out[i].To = r.Text(e.Subject), slices.Clone(e.To)
		for n, address := range e.To {
			out[i].To[n] = r.Text(address)
		}
		out[i].Value = r.JSON(e.Value)
	}
	return out
}
