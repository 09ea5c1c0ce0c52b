// Package mailtest has the servers that tests of mail talk to: an SMTP server that takes mails or refuses them as it is told, and a DNS server, both real ones on loopback.
package mailtest

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// Delivered is a mail that a Relay has taken.
type Delivered struct {
	From string
	To   []string
	Raw  string
}

// Relay is an SMTP server on a free port of loopback.
type Relay struct {
	Address string // host:port

	mu        sync.Mutex
	answers   []int
	tries     int
	delivered []Delivered
}

// NewRelay starts a relay that ends with the test. It answers the recipients of its first mails with the codes that are given, e.g. 451 or 550, and takes all later mails.
func NewRelay(t testing.TB, answers ...int) *Relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &Relay{Address: listener.Addr().String(), answers: answers}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &relaySession{relay: r}, nil }))
	server.Domain = "relay.test"
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return r
}

// Answer has the relay answer the next mails with these codes.
func (r *Relay) Answer(codes ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = codes
}

// Tries is how many mails were tried to hand over.
func (r *Relay) Tries() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}

// Delivered are the mails that were taken.
func (r *Relay) Delivered() []Delivered {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.delivered)
}

type relaySession struct {
	relay *Relay
	mail  Delivered
}

func (s *relaySession) Mail(from string, _ *smtp.MailOptions) error {
	s.mail = Delivered{From: from}
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.tries++
	return nil
}

func (s *relaySession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	if len(s.relay.answers) > 0 {
		code := s.relay.answers[0]
		s.relay.answers = s.relay.answers[1:]
		if code >= 400 {
			return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: fmt.Sprintf("the test says %d", code)}
		}
	}
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *relaySession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.Raw = strings.ReplaceAll(string(raw), "\r\n", "\n")
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.delivered = append(s.relay.delivered, s.mail)
	return nil
}

func (s *relaySession) Reset()      { s.mail = Delivered{} }
func (*relaySession) Logout() error { return nil }
