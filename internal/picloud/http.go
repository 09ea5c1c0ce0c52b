package picloud

import (
	"slices"
	"strings"
	"time"
)

// HTTPMode says whether the caller waits for the script's answer.
type HTTPMode string

// The modes.
const (
	HTTPSync  HTTPMode = "sync"
	HTTPAsync HTTPMode = "async"
)

// OnDisconnect says what becomes of an execution whose waiting caller leaves: the connection is closed, the time that it waits is over, or the process that it is connected to ends.
type OnDisconnect string

// What may become of it.
const (
	DisconnectContinues OnDisconnect = "continue" // it goes on, and its end is an abandoned execution
	DisconnectCancels   OnDisconnect = "cancel"   // it is stopped and ends as canceled, with no effect; unless it has committed: then it is abandoned
)

// CallerLeft is why an execution is canceled for its caller; how says how that left.
func CallerLeft(f Firing, how string) *ScriptError {
	return &ScriptError{Type: "CallerLeft", NonRetryable: true, Message: "the caller has left: " + how + "; on_disconnect of the trigger " + f.Trigger + " is cancel"}
}

// What HTTPConfig.Auth asks of a caller.
const (
	HTTPAuthKey     = "key"     // an API key that may invoke scripts
	HTTPAuthNone    = "none"    // nothing: everybody may call
	HTTPAuthWebhook = "webhook" // a signature by the trigger's secret
)

// The bounds of an http trigger's config.
const (
	DefaultWebhookTolerance = 5 * time.Minute
	MaxWebhookTolerance     = 11 * time.Hour // deliveries are remembered for 24 h: a timestamp may lie as far ahead as behind
	MaxCORSEntries          = 50
	MaxCORSAge              = 24 * time.Hour
)

// HTTPConfig is the config of an http trigger. It changes how /run/{app}/{script} serves the requests that it matches.
type HTTPConfig struct {
	Methods   []string      `json:"methods,omitempty"` // upper case; empty = all
	Path      string        `json:"path,omitempty"`    // PathPattern on the path below the endpoint, "" = all
	Mode      HTTPMode      `json:"mode"`
	Auth      string        `json:"auth"`
	Signature string        `json:"signature,omitempty"` // the scheme of a webhook, see internal/webhook
	Secret    string        `json:"secret,omitempty"`    // name of the secret that a webhook is signed with
	Tolerance time.Duration `json:"tolerance,omitempty"` // how far a webhook's timestamp may be off; 0 = DefaultWebhookTolerance
	CORS      *CORS         `json:"cors,omitempty"`      // nil = pages of other origins may not read the answers
	// OnDisconnect is for HTTPSync; "" = DisconnectContinues.
	OnDisconnect OnDisconnect `json:"on_disconnect,omitempty"`
}

// CORS says which pages of other origins may call an endpoint and read its answers. Source: https://fetch.spec.whatwg.org/#http-cors-protocol
type CORS struct {
	Origins     []string      `json:"origins"`           // "https://shop.example", with one star at most ("https://*.shop.example"), or "*"
	Methods     []string      `json:"methods,omitempty"` // empty = those of the trigger; where it has none, GET, HEAD and POST
	Headers     []string      `json:"headers,omitempty"` // of the request; "*" = all
	Credentials bool          `json:"credentials,omitempty"`
	MaxAge      time.Duration `json:"max_age,omitempty"` // how long a browser may remember a preflight's answer; 0 = its own default
}

// HTTPMatch is what a request at an endpoint meets.
type HTTPMatch struct {
	Trigger *Trigger          // nil: no trigger covers it
	Params  map[string]string // the named parts of the path; never nil
	Allow   []string          // where triggers cover the path and none of them the method: their methods, sorted
	Open    bool              // no key is asked for: by the trigger, or where none covers the method, by one of those that cover the path
}

// MatchHTTP gives the trigger that covers a request. Of several the one with the most specific pattern wins, then one that names its methods, then the oldest.
// triggers are in the order of their making.
func MatchHTTP(triggers []Trigger, method, path string) HTTPMatch {
	m := HTTPMatch{Params: map[string]string{}}
	var best PathPattern
	for i, t := range triggers {
		if t.HTTP == nil || !t.Enabled {
			continue
		}
		pattern, err := ParsePath("path", t.HTTP.Path)
		if err != nil {
			continue // stored ones were checked
		}
		params, covers := pattern.Match(path)
		if !covers {
			continue
		}
		if len(t.HTTP.Methods) > 0 && !slices.Contains(t.HTTP.Methods, method) {
			m.Allow = append(m.Allow, t.HTTP.Methods...)
			m.Open = m.Open || t.HTTP.Auth != HTTPAuthKey
			continue
		}
		if m.Trigger != nil {
			order := comparePatterns(pattern, best)
			if order > 0 || order == 0 && (len(t.HTTP.Methods) == 0 || len(m.Trigger.HTTP.Methods) > 0) {
				continue
			}
		}
		best, m.Trigger, m.Params = pattern, &triggers[i], params
	}
	if m.Trigger != nil {
		m.Allow, m.Open = nil, m.Trigger.HTTP.Auth != HTTPAuthKey
	}
	slices.Sort(m.Allow)
	m.Allow = slices.Compact(m.Allow)
	return m
}

// Tolerant gives the tolerance of a webhook's timestamp.
func (c HTTPConfig) Tolerant() time.Duration {
	if c.Tolerance > 0 {
		return c.Tolerance
	}
	return DefaultWebhookTolerance
}

// Check says what is wrong with the setting; fields are named "config.cors.<field>".
func (c CORS) Check() error {
	if len(c.Origins) == 0 || len(c.Origins) > MaxCORSEntries {
		return InvalidField("config.cors.origins", `must be 1 to %d origins, such as "https://shop.example", or "*"`, MaxCORSEntries)
	}
	for _, origin := range c.Origins {
		scheme, host, ok := strings.Cut(origin, "://")
		if origin != "*" && (!ok || scheme == "" || host == "" || strings.ContainsAny(host, " \t\r\n\x00/?#@,") ||
			strings.Count(origin, "*") > 1 || len(origin) > MaxGlobLength) {
			return InvalidField("config.cors.origins", `%q is no origin: "https://shop.example", "https://*.shop.example" or "*"`, origin[:min(len(origin), 100)])
		}
	}
	if c.Credentials && slices.Contains(c.Origins, "*") {
		return InvalidField("config.cors.credentials", `cannot be with the origin "*": every page could then act as its visitor; name the origins`)
	}
	for field, list := range map[string][]string{"config.cors.methods": c.Methods, "config.cors.headers": c.Headers} {
		if len(list) > MaxCORSEntries {
			return InvalidField(field, "has %d entries: at most %d", len(list), MaxCORSEntries)
		}
		for _, word := range list {
			if word == "" || len(word) > 100 || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
				return InvalidField(field, "%q is no name", word[:min(len(word), 100)])
			}
		}
	}
	if c.MaxAge < 0 || c.MaxAge > MaxCORSAge {
		return InvalidField("config.cors.max_age", `must be "0s" to "24h"`)
	}
	return nil
}
