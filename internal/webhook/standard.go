package webhook

import (
	"net/http"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Standard is the name of the scheme of Standard Webhooks.
const Standard = "standard"

// standard is Standard Webhooks, whose secrets are base64, usually behind "whsec_".
// Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
var standard = Scheme{
	Name:      Standard,
	signature: standardwebhooks.HeaderWebhookSignature,
	timestamp: func(h http.Header) string { return h.Get(standardwebhooks.HeaderWebhookTimestamp) },
	delivery:  header(standardwebhooks.HeaderWebhookID),
	verify: func(secret string, h http.Header, body []byte) verdict {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return unusable
		}
		if w.VerifyIgnoringTimestamp(body, h) != nil { // the tolerance is the trigger's
			return forged
		}
		return genuine
	},
}
