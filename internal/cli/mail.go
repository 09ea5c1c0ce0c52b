package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/picloud/picloud/internal/certificate"
	"github.com/picloud/picloud/internal/config"
	"github.com/picloud/picloud/internal/mail"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
)

// smtpStopTimeout is how long clients get whose mails are being stored.
const smtpStopTimeout = 5 * time.Second

// listenSMTP takes the address for mails; nil = it takes none. Only the default address may be in use by somebody else: then there is no mail, and the log says so.
func (i *instance) listenSMTP() (net.Listener, error) {
	addr := i.config.Mail.SMTPAddr
	if addr == config.SMTPOff {
		return nil, nil //nolint:nilnil // no mail is no error
	}
	listener, err := net.Listen("tcp", addr)
	if _, chosen := os.LookupEnv("PICLOUD_SMTP_ADDR"); errors.Is(err, syscall.EADDRINUSE) && !chosen {
		i.log.Warnf("%s is in use: no mail comes in, and everything else goes on. PICLOUD_SMTP_ADDR=127.0.0.1:2526 takes another address, PICLOUD_SMTP_ADDR=%s none", addr, config.SMTPOff)
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, fmt.Errorf("listen on PICLOUD_SMTP_ADDR: %w", err)
	}
	i.smtpAddress = listener.Addr().String()
	i.onStop("smtp listener", func(context.Context) error { _ = listener.Close(); return nil })
	return listener, nil
}

// mailInWords says where mail comes in.
func (i *instance) mailInWords() string {
	if i.smtpAddress == "" {
		return "none comes in (PICLOUD_SMTP_ADDR)"
	}
	return fmt.Sprintf("<name>@<app>.%s, by SMTP to %s", i.config.Mail.Domain, i.smtpAddress)
}

// startSMTP serves mails, if there is a listener for them.
func (i *instance) startSMTP(listener net.Listener, data *store.Store) error {
	if listener == nil {
		return nil
	}
	secured, err := i.smtpCertificate()
	if err != nil {
		return err
	}
	ceiling := i.config.Ceiling()
	server := mail.NewServer(mail.ServerOptions{
		Emails: data, Domain: i.config.Mail.Domain, TLS: secured, MaxMessageBytes: ceiling.PayloadBytes, MaxEventBytes: ceiling.MaxEventBytes(),
		PerMinute: i.config.Mail.PerMinute, Resolver: mail.ResolverAt(i.config.Mail.DNS), Log: i.log,
	})
	server.Start(listener, i.fail)
	i.onStop("smtp", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, smtpStopTimeout)
		defer cancel()
		return server.Stop(ctx)
	})
	return nil
}

// smtpCertificate is the certificate of STARTTLS: the instance's, or one that it makes itself.
func (i *instance) smtpCertificate() (*tls.Config, error) {
	if i.config.TLSCertFile == "" {
		return mail.SelfSigned(i.config.DataDir, i.config.Mail.Domain)
	}
	secured, err := certificate.Load(certificate.Files{Cert: i.config.TLSCertFile, Key: i.config.TLSKeyFile})
	if err != nil {
		return nil, fmt.Errorf("PICLOUD_TLS_CERT_FILE, PICLOUD_TLS_KEY_FILE: %w", err)
	}
	return secured, nil
}

// mailRules are what becomes of ctx.email.send.
func (i *instance) mailRules() picloud.MailRules {
	return picloud.MailRules{Domain: i.config.Mail.Domain, From: i.config.Mail.From, Relay: i.relay != nil}
}

// courier hands over what scripts send.
func (i *instance) courier(data *store.Store) *mail.Courier {
	return &mail.Courier{Emails: data, Domain: i.config.Mail.Domain, Relay: i.relay, MaxEventBytes: i.config.Ceiling().MaxEventBytes(), Now: time.Now}
}
