package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// Email is what a run sends by mail: effects beside its kv writes, as Topics.
type Email struct {
	session *KV
	rules   picloud.MailRules
	run     picloud.Run
	sent    int
}

// NewEmail adds mails to the session of a run.
func NewEmail(session *KV, rules picloud.MailRules, run picloud.Run) *Email {
	return &Email{session: session, rules: rules, run: run}
}

// Register adds the mail operations to a table.
func (e *Email) Register(t Table) { t[frame.OpEmailSend] = e.send }

func (e *Email) send(_ frame.Call, body []byte) (Answer, Later, error) {
	if n := len(body); n > e.session.limits.PayloadBytes {
		return Throw("RangeError", fmt.Sprintf("the mail has %d bytes, the payload limit is %d", n, e.session.limits.PayloadBytes)), nil, nil
	}
	m, err := picloud.ParseMail(body)
	if err != nil {
		return Throw("TypeError", nameFault(err)), nil, nil
	}
	e.sent++
	m, err = e.rules.Complete(m, e.run.ExecutionID, e.sent, e.run.App, e.run.Script)
	if errors.Is(err, picloud.ErrNoRelay) {
		return Throw("Error", err.Error()), nil, nil
	}
	if err != nil {
		return Answer{}, nil, err
	}
	var value bytes.Buffer
	encoder := json.NewEncoder(&value)
	encoder.SetEscapeHTML(false) // its HTML would grow six times
	if err := encoder.Encode(m); err != nil {
		return Answer{}, nil, fmt.Errorf("encode mail: %w", err)
	}
	return e.session.send(picloud.Effect{Type: picloud.EffectEmailSend, To: m.Recipients(), Subject: m.Subject, Size: len(body), Value: bytes.TrimSpace(value.Bytes())})
}
