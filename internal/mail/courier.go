package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/picloud/picloud/internal/picloud"
)

// relayTimeout bounds each step of the conversation with the relay.
const relayTimeout = 30 * time.Second

// Courier hands mails over: to the relay, and to the instance's own mailboxes without SMTP. It implements picloud.Courier.
type Courier struct {
	Emails        picloud.Emails
	Domain        picloud.MailDomain
	Relay         *Relay // nil = none
	MaxEventBytes int    // of the JSON of a mail for the instance's own mailboxes
	Now           func() time.Time
}

var _ picloud.Courier = (*Courier)(nil)

// HandOver implements picloud.Courier. Own mailboxes are looked up first: what one of them refuses goes nowhere. A relay that refuses one recipient gets the mail for none.
func (c *Courier) HandOver(ctx context.Context, m picloud.Mail) (*picloud.Received, error) {
	var mailboxes []picloud.Mailbox
	var others []string
	for _, address := range m.Recipients() {
		box, ok := c.Domain.Mailbox(address)
		switch {
		case ok:
			if err := c.find(ctx, address, box); err != nil {
				return nil, err
			}
			if !slices.Contains(mailboxes, box) {
				mailboxes = append(mailboxes, box)
			}
		case c.Domain.Owns(address):
			return nil, refusedf("550 5.1.1 <%s> is not here: addresses are <local part>@<app>.%s", address, c.Domain)
		default:
			others = append(others, address)
		}
	}
	composed, err := c.compose(m)
	if err != nil {
		return nil, refusedf("the mail cannot be written: %v", err)
	}
	from, err := netmail.ParseAddress(m.From)
	if err != nil {
		return nil, refusedf("the sender cannot be read: %v", err)
	}
	var received *picloud.Received
	if len(mailboxes) > 0 {
		if received, err = c.receive(composed, from.Address, mailboxes); err != nil {
			return nil, err
		}
	}
	if len(others) > 0 {
		if c.Relay == nil {
			return nil, picloud.ErrNoRelay
		}
		if err := c.Relay.send(ctx, from.Address, others, composed); err != nil {
			return nil, err
		}
	}
	return received, nil
}

func refusedf(format string, args ...any) error {
	return &picloud.MailRefusedError{Message: fmt.Sprintf(format, args...)}
}

func (c *Courier) find(ctx context.Context, address string, box picloud.Mailbox) error {
	err := c.Emails.FindMailbox(ctx, box)
	if e := picloud.AsError(err); e != nil && e.Kind == picloud.NotFound {
		return refusedf("550 5.1.1 <%s>: %s", address, e.Message)
	}
	if err != nil {
		return fmt.Errorf("find mailbox: %w", err)
	}
	return nil
}

// receive makes what the instance's own mailboxes get: the same data as if the mail had come by SMTP. Nobody has sent it over the network: SPF and DKIM say nothing.
func (c *Courier) receive(composed *gomail.Msg, from string, mailboxes []picloud.Mailbox) (*picloud.Received, error) {
	var raw bytes.Buffer
	if _, err := composed.WriteTo(&raw); err != nil {
		return nil, refusedf("the mail cannot be written: %v", err)
	}
	e := envelope{from: from, verdict: verdict{spf: picloud.AuthNone, dkim: picloud.AuthNone, header: string(c.Domain) + "; none"}}
	data, ok := encode(parse(raw.Bytes(), e), raw.Bytes(), e, c.MaxEventBytes)
	if !ok {
		return nil, refusedf("552 5.3.4 the mail has %d bytes: at most %d", len(data), c.MaxEventBytes)
	}
	return &picloud.Received{Mailboxes: mailboxes, Data: json.RawMessage(data)}, nil
}

// compose writes a mail. Blind copies are no header: the envelope names them.
func (c *Courier) compose(m picloud.Mail) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(m.From), msg.To(m.To...), msg.Cc(m.CC...)); err != nil {
		return nil, fmt.Errorf("write addresses: %w", err)
	}
	if m.ReplyTo != "" {
		if err := msg.ReplyTo(m.ReplyTo); err != nil {
			return nil, fmt.Errorf("write addresses: %w", err)
		}
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.MessageID)
	msg.SetDateWithValue(c.Now())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence note answers it
	for name, value := range m.Headers {
		msg.SetGenHeader(gomail.Header(name), value)
	}
	switch {
	case m.HTML == "":
		msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	case m.Text == "":
		msg.SetBodyString(gomail.TypeTextHTML, m.HTML)
	default:
		msg.SetBodyString(gomail.TypeTextPlain, m.Text)
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	for _, a := range m.Attachments {
		var options []gomail.FileOption
		if a.ContentType != "" {
			options = append(options, gomail.WithFileContentType(gomail.ContentType(a.ContentType)))
		}
		if err := msg.AttachReader(a.Filename, bytes.NewReader(a.Content), options...); err != nil {
			return nil, fmt.Errorf("attach %s: %w", strings.ToValidUTF8(a.Filename, ""), err)
		}
	}
	return msg, nil
}
