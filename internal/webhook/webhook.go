// Package webhook verifies that a delivery comes from who says so: its signature, its age, and which delivery it is. A scheme is how one sender signs.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/picloud/picloud/internal/picloud"
)

// Scheme is how a sender signs its deliveries.
type Scheme struct {
	Name      string
	signature string                                                  // the header that holds it
	timestamp func(h http.Header) string                              // seconds since 1970; nil = the scheme has none
	delivery  func(h http.Header, body []byte) string                 // the id of a delivery; "" = it has none
	verify    func(secret string, h http.Header, body []byte) verdict // for one secret
}

// verdict is what comes of one secret.
type verdict uint8

const ( // of several secrets, the lowest counts
	genuine verdict = iota
	forged
	unusable // the secret is none for the scheme
)

// Schemes are all of them, by name.
var Schemes = []Scheme{
	// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
	preset{name: "github", header: "X-Hub-Signature-256", version: "sha256=", decode: hex.DecodeString, signed: "{body}", delivery: header("X-GitHub-Delivery")}.scheme(),
	// https://shopify.dev/docs/apps/build/webhooks/subscribe/https
	preset{name: "shopify", header: "X-Shopify-Hmac-Sha256", decode: base64.StdEncoding.DecodeString, signed: "{body}", delivery: header("X-Shopify-Webhook-Id")}.scheme(),
	// https://api.slack.com/authentication/verifying-requests-from-slack
	preset{
		name: "slack", header: "X-Slack-Signature", version: "v0=", decode: hex.DecodeString, signed: "v0:{timestamp}:{body}", timestamp: header("X-Slack-Request-Timestamp"), delivery: header("X-Slack-Signature"),
	}.scheme(),
	standard,
	// https://docs.stripe.com/webhooks#verify-manually
	preset{
		name: "stripe", header: "Stripe-Signature", list: ",", version: "v1=", decode: hex.DecodeString, signed: "{timestamp}.{body}", timestamp: item("Stripe-Signature", "t="), delivery: member("id"),
	}.scheme(),
}

// Find gives the scheme of a name.
func Find(name string) (Scheme, bool) {
	i := slices.IndexFunc(Schemes, func(s Scheme) bool { return s.Name == name })
	if i < 0 {
		return Scheme{}, false
	}
	return Schemes[i], true
}

// Names gives the names of the schemes.
func Names() []string {
	names := make([]string, len(Schemes))
	for i, s := range Schemes {
		names[i] = s.Name
	}
	return names
}

// HasTimestamp reports whether deliveries say when they were made.
func (s Scheme) HasTimestamp() bool { return s.timestamp != nil }

// preset is a scheme of HMAC-SHA-256 with the secret's text as the key, as data.
type preset struct {
	name      string
	header    string // holds the signatures
	list      string // between several; "" = there is one
	version   string // before a signature
	decode    func(string) ([]byte, error)
	signed    string // what is signed, with {timestamp} and {body}
	timestamp source // nil = there is none
	delivery  source
}

func (p preset) scheme() Scheme {
	s := Scheme{Name: p.name, signature: p.header, delivery: p.delivery, verify: p.verify}
	if p.timestamp != nil {
		s.timestamp = func(h http.Header) string { return p.timestamp(h, nil) }
	}
	return s
}

func (p preset) verify(secret string, h http.Header, body []byte) verdict {
	mac := hmac.New(sha256.New, []byte(secret))
	before, after, _ := strings.Cut(p.signed, "{body}")
	if p.timestamp != nil {
		before = strings.ReplaceAll(before, "{timestamp}", p.timestamp(h, nil))
	}
	mac.Write([]byte(before))
	mac.Write(body)
	mac.Write([]byte(after))
	want := mac.Sum(nil)
	for _, signature := range p.signatures(h.Get(p.header)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(signature), p.version)
		if !ok {
			continue
		}
		if given, err := p.decode(text); err == nil && hmac.Equal(given, want) {
			return genuine
		}
	}
	return forged
}

// maxSignatures bounds how many signatures of one delivery are looked at.
const maxSignatures = 10

func (p preset) signatures(value string) []string {
	if p.list == "" {
		return []string{value}
	}
	return strings.SplitN(value, p.list, maxSignatures+1)[:min(maxSignatures, strings.Count(value, p.list)+1)]
}

// maxSecrets bounds how many secrets are valid at a time.
const maxSecrets = 5

// candidates are the secrets that a stored value holds: the value itself, and where it has several words or lines, each of them.
func candidates(value string) []string {
	value = strings.TrimSpace(value)
	all := []string{value}
	if words := strings.Fields(value); len(words) > 1 {
		all = append(all, words[:min(len(words), maxSecrets)]...)
	}
	return all
}

// maxDelivery is the longest id of a delivery, in bytes.
const maxDelivery = 200

// Verify says whether a delivery is genuine, and not older or newer than tolerance, and gives its id: the sender's where there is one, else the signature. secret is the
// secret's value; while it is changed it may hold several, with white space between them. Unauthenticated "signature_missing", "signature_wrong" or
// "delivery_expired"; Internal "secret_unusable" where the secret is none for the scheme.
func (s Scheme) Verify(secret string, h http.Header, body []byte, now time.Time, tolerance time.Duration) (delivery string, err error) {
	signature := h.Get(s.signature)
	if signature == "" {
		return "", picloud.Errorf(picloud.Unauthenticated, "signature_missing", "the request has no signature: the header %s is missing", s.signature)
	}
	result := unusable // unless one of the secrets is of use
	for _, one := range candidates(secret) {
		result = min(result, s.verify(one, h, body))
	}
	switch result {
	case unusable:
		return "", picloud.Errorf(picloud.Unavailable, "secret_unusable", "the trigger's secret is none for the scheme %s", s.Name)
	case forged:
		return "", picloud.Errorf(picloud.Unauthenticated, "signature_wrong", "the signature in %s does not fit the body", s.signature)
	}
	if s.timestamp != nil {
		seconds, err := strconv.ParseInt(s.timestamp(h), 10, 64)
		if age := now.Sub(time.Unix(seconds, 0)); err != nil || age.Abs() > tolerance {
			return "", picloud.Errorf(picloud.Unauthenticated, "delivery_expired", "the delivery's timestamp is more than %s away from now", tolerance)
		}
	}
	if delivery = s.delivery(h, body); delivery == "" || len(delivery) > maxDelivery {
		sum := sha256.Sum256([]byte(signature))
		delivery = hex.EncodeToString(sum[:])
	}
	return delivery, nil
}
