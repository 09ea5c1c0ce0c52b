package picloud

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// EmailConfig is the config of an email trigger: mails to the local parts that it matches, whatever their case. The whole address is
// <local part>@<app>.<PICLOUD_MAIL_DOMAIN>.
type EmailConfig struct {
	Address Glob `json:"address"`
}

// MaxLocalPart is the longest local part of an address, in bytes. Source: RFC 5321, section 4.5.3.1.1.
const MaxLocalPart = 64

// Check says what is wrong with the config; fields are named "config.<field>".
func (c EmailConfig) Check() error {
	if err := CheckGlob("config.address", string(c.Address)); err != nil {
		return err
	}
	if strings.Contains(string(c.Address), "@") {
		return InvalidField("config.address", "is the part before the @ only: the domain is the app's own")
	}
	local, _ := strings.CutSuffix(string(c.Address), "*")
	if local != "" && !isLocalPart(local) {
		return InvalidField("config.address", "must be 1 to %d bytes long, without spaces and control characters", MaxLocalPart)
	}
	return nil
}

func isLocalPart(s string) bool {
	if s == "" || len(s) > MaxLocalPart || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '@' })
}

// Mailbox is an address of an app.
type Mailbox struct {
	App   string // slug
	Local string // as it was written
}

// MailDomain is the domain below which every app has its own: mail for <local part>@<app>.<MailDomain> is PiCloud's.
type MailDomain string

// Check says whether d can be a domain.
func (d MailDomain) Check() error {
	for label := range strings.SplitSeq(string(d), ".") {
		if !nameForm.MatchString(label) {
			return fmt.Errorf("%q is no domain in lower case", string(d))
		}
	}
	return nil
}

// Address writes a mailbox as an address.
func (d MailDomain) Address(m Mailbox) string { return m.Local + "@" + m.App + "." + string(d) }

// Owns reports whether an address is below the domain, or at it.
func (d MailDomain) Owns(address string) bool {
	_, domain, ok := cutAddress(address)
	return ok && (domain == string(d) || strings.HasSuffix(domain, "."+string(d)))
}

// Mailbox reads an address; ok says that it can be one of an app's.
func (d MailDomain) Mailbox(address string) (m Mailbox, ok bool) {
	local, domain, ok := cutAddress(address)
	if !ok {
		return m, false
	}
	app, below := strings.CutSuffix(domain, "."+string(d))
	if !below || !nameForm.MatchString(app) || !isLocalPart(local) {
		return m, false
	}
	return Mailbox{App: app, Local: local}, true
}

// cutAddress splits an address at its last @; the domain is in lower case.
func cutAddress(address string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 {
		return "", "", false
	}
	return address[:at], strings.TrimSuffix(strings.ToLower(address[at+1:]), "."), true
}

// AuthResult is what SPF or DKIM say about a mail. Source: RFC 8601, section 2.7.
type AuthResult string

// The results.
const (
	AuthPass      AuthResult = "pass"
	AuthFail      AuthResult = "fail"
	AuthSoftFail  AuthResult = "softfail"
	AuthNeutral   AuthResult = "neutral"
	AuthNone      AuthResult = "none"
	AuthTempError AuthResult = "temperror" // DNS did not answer in time
	AuthPermError AuthResult = "permerror"
)

// EmailData is the data of the event picloud.email.received. Addresses are bare ("a@b.example"): the names are in headers.
type EmailData struct {
	From        string            `json:"from"` // of the header; of the envelope where there is none
	To          []string          `json:"to"`
	CC          []string          `json:"cc"`
	Subject     string            `json:"subject"`
	Text        string            `json:"text"` // made of the HTML where the mail has no plain text
	HTML        string            `json:"html"`
	Headers     map[string]string `json:"headers"` // by lower-case names; those of one name are joined by line breaks
	Attachments []EmailAttachment `json:"attachments"`
	SPF         AuthResult        `json:"spf"`
	DKIM        AuthResult        `json:"dkim"`
	Malformed   string            `json:"malformed,omitempty"` // why part of the mail, or all of it, could not be read
	Raw         []byte            `json:"raw,omitempty"`       // the whole mail, where it is malformed
}

// EmailAttachment is a part of a mail that is not its text; JSON has the content in base64.
type EmailAttachment struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int    `json:"size"`
	Content     []byte `json:"content"`
}

// Received is one mail on its way to the mailboxes that it was sent to. It makes one event a mailbox; Data, the JSON of an EmailData, is the same in all.
type Received struct {
	Mailboxes []Mailbox
	Data      json.RawMessage
}

// Emails takes mails for the email triggers of the apps.
type Emails interface {
	// FindMailbox says whether some enabled trigger takes mail for m. NotFound "app_not_found" or "mailbox_not_found".
	FindMailbox(ctx context.Context, m Mailbox) error
	// Receive makes an event for every mailbox of a mail and fires the enabled email triggers that match it, in one transaction: when it returns, the firings are
	// durable. NotFound "mailbox_not_found" when one of the mailboxes fires nothing: then nothing is stored. It gives the ids of the executions.
	Receive(ctx context.Context, domain MailDomain, r Received, from Origin) ([]string, error)
}
