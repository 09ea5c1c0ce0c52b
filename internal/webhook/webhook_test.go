package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/webhook"
)

// delivery is one as its sender makes it.
type delivery struct {
	scheme, secret, body, id string
	at                       time.Time
	headers                  map[string]string
}

// The examples of the senders' own documentation.
var published = []delivery{
	{ // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
		scheme: "github", secret: "It's a Secret to Everybody", body: "Hello, World!", id: "72d3162e-cc78-11e3-81ab-4c9367dc0958",
		headers: map[string]string{
			"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
		},
	},
	{ // https://api.slack.com/authentication/verifying-requests-from-slack
		scheme: "slack", secret: "8f742231b10e8888abcd99yyyzzz85a5", at: time.Unix(1531420618, 0), id: "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
		body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
		headers: map[string]string{
			"X-Slack-Request-Timestamp": "1531420618", "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
		},
	},
	{ // https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/go/webhook_test.go
		scheme: "standard", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", at: time.Unix(1614265330, 0), id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: `{"test": 2432232314}`,
		headers: map[string]string{
			"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		},
	},
}

func mac(secret, text string) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// signed makes a delivery of each scheme as its sender does.
func signed(t *testing.T, scheme, secret, body string, at time.Time) delivery {
	t.Helper()
	d := delivery{scheme: scheme, secret: secret, body: body, at: at}
	stamp := strconv.FormatInt(at.Unix(), 10)
	switch scheme {
	case "github":
		d.id, d.headers = "guid-1", map[string]string{"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac(secret, body)), "X-GitHub-Delivery": "guid-1"}
	case "shopify":
		d.id, d.headers = "b54557e4", map[string]string{"X-Shopify-Hmac-Sha256": base64.StdEncoding.EncodeToString(mac(secret, body)), "X-Shopify-Webhook-Id": "b54557e4"}
	case "slack":
		d.id = "v0=" + hex.EncodeToString(mac(secret, "v0:"+stamp+":"+body))
		d.headers = map[string]string{"X-Slack-Signature": d.id, "X-Slack-Request-Timestamp": stamp}
	case "stripe":
		d.id, d.headers = "evt_1", map[string]string{"Stripe-Signature": "t=" + stamp + ",v1=" + hex.EncodeToString(mac("another", "x")) + ",v1=" + hex.EncodeToString(mac(secret, stamp+"."+body)) + ",v0=00"}
	case "standard":
		w, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		signature, err := w.Sign("msg_1", at, []byte(body))
		require.NoError(t, err)
		d.id, d.headers = "msg_1", map[string]string{"Webhook-Id": "msg_1", "Webhook-Timestamp": stamp, "Webhook-Signature": "v1,AAAA " + signature}
	}
	return d
}

func (d delivery) verify(t *testing.T, change func(*delivery, http.Header)) (string, error) {
	t.Helper()
	scheme, ok := webhook.Find(d.scheme)
	require.True(t, ok)
	h := http.Header{}
	for name, value := range d.headers {
		h.Set(name, value)
	}
	if change != nil {
		change(&d, h)
	}
	return scheme.Verify(d.secret, h, []byte(d.body), d.at, 5*time.Minute)
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	deliveries := published
	for _, s := range webhook.Schemes {
		deliveries = append(deliveries, signed(t, s.Name, "c2VjcmV0IG9mIHRoZSB0ZXN0", `{"id":"evt_1","n":1}`, time.Unix(1700000000, 0)))
	}
	for _, d := range deliveries {
		scheme, _ := webhook.Find(d.scheme)
		id, err := d.verify(t, nil)
		require.NoError(t, err, d.scheme)
		assert.Equal(t, d.id, id, d.scheme)
		for name, c := range map[string]struct {
			change func(*delivery, http.Header)
			code   string
		}{
			"tampered body":           {func(d *delivery, _ http.Header) { d.body += " " }, "signature_wrong"},
			"empty body":              {func(d *delivery, _ http.Header) { d.body = "" }, "signature_wrong"},
			"unsigned":                {func(_ *delivery, h http.Header) { clear(h) }, "signature_missing"},
			"another secret":          {func(d *delivery, _ http.Header) { d.secret = "YW5vdGhlciBzZWNyZXQ=" }, "signature_wrong"},
			"two secrets, both wrong": {func(d *delivery, _ http.Header) { d.secret = "YW5vdGhlciBzZWNyZXQ= YWdhaW4=" }, "signature_wrong"},
			"old and new secret":      {func(d *delivery, _ http.Header) { d.secret = "bmV3\n" + d.secret + "\n" }, ""},
			"line end behind it":      {func(d *delivery, _ http.Header) { d.secret += "\n" }, ""},
			"garbage for a signature": {func(_ *delivery, h http.Header) {
				for name := range h {
					h.Set(name, "\x00,=;")
				}
			}, "signature_wrong"},
		} {
			if name == "old and new secret" && d.scheme == "github" && d.secret != "c2VjcmV0IG9mIHRoZSB0ZXN0" {
				continue // a secret with spaces is one secret
			}
			_, err := d.verify(t, c.change)
			if c.code == "" {
				assert.NoError(t, err, "%s: %s", d.scheme, name)
			} else {
				assert.Equal(t, c.code, picloud.ErrorCode(err), "%s: %s", d.scheme, name)
			}
		}
		for offset, code := range map[time.Duration]string{4 * time.Minute: "", -4 * time.Minute: "", 6 * time.Minute: "delivery_expired", -6 * time.Minute: "delivery_expired"} {
			_, err := d.verify(t, func(d *delivery, _ http.Header) { d.at = d.at.Add(offset) })
			if code == "" || !scheme.HasTimestamp() {
				assert.NoError(t, err, d.scheme)
			} else {
				assert.Equal(t, code, picloud.ErrorCode(err), d.scheme)
			}
		}
		if scheme.HasTimestamp() {
			// A new date on an old signature.
			_, err := d.verify(t, func(d *delivery, h http.Header) {
				for name, value := range map[string]string{"X-Slack-Request-Timestamp": "1800000000", "Webhook-Timestamp": "1800000000"} {
					if h.Get(name) != "" {
						h.Set(name, value)
					}
				}
				if s := h.Get("Stripe-Signature"); s != "" {
					h.Set("Stripe-Signature", "t=1800000000"+s[len("t=1700000000"):])
				}
				d.at = time.Unix(1800000000, 0)
			})
			assert.Equal(t, "signature_wrong", picloud.ErrorCode(err), d.scheme)
		}
	}
}

func TestDeliveriesWithoutAnIDGoByTheirSignature(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"no JSON", `[]`, `{"id":7}`, `{}`} {
		at := time.Unix(1700000000, 0)
		one, err := signed(t, "stripe", "s", body, at).verify(t, nil)
		require.NoError(t, err)
		two, err := signed(t, "stripe", "s", body, at.Add(time.Second)).verify(t, nil)
		require.NoError(t, err)
		require.NotEqual(t, one, two)
		require.Len(t, one, 64)
	}
}

func TestSecretThatIsNoneForTheScheme(t *testing.T) {
	t.Parallel()
	d := signed(t, "standard", "c2VjcmV0", "x", time.Unix(1700000000, 0))
	_, err := d.verify(t, func(d *delivery, _ http.Header) { d.secret = "whsec_not base64!" })
	require.Equal(t, "secret_unusable", picloud.ErrorCode(err))
	require.Equal(t, picloud.Unavailable, picloud.AsError(err).Kind)
	_, ok := webhook.Find("none")
	require.False(t, ok)
	require.Equal(t, []string{"github", "shopify", "slack", "standard", "stripe"}, webhook.Names())
}
