package mail

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/emersion/go-smtp"

	"github.com/picloud/picloud/internal/picloud"
)

// session is one connection; the library calls it from one goroutine.
type session struct {
	server    *Server
	conn      *smtp.Conn
	ip        net.IP
	from      string
	mailboxes []picloud.Mailbox
}

func (s *Server) newSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c, ip: addressOf(c.Conn())}, nil
}

func addressOf(c net.Conn) net.IP {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.IP
	}
	return nil
}

// reply is an answer of the server.
func reply(code int, enhanced smtp.EnhancedCode, format string, args ...any) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: fmt.Sprintf(format, args...)}
}

// errTooFast is the answer to who sends more than the rate allows.
func (s *session) errTooFast() error {
	return reply(451, smtp.EnhancedCode{4, 7, 1}, "more than %d messages a minute from your address: try again later", s.server.options.PerMinute)
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.guard.stopping.Load() {
		return reply(421, smtp.EnhancedCode{4, 3, 2}, "the server is stopping: try again later")
	}
	if !s.server.rates.Take(network(s.ip)).Allowed {
		return s.errTooFast()
	}
	s.Reset()
	s.from = from
	return nil
}

// Rcpt implements smtp.Session: only addresses that some enabled trigger takes mail for are taken, so the server relays nothing.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	domain := s.server.options.Domain
	m, ok := domain.Mailbox(to)
	if !ok {
		return s.unknown(reply(550, smtp.EnhancedCode{5, 1, 1}, "<%s> is not here: addresses are <local part>@<app>.%s, and nothing is relayed", to, domain))
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	err := s.server.options.Emails.FindMailbox(ctx, m)
	if e := picloud.AsError(err); e != nil && e.Kind == picloud.NotFound {
		return s.unknown(reply(550, smtp.EnhancedCode{5, 1, 1}, "<%s>: %s", to, e.Message))
	}
	if err != nil {
		return s.unavailable("find mailbox", err)
	}
	if !slices.Contains(s.mailboxes, m) {
		s.mailboxes = append(s.mailboxes, m)
	}
	return nil
}

// unknown answers to an address that is not here. It counts against the rate: nobody tries all names.
func (s *session) unknown(answer error) error {
	if !s.server.rates.Take(network(s.ip)).Allowed {
		return s.errTooFast()
	}
	return answer
}

// unavailable answers to what the platform cannot do now: the client tries again.
func (s *session) unavailable(doing string, err error) error {
	s.server.options.Log.WithError(err).Warn("smtp: cannot " + doing)
	return reply(451, smtp.EnhancedCode{4, 3, 0}, "the mail cannot be stored now: try again later")
}

// Data implements smtp.Session. Its nil is the 250: the events of the mail and their firings are committed.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err //nolint:wrapcheck // the library answers with its own
	}
	if n := hops(raw); n > maxHops {
		return reply(554, smtp.EnhancedCode{5, 4, 6}, "the mail has passed %d servers: it goes in a circle", n)
	}
	ctx := context.Background()
	e := envelope{from: s.from, verdict: s.server.verifier.verify(ctx, sender{ip: s.ip, helo: s.conn.Hostname(), from: s.from}, raw)}
	data, ok := encode(parse(raw, e), raw, e, s.server.options.MaxEventBytes)
	if !ok {
		return reply(552, smtp.EnhancedCode{5, 3, 4}, "the mail has %d bytes when it is decoded: at most %d", len(data), s.server.options.MaxEventBytes)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err = s.server.options.Emails.Receive(ctx, s.server.options.Domain, picloud.Received{Mailboxes: s.mailboxes, Data: data}, picloud.Origin{})
	if e := picloud.AsError(err); e != nil && e.Kind == picloud.NotFound { // gone since RCPT
		return reply(550, smtp.EnhancedCode{5, 1, 1}, "%s", e.Message)
	}
	if err != nil {
		return s.unavailable("store mail", err)
	}
	return nil
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.from, s.mailboxes = "", nil }

// Logout implements smtp.Session.
func (*session) Logout() error { return nil }
