package picloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"
)

// Mail is a mail that a script sends, in the form of ctx.email.send. MessageID is made of the execution's id and a counter: who gets a mail twice, since it
// is handed over at least once, can tell by it.
type Mail struct {
	To          Addresses         `json:"to"`
	CC          Addresses         `json:"cc,omitempty"`
	BCC         Addresses         `json:"bcc,omitempty"`
	From        string            `json:"from,omitempty"` // "" = the instance's default
	ReplyTo     string            `json:"reply_to,omitempty"`
	Subject     string            `json:"subject"`
	Text        string            `json:"text,omitempty"`
	HTML        string            `json:"html,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Attachments []MailAttachment  `json:"attachments,omitempty"`
	MessageID   string            `json:"message_id,omitempty"` // without angle brackets; a script may not set it
}

// MailAttachment is a file of a mail; JSON has the content in base64.
type MailAttachment struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type,omitempty"` // "" = by the file's name
	Content     []byte `json:"content"`
}

// Addresses is a list of addresses ("a@b.example" or "Ann <a@b.example>") that JSON may give as a single string.
type Addresses []string

// UnmarshalJSON reads a string or an array of strings.
func (a *Addresses) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil && !bytes.Equal(data, []byte("null")) {
		*a = Addresses{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// The bounds of a mail that is sent.
const (
	MaxMailRecipients = 100
	MaxMailSubject    = 998 // bytes; source: RFC 5322, section 2.1.1
	MaxMailHeaders    = 50
	MaxMailHeader     = 2000 // bytes of one value
	MaxMailFiles      = 50
	maxMailAddress    = 320 // bytes: 64 + @ + 255
)

// ownHeaders are those that the mail's other fields make, or the hand-over does.
var ownHeaders = []string{
	"from", "to", "cc", "bcc", "subject", "date", "message-id", "reply-to", "sender", "mime-version", "return-path", "received", "dkim-signature", "authentication-results",
}

// ParseMail reads the argument of ctx.email.send. The error, of kind Invalid, names the field.
func ParseMail(data []byte) (Mail, error) {
	var m Mail
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil || fields == nil {
		return m, InvalidField("mail", "must be an object {to, subject, text, …}")
	}
	known := map[string]struct {
		into any
		want string
	}{
		"to": {&m.To, "an address or a list of addresses"}, "cc": {&m.CC, "an address or a list of addresses"}, "bcc": {&m.BCC, "an address or a list of addresses"},
		"from": {&m.From, "an address"}, "reply_to": {&m.ReplyTo, "an address"}, "subject": {&m.Subject, "a string"}, "text": {&m.Text, "a string"}, "html": {&m.HTML, "a string"},
		"headers": {&m.Headers, "an object of strings"}, "attachments": {&m.Attachments, "a list of {filename, content_type?, content (base64)}"},
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field, ok := known[name]
		if !ok {
			return m, InvalidField(name[:min(len(name), 100)], "is no field of a mail: there are %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if json.Unmarshal(fields[name], field.into) != nil {
			return m, InvalidField(name, "must be %s", field.want)
		}
	}
	return m, m.check()
}

func (m Mail) check() error {
	if len(m.To) == 0 {
		return InvalidField("to", "is required: an address or a list of addresses")
	}
	if n := len(m.To) + len(m.CC) + len(m.BCC); n > MaxMailRecipients {
		return InvalidField("to", "has %d recipients with cc and bcc: at most %d", n, MaxMailRecipients)
	}
	for _, list := range []struct {
		field     string
		addresses Addresses
	}{{"to", m.To}, {"cc", m.CC}, {"bcc", m.BCC}} {
		for i, a := range list.addresses {
			if err := checkMailAddress(fmt.Sprintf("%s[%d]", list.field, i), a); err != nil {
				return err
			}
		}
	}
	for _, single := range [][2]string{{"from", m.From}, {"reply_to", m.ReplyTo}} {
		if single[1] == "" {
			continue
		}
		if err := checkMailAddress(single[0], single[1]); err != nil {
			return err
		}
	}
	if len(m.Subject) > MaxMailSubject || !isLine(m.Subject) {
		return InvalidField("subject", "must be one line of at most %d bytes", MaxMailSubject)
	}
	if m.Text == "" && m.HTML == "" && len(m.Attachments) == 0 {
		return InvalidField("text", "is required, or html, or attachments: the mail is empty")
	}
	if err := m.checkHeaders(); err != nil {
		return err
	}
	return m.checkFiles()
}

func (m Mail) checkHeaders() error {
	if len(m.Headers) > MaxMailHeaders {
		return InvalidField("headers", "has %d headers: at most %d", len(m.Headers), MaxMailHeaders)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		lower := strings.ToLower(name)
		field := "headers." + strings.ToValidUTF8(name[:min(len(name), 100)], "")
		switch {
		case !isHeaderName(name):
			return InvalidField(field, "is no name of a header")
		case slices.Contains(ownHeaders, lower) || strings.HasPrefix(lower, "content-") || strings.HasPrefix(lower, "x-picloud-"):
			return InvalidField(field, "cannot be set: it is made of the mail's other fields")
		case len(m.Headers[name]) > MaxMailHeader || !isLine(m.Headers[name]):
			return InvalidField(field, "must be one line of at most %d bytes", MaxMailHeader)
		}
	}
	return nil
}

func (m Mail) checkFiles() error {
	if len(m.Attachments) > MaxMailFiles {
		return InvalidField("attachments", "has %d files: at most %d", len(m.Attachments), MaxMailFiles)
	}
	for i, a := range m.Attachments {
		if a.Filename == "" || len(a.Filename) > 255 || !isLine(a.Filename) {
			return InvalidField(fmt.Sprintf("attachments[%d].filename", i), "must be one line of 1 to 255 bytes")
		}
		if len(a.ContentType) > 255 || !isLine(a.ContentType) || a.ContentType != "" && !strings.Contains(a.ContentType, "/") {
			return InvalidField(fmt.Sprintf("attachments[%d].content_type", i), `must be a media type ("application/pdf")`)
		}
	}
	return nil
}

func checkMailAddress(field, address string) error {
	parsed, err := mail.ParseAddress(address)
	if err != nil || len(parsed.Address) > maxMailAddress || !isLine(address) {
		return InvalidField(field, "%q is no address: write \"a@b.example\" or \"Ann <a@b.example>\"", strings.ToValidUTF8(address[:min(len(address), 100)], ""))
	}
	if local, _, ok := cutAddress(parsed.Address); !ok || !isLocalPart(local) {
		return InvalidField(field, "%q is no address that mail can be sent to", strings.ToValidUTF8(address[:min(len(address), 100)], ""))
	}
	return nil
}

// isLine says whether s is valid text without control characters.
func isLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// isHeaderName says whether s can be the name of a header of a mail (RFC 5322, section 2.2).
func isHeaderName(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' })
}

// Recipients are the bare addresses that the mail goes to, each once.
func (m Mail) Recipients() []string {
	var all []string
	for _, a := range slices.Concat(m.To, m.CC, m.BCC) {
		if parsed, err := mail.ParseAddress(a); err == nil && !slices.Contains(all, parsed.Address) {
			all = append(all, parsed.Address)
		}
	}
	return all
}

// MailRules are what the instance makes of the mails of scripts.
type MailRules struct {
	Domain MailDomain
	From   string // the sender of mails that name none; "" = <script>@<app>.<Domain>
	Relay  bool   // whether there is one: without, only mails to addresses below Domain go
}

// ErrNoRelay is what a script gets for a mail that has nowhere to go.
var ErrNoRelay = errors.New("no SMTP relay is configured: set PICLOUD_SMTP_RELAY_URL (smtp://user:password@host:587), then mails to other domains can be sent")

// Complete gives the mail with its sender and its id: the n-th of an execution. ErrNoRelay.
func (r MailRules) Complete(m Mail, executionID string, n int, app, script string) (Mail, error) {
	if m.From == "" {
		if m.From = r.From; m.From == "" {
			m.From = r.Domain.Address(Mailbox{App: app, Local: script})
		}
	}
	m.MessageID = fmt.Sprintf("%s.%d@%s", executionID, n, r.Domain)
	if !r.Relay && slices.ContainsFunc(m.Recipients(), func(a string) bool { return !r.Domain.Owns(a) }) {
		return m, ErrNoRelay
	}
	return m, nil
}

// MailRefusedError is the end of a mail that cannot be handed over: trying again would not help.
type MailRefusedError struct {
	Message string // what the server said, or what is wrong
}

// Error gives the message.
func (e *MailRefusedError) Error() string { return e.Message }

// Courier hands mails over.
type Courier interface {
	// HandOver gives a mail to the relay, as far as it has recipients at other domains, and gives what those at the instance's own get: nil = nobody. A *MailRefusedError
	// is final; every other error may go away. The mail may arrive although the answer was lost: it is handed over at least once, under one Message-ID.
	HandOver(ctx context.Context, m Mail) (*Received, error)
}

// OutgoingMails is the record of the mails that scripts have sent: each is a firing of KindMail, whose event's data is the Mail. Every method may be repeated.
type OutgoingMails interface {
	// OpenMail reads the mail of a firing. committed is set when it was handed over before. A *ScriptError says that the mail is gone, or none.
	OpenMail(ctx context.Context, f Firing) (m Mail, committed *Committed, err error)
	// CommitMail ends the hand-over of a mail: in one transaction it writes the row of its execution, and the events and firings of what the instance's own
	// mailboxes get, as children of the execution that sent the mail. NotFound "mailbox_not_found" when one of them fires nothing: then nothing is stored.
	CommitMail(ctx context.Context, f Firing, local *Received, domain MailDomain, c Commit) (Committed, error)
}
