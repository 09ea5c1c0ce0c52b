package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"strconv"

	gomail "github.com/wneessen/go-mail"

	"github.com/picloud/picloud/internal/picloud"
)

// Relay is the server that mails to other domains are handed to.
type Relay struct {
	host    string
	options []gomail.Option
}

// The ports of a relay whose URL names none.
const (
	submissionPort = 587
	smtpsPort      = 465
)

// ParseRelay reads PICLOUD_SMTP_RELAY_URL: smtp://user:password@host:587 speaks STARTTLS where the server offers it, and must where there is a password;
// smtps://… speaks TLS from the start. ?tls=none (for smtp:// without a password) keeps to plain text, ?tls=mandatory insists. "" is no relay. The error has no
// part of the URL in it: that may hold a password.
func ParseRelay(text string) (*Relay, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no relay is no error
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("is no URL of a relay: smtp://user:password@host:587 or smtps://user:password@host:465, with what is special in user and password percent-encoded")
	}
	password, secret := u.User.Password()
	options := []gomail.Option{gomail.WithTimeout(relayTimeout), gomail.WithoutNoop()}
	port := submissionPort
	tls := u.Query().Get("tls")
	switch {
	case u.Scheme == "smtps" && tls == "":
		port = smtpsPort
		options = append(options, gomail.WithSSL())
	case u.Scheme == "smtp" && (tls == "mandatory" || tls == "" && secret):
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case u.Scheme == "smtp" && tls == "":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case u.Scheme == "smtp" && tls == "none" && !secret:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return nil, errors.New("must begin with smtp:// or smtps://")
	default:
		return nil, errors.New("may say tls=mandatory, or without a password tls=none, after smtp:// only")
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return nil, errors.New("has no valid port")
		}
	}
	options = append(options, gomail.WithPort(port))
	if secret {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	if _, err := gomail.NewClient(u.Hostname(), options...); err != nil {
		return nil, fmt.Errorf("cannot be used: %w", err)
	}
	return &Relay{host: u.Hostname(), options: options}, nil
}

// send hands a mail over for some recipients. A *picloud.MailRefusedError when the relay says that it will never take it, for one of them or at all; whatever else goes
// wrong may go away: it is away, cannot be logged in to, or puts the mail off (4xx).
func (r *Relay) send(ctx context.Context, from string, recipients []string, mail io.WriterTo) error {
	dialer, err := gomail.NewClient(r.host, r.options...)
	if err != nil {
		return fmt.Errorf("make smtp client: %w", err)
	}
	client, err := dialer.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("reach relay: %w", err)
	}
	defer client.Close() //nolint:errcheck // the mail is handed over, or is not
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	if err := client.UpdateDeadline(relayTimeout); err != nil {
		return fmt.Errorf("reach relay: %w", err)
	}
	if err := client.Mail(bracketed(from)); err != nil {
		return refusal("sender <"+from+">", err)
	}
	var delayed error
	for _, address := range recipients {
		err := refusalOrNil("<"+address+">", client.Rcpt(bracketed(address)))
		if _, never := errors.AsType[*picloud.MailRefusedError](err); never {
			return err
		}
		delayed = errors.Join(delayed, err)
	}
	if delayed != nil {
		return delayed
	}
	body, err := client.Data()
	if err != nil {
		return refusal("the mail", err)
	}
	if _, err := mail.WriteTo(body); err != nil {
		return fmt.Errorf("hand over to relay: %w", err)
	}
	if err := client.UpdateDeadline(relayTimeout); err != nil {
		return fmt.Errorf("hand over to relay: %w", err)
	}
	if err := body.Close(); err != nil {
		return refusal("the mail", err)
	}
	_ = client.Quit() // the mail is handed over, whatever the relay still says
	return nil
}

// refusal is the relay's answer to something: final when it is 5xx.
func refusal(to string, err error) error {
	if answer, ok := errors.AsType[*textproto.Error](err); ok && answer.Code >= 500 {
		return refusedf("the relay refuses %s: %d %s", to, answer.Code, answer.Msg)
	}
	return fmt.Errorf("the relay does not take %s now: %w", to, err)
}

func refusalOrNil(to string, err error) error {
	if err == nil {
		return nil
	}
	return refusal(to, err)
}

// bracketed writes an address as SMTP commands have it.
func bracketed(address string) string { return (&netmail.Address{Address: address}).String() }
