package webhook

import (
	"encoding/json"
	"net/http"
	"strings"
)

// source gives a text of a delivery; "" where it is not there.
type source func(h http.Header, body []byte) string

// header is the value of a header.
func header(name string) source {
	return func(h http.Header, _ []byte) string { return h.Get(name) }
}

// item is the first item of a comma-separated header that begins with a prefix, without it.
func item(name, prefix string) source {
	return func(h http.Header, _ []byte) string {
		for word := range strings.SplitSeq(h.Get(name), ",") {
			if value, ok := strings.CutPrefix(strings.TrimSpace(word), prefix); ok {
				return value
			}
		}
		return ""
	}
}

// member is a text member of a JSON body.
func member(name string) source {
	return func(_ http.Header, body []byte) string {
		var members map[string]json.RawMessage
		var text string
		if json.Unmarshal(body, &members) != nil || json.Unmarshal(members[name], &text) != nil {
			return ""
		}
		return text
	}
}
