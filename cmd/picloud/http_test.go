package main_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/testkit"
)

// request sends one request without a key, and gives its answer.
func request(t *testing.T, up *testkit.Instance, method, path, body string, headers map[string]string) (answered, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, up.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answered{answer.StatusCode, answer.Header}, string(text)
}

// answered is an answer whose body was read.
type answered struct {
	StatusCode int
	Header     http.Header
}

func mac(secret, text string) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// senders sign a delivery with an id as each of them does.
var senders = map[string]func(t *testing.T, secret, id, body string, at time.Time) map[string]string{
	"github": func(_ *testing.T, secret, id, body string, _ time.Time) map[string]string {
		return map[string]string{"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac(secret, body)), "X-GitHub-Delivery": id, "X-GitHub-Event": "push"}
	},
	"shopify": func(_ *testing.T, secret, id, body string, _ time.Time) map[string]string {
		return map[string]string{"X-Shopify-Hmac-Sha256": base64.StdEncoding.EncodeToString(mac(secret, body)), "X-Shopify-Webhook-Id": id}
	},
	"slack": func(_ *testing.T, secret, _, body string, at time.Time) map[string]string {
		stamp := strconv.FormatInt(at.Unix(), 10)
		return map[string]string{"X-Slack-Signature": "v0=" + hex.EncodeToString(mac(secret, "v0:"+stamp+":"+body)), "X-Slack-Request-Timestamp": stamp}
	},
	"stripe": func(_ *testing.T, secret, _, body string, at time.Time) map[string]string { // its id is in the body
		stamp := strconv.FormatInt(at.Unix(), 10)
		return map[string]string{"Stripe-Signature": "t=" + stamp + ",v1=" + hex.EncodeToString(mac(secret, stamp+"."+body))}
	},
	"standard": func(t *testing.T, secret, id, body string, at time.Time) map[string]string {
		w, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		signature, err := w.Sign(id, at, []byte(body))
		require.NoError(t, err)
		return map[string]string{"Webhook-Id": id, "Webhook-Timestamp": strconv.FormatInt(at.Unix(), 10), "Webhook-Signature": signature}
	},
}

// TestWebhooks delivers webhooks as their senders do: once and again, tampered with, too late, unsigned, with a wrong secret, and when the secret is gone.
func TestWebhooks(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, "", map[string]string{"hooks": `export default async (event: any, ctx: any) => {
		const { params, body, headers } = event.data;
		const n = ((await ctx.kv.get("runs", params.sender)) ?? 0) + 1;
		await ctx.kv.set("runs", params.sender, n);
		return { n, what: body.what, principal: ctx.execution.id !== "", key: headers.authorization ?? null };
	}`, "flaky": `export default async (event: any, ctx: any) => {
		if ((await ctx.kv.get("flaky", "well")) !== true) throw new Error("not yet");
		return "well";
	}`})
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	create := func(script, name, config string) *client.CreateTriggerResponse {
		t.Helper()
		made, err := up.Client.CreateTriggerWithBodyWithResponse(t.Context(), "shop", "application/json",
			strings.NewReader(`{"name":"`+name+`","kind":"http","script":"`+script+`","config":`+config+`}`))
		require.NoError(t, err)
		return made
	}
	refused := create("hooks", "early", `{"auth":"webhook","secret":"HOOKS"}`)
	require.Equal(t, 422, refused.StatusCode())
	require.Contains(t, string(refused.Body), "PUT /v1/apps/{app}/secrets/HOOKS")
	putSecret(t, up, "HOOKS", secret)
	for sender := range senders {
		// The name of the sender is a parameter of the path as well as a trigger of its own.
		made := create("hooks", sender, `{"methods":["POST"],"path":"/`+sender+`/:sender","auth":"webhook","secret":"HOOKS","signature":"`+sender+`"}`)
		require.Equal(t, 201, made.StatusCode(), string(made.Body))
	}
	rival := create("hooks", "rival", `{"methods":["PUT","POST"],"path":"/slack/:other","auth":"none"}`)
	require.Equal(t, 409, rival.StatusCode(), string(rival.Body))
	require.Contains(t, string(rival.Body), "trigger_conflict")

	for sender, sign := range senders {
		path, body, now := "/run/shop/hooks/"+sender+"/"+sender, `{"id":"evt_`+sender+`","what":"paid"}`, time.Now()
		post := func(body string, headers map[string]string) (answered, string) {
			sent := map[string]string{"Content-Type": "application/json"}
			maps.Copy(sent, headers)
			return request(t, up, http.MethodPost, path, body, sent)
		}
		refused := func(status int, code, body string, headers map[string]string) {
			t.Helper()
			answer, said := post(body, headers)
			assert.Equal(t, status, answer.StatusCode, "%s %s", sender, said)
			assert.Contains(t, said, `"code":"`+code+`"`, sender)
			assert.NotContains(t, said, secret)
		}
		signed := sign(t, secret, "d-1", body, now)
		refused(401, "signature_wrong", body+" ", signed)
		refused(401, "signature_missing", body, nil)
		refused(401, "signature_wrong", body, sign(t, "whsec_d3Jvbmc=", "d-1", body, now))
		if sender != "github" && sender != "shopify" {
			refused(401, "delivery_expired", body, sign(t, secret, "d-1", body, now.Add(-6*time.Minute)))
			refused(401, "delivery_expired", body, sign(t, secret, "d-1", body, now.Add(6*time.Minute)))
		}
		first, said := post(body, signed)
		require.Equal(t, 200, first.StatusCode, "%s %s", sender, said)
		require.JSONEq(t, `{"n":1,"what":"paid","principal":true,"key":null}`, said)
		again, repeated := post(body, signed)
		assert.Equal(t, said, repeated, "a delivery that comes again runs once")
		assert.Equal(t, first.Header.Get("X-Picloud-Execution"), again.Header.Get("X-Picloud-Execution"))
		assert.Equal(t, "admin", execution(t, up, first.Header.Get("X-Picloud-Execution")).Principal, "it runs as who registered the trigger")

		body = `{"id":"evt_2","what":"refunded"}`
		_, said = post(body, sign(t, secret, "d-2", body, now.Add(time.Second)))
		assert.Contains(t, said, `"n":2`, "another delivery is another execution")
		answer, _ := request(t, up, http.MethodGet, path, "", nil)
		assert.Equal(t, 405, answer.StatusCode)
		assert.Equal(t, "POST", answer.Header.Get("Allow"))
	}

	// A sender that was told of a failure comes again, and means it.
	require.Equal(t, 201, create("flaky", "flaky", `{"auth":"webhook","secret":"HOOKS"}`).StatusCode())
	signed := senders["standard"](t, secret, "f-1", `{}`, time.Now())
	failed, said := request(t, up, http.MethodPost, "/run/shop/flaky", `{}`, signed)
	require.Equal(t, 500, failed.StatusCode, said)
	put, err := up.Client.PutKVWithBodyWithResponse(t.Context(), "shop", "flaky", "well", nil, "application/json", strings.NewReader("true"))
	require.NoError(t, err)
	require.Less(t, put.StatusCode(), 300, string(put.Body))
	well, said := request(t, up, http.MethodPost, "/run/shop/flaky", `{}`, signed)
	require.Equal(t, 200, well.StatusCode, said)
	third, said := request(t, up, http.MethodPost, "/run/shop/flaky", `{}`, signed)
	require.Equal(t, 200, third.StatusCode, said)
	require.Equal(t, well.Header.Get("X-Picloud-Execution"), third.Header.Get("X-Picloud-Execution"))

	// While the secret is changed, both are valid; when it is gone, nothing is let in.
	putSecret(t, up, "HOOKS", "whsec_bmV3IHNlY3JldA==\n"+secret)
	for i, key := range []string{"whsec_bmV3IHNlY3JldA==", secret} {
		answer, said := request(t, up, http.MethodPost, "/run/shop/flaky", `{}`, senders["standard"](t, key, "r-"+strconv.Itoa(i), `{}`, time.Now()))
		require.Equal(t, 200, answer.StatusCode, said)
	}
	gone, err := up.Client.DeleteSecretWithResponse(t.Context(), "shop", "HOOKS")
	require.NoError(t, err)
	require.Equal(t, 204, gone.StatusCode())
	answer, said := request(t, up, http.MethodPost, "/run/shop/flaky", `{}`, senders["standard"](t, secret, "g-1", `{}`, time.Now()))
	require.Equal(t, 503, answer.StatusCode)
	require.Contains(t, said, "webhook_secret_missing")
	require.NotContains(t, up.Said(), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

// TestHTTPTriggers calls an open endpoint as a browser does: parameters, preflights, forms with files, cookies and binary answers.
func TestHTTPTriggers(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, `
  - { name: order, kind: http, script: shop, config: { methods: [GET, POST], path: "/orders/:id/lines/:line", auth: none, cors: { origins: ["https://shop.example"], headers: [X-Own], credentials: true, max_age: 10m } } }
  - { name: newest, kind: http, script: shop, config: { methods: [GET], path: /orders/new/lines/:line, auth: none } }
  - { name: files, kind: http, script: shop, config: { path: "/files/*rest", auth: none } }
  - { name: later, kind: http, script: shop, config: { path: /later, mode: async, auth: none } }
  - { name: image, kind: http, script: image, config: { auth: none } }
`, map[string]string{
		"shop": `export default (event: any) => ({ params: event.data.params, body: event.data.body, encoding: event.data.body_encoding ?? null })`,
		"image": `export default () => {
			const headers = new Headers({ "content-type": "image/png", "access-control-allow-origin": "https://own.example" });
			headers.append("set-cookie", "a=1; Path=/; HttpOnly");
			headers.append("set-cookie", "b=2; SameSite=Lax");
			return new Response(new Uint8Array([0, 255, 137, 80, 10, 13]), { status: 201, headers });
		}`,
	})
	shown := func(method, path, body, contentType string) string {
		t.Helper()
		answer, said := request(t, up, method, "/run/shop/shop"+path, body, map[string]string{"Content-Type": contentType})
		require.Equal(t, 200, answer.StatusCode, said)
		return said
	}
	assert.JSONEq(t, `{"params":{"id":"4 2","line":"7"},"body":null,"encoding":null}`, shown("GET", "/orders/4%202/lines/7", "", ""))
	assert.JSONEq(t, `{"params":{"line":"7"},"body":null,"encoding":null}`, shown("GET", "/orders/new/lines/7", "", ""), "a text is more specific than a parameter")
	assert.JSONEq(t, `{"params":{"id":"new","line":"7"},"body":{"a":1},"encoding":null}`, shown("POST", "/orders/new/lines/7", `{"a":1}`, "application/json"))
	assert.JSONEq(t, `{"params":{"rest":"a/b.txt"},"body":"x","encoding":null}`, shown("PUT", "/files/a/b.txt", `x`, "text/plain"))
	assert.JSONEq(t, `{"params":{"rest":""},"body":{"a":["1","2"],"b":"3"},"encoding":null}`, shown("POST", "/files/", `a=1&a=2&b=3`, "application/x-www-form-urlencoded"))
	assert.JSONEq(t, `{"params":{"rest":"x"},"body":"AP8=","encoding":"base64"}`, shown("POST", "/files/x", "\x00\xff", "application/octet-stream"))

	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, tag := range []string{"red", "blue"} {
		require.NoError(t, w.WriteField("tag", tag))
	}
	file, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="photo"; filename="my \"cat\".png"`}, "Content-Type": {"image/png"}})
	require.NoError(t, err)
	_, err = file.Write([]byte{0, 1, 0xff})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	assert.JSONEq(t, `{"params":{"rest":"upload"},"encoding":null,"body":{"tag":["red","blue"],"photo":{"filename":"my \"cat\".png","content_type":"image/png","size":3,"content":"AAH/"}}}`,
		shown("POST", "/files/upload", form.String(), w.FormDataContentType()))
	answer, said := request(t, up, http.MethodPost, "/run/shop/shop/files/upload", "no form", map[string]string{"Content-Type": w.FormDataContentType()})
	assert.Equal(t, 400, answer.StatusCode)
	assert.Contains(t, said, "malformed_form")

	// Who has no key gets in at the open doors alone.
	for path, status := range map[string]int{"/run/shop/shop/other": 401, "/run/shop/shop": 401, "/run/shop/none": 401, "/run/none/none": 401, "/run/shop/shop/later": 202} {
		answer, said := request(t, up, http.MethodPost, path, "", nil)
		assert.Equal(t, status, answer.StatusCode, "%s %s", path, said)
	}
	answer, _ = request(t, up, http.MethodDelete, "/run/shop/shop/orders/1/lines/2", "", nil)
	assert.Equal(t, 405, answer.StatusCode)
	assert.Equal(t, "GET, POST", answer.Header.Get("Allow"))

	// Preflights are answered without firing; other origins read nothing.
	const path = "/run/shop/shop/orders/1/lines/2"
	preflight := func(origin, method, headers string) http.Header {
		answer, said := request(t, up, http.MethodOptions, path, "", map[string]string{"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers})
		require.Less(t, answer.StatusCode, 500, said)
		require.Empty(t, answer.Header.Get("X-Picloud-Execution"))
		return answer.Header
	}
	h := preflight("https://shop.example", "POST", "x-own")
	assert.Equal(t, "https://shop.example", h.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "POST", h.Get("Access-Control-Allow-Methods"))
	assert.Equal(t, "true", h.Get("Access-Control-Allow-Credentials"))
	assert.Equal(t, "600", h.Get("Access-Control-Max-Age"))
	assert.Empty(t, preflight("https://evil.example", "POST", "").Get("Access-Control-Allow-Origin"))
	assert.Empty(t, preflight("https://shop.example", "DELETE", "").Get("Access-Control-Allow-Origin"))
	assert.Empty(t, preflight("https://shop.example", "POST", "x-other").Get("Access-Control-Allow-Origin"))
	answer, _ = request(t, up, http.MethodGet, path, "", map[string]string{"Origin": "https://shop.example"})
	assert.Equal(t, 200, answer.StatusCode)
	assert.Equal(t, []string{"https://shop.example"}, answer.Header.Values("Access-Control-Allow-Origin"))
	assert.Contains(t, answer.Header.Get("Vary"), "Origin")
	answer, _ = request(t, up, http.MethodGet, path, "", map[string]string{"Origin": "https://evil.example"})
	assert.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"))

	answer, said = request(t, up, http.MethodGet, "/run/shop/image", "", nil)
	assert.Equal(t, 201, answer.StatusCode)
	assert.Equal(t, "\x00\xff\x89P\n\r", said)
	assert.Equal(t, []string{"a=1; Path=/; HttpOnly", "b=2; SameSite=Lax"}, answer.Header.Values("Set-Cookie"))
	assert.Equal(t, "image/png", answer.Header.Get("Content-Type"))
	assert.Equal(t, "https://own.example", answer.Header.Get("Access-Control-Allow-Origin"), "a script may do it by itself")

	got, err := up.Client.ListTriggersWithResponse(t.Context(), "shop", nil)
	require.NoError(t, err)
	require.NotNil(t, got.JSON200)
	config, err := json.Marshal(got.JSON200.Items[0].Config)
	require.NoError(t, err)
	assert.JSONEq(t, `{"methods":["GET","POST"],"path":"/orders/:id/lines/:line","mode":"sync","auth":"none",
		"cors":{"origins":["https://shop.example"],"headers":["X-Own"],"credentials":true,"max_age":"10m"}}`, string(config))
}

// TestWebhooksExample deploys examples/webhooks, whose secrets come from the environment, and delivers to it.
func TestWebhooksExample(t *testing.T) {
	up := testkit.Up(t)
	m, err := apply.Read("../../examples/webhooks")
	require.NoError(t, err)
	require.ErrorContains(t, apply.Apply(t.Context(), up.Client, m, func(string) {}), "set the environment variable GITHUB_WEBHOOK")
	t.Setenv("GITHUB_WEBHOOK", "secret of github")
	t.Setenv("STRIPE_WEBHOOK", "secret of stripe")
	require.NoError(t, apply.Apply(t.Context(), up.Client, m, func(step string) { require.NotContains(t, step, "secret of") }))
	const body = `{"id":"evt_9","type":"invoice.paid"}`
	for sender, status := range map[string]int{"github": 202, "stripe": 200} {
		headers := senders[sender](t, "secret of "+sender, "d-9", body, time.Now())
		headers["Content-Type"] = "application/json"
		answer, said := request(t, up, http.MethodPost, "/run/webhooks/receive/"+sender, body, headers)
		require.Equal(t, status, answer.StatusCode, said)
	}
	for _, key := range []string{"github:d-9", "stripe:evt_9"} {
		testkit.Eventually(t, settling, func() error {
			got, err := up.Client.GetKVWithResponse(t.Context(), "webhooks", "deliveries", key, nil)
			if err == nil && got.StatusCode() != http.StatusOK {
				err = errors.New("not kept yet: " + key)
			}
			return err //nolint:wrapcheck // of the test
		})
	}
}
