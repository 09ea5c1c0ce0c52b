package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/webhook"
)

// attachTo is what a request has in common with its repetitions.
type attachTo struct {
	key      string // "" = nothing
	delivery bool   // of a webhook: its sender comes again when it was told of a failure, and then means a new run
}

// maxIdempotencyKey is the longest Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// checkIdempotencyKey checks the header's values.
func checkIdempotencyKey(values []string) error {
	if key := values[0]; len(values) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return picloud.InvalidField("Idempotency-Key", "must be given once, with 1 to %d printable ASCII characters", maxIdempotencyKey)
	}
	return nil
}

// attachment verifies a webhook's signature, and gives what names the request: its delivery, or else its Idempotency-Key. Keys of callers whom nobody knows are apart from
// those of others.
func attachment(h http.Header, e picloud.Endpoint, t *picloud.Trigger, body []byte) (attachTo, error) {
	if t != nil && t.HTTP.Auth == picloud.HTTPAuthWebhook {
		delivery, err := verifyWebhook(h, e, *t, body)
		return attachTo{key: e.ScriptID + "#" + t.ID + ":" + delivery, delivery: true}, err
	}
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return attachTo{}, nil
	}
	if err := checkIdempotencyKey(values); err != nil {
		return attachTo{}, err
	}
	key := values[0]
	if t != nil && t.HTTP.Auth == picloud.HTTPAuthNone {
		return attachTo{key: e.ScriptID + "#" + t.ID + "/" + key}, nil
	}
	return attachTo{key: e.ScriptID + ":" + key}, nil
}

// verifyWebhook gives the id of a delivery that is genuine. Unavailable "webhook_secret_missing" where the trigger's secret was deleted: nothing is let in unverified.
func verifyWebhook(h http.Header, e picloud.Endpoint, t picloud.Trigger, body []byte) (string, error) {
	scheme, ok := webhook.Find(t.HTTP.Signature)
	if !ok {
		return "", picloud.Errorf(picloud.Unavailable, "signature_unknown", "the trigger %s verifies by %q, which this version does not know", t.Name, t.HTTP.Signature)
	}
	secret, ok := e.Secrets[t.HTTP.Secret]
	if !ok {
		return "", picloud.Errorf(picloud.Unavailable, "webhook_secret_missing", "the trigger %s verifies deliveries with the secret %s, which the app does not have any more: nothing is let in until it is set again",
			t.Name, t.HTTP.Secret)
	}
	return scheme.Verify(secret, h, body, time.Now(), t.HTTP.Tolerant())
}

// attachGrace is how long a repeated request looks for the first one's execution, which may be about to start.
const attachGrace = time.Second

// attach binds the first request of a name to its execution. A later one takes that execution's id, and repeated
// says that it is there. When it is not (the first request broke off before its start), this request starts it, under the same id.
func (s *server) attach(c *gin.Context, x *call) (repeated bool, err error) {
	if x.attachTo.key == "" {
		return false, nil
	}
	ctx, own := c.Request.Context(), x.firing.ExecutionID
	first, attached, err := s.Idempotency.Attach(ctx, x.firing.AppID, x.attachTo.key, own)
	if err != nil || !attached {
		return false, err
	}
	x.firing.ExecutionID = first
	deadline := time.NewTimer(attachGrace)
	defer deadline.Stop()
	for {
		found, err := s.findExecution(ctx, x.endpoint.App, first)
		if err == nil {
			return s.repeated(ctx, x, found, own)
		}
		if !isNoExecution(err) {
			return false, err
		}
		select {
		case <-deadline.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(firstLook):
		}
	}
}

// repeated says whether a request is answered by the execution that was found for its name. A delivery whose sender was told of a failure runs again, under the id own, unless
// another repetition is doing that already; so does what was canceled because its caller had left: nothing came of it.
func (s *server) repeated(ctx context.Context, x *call, found picloud.Execution, own string) (bool, error) {
	canceled := found.Status == picloud.StatusCanceled
	again := x.attachTo.delivery && (canceled || found.Status == picloud.StatusFailed) || x.firing.OnDisconnect == picloud.DisconnectCancels && canceled
	if !again {
		return true, nil
	}
	rebound, err := s.Idempotency.Rebind(ctx, x.firing.AppID, x.attachTo.key, found.ID, own)
	if err != nil || !rebound {
		return err == nil, err
	}
	x.firing.ExecutionID = own
	return false, nil
}
