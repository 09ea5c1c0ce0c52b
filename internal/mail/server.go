// Package mail is PiCloud's side of SMTP: the server that takes mails for email triggers, and the courier that hands over what scripts send.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/sirupsen/logrus"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/ratelimit"
)

// The limits of the server. Source of the line's: RFC 5321, section 4.5.3.1.6, with room for those who do not heed it.
const (
	maxRecipients       = 100
	maxLine             = 4000
	maxConnections      = 400
	maxConnectionsPerIP = 40
	commandTimeout      = 2 * time.Minute // for one command, and for a whole message
	connectionTimeout   = 15 * time.Minute
	storeTimeout        = 30 * time.Second
)

// ServerOptions make a Server. All but Resolver and the times are required.
type ServerOptions struct {
	Emails          picloud.Emails
	Domain          picloud.MailDomain
	TLS             *tls.Config // of STARTTLS
	MaxMessageBytes int         // announced as SIZE
	MaxEventBytes   int         // of the JSON that a message becomes
	PerMinute       int         // messages, and unknown addresses, that one IP address may send; 0 = no bound
	Resolver        Resolver    // of SPF and DKIM; nil = the system's

	CommandTimeout    time.Duration // for one command, and for a whole message; 0 = two minutes
	ConnectionTimeout time.Duration // for all that is said on one connection; 0 = 15 minutes

	Log logrus.FieldLogger
}

// Server takes mails by SMTP. It relays nothing, and wants no login: it answers 250 when the firings of a mail are durable.
type Server struct {
	options  ServerOptions
	smtp     *smtp.Server
	guard    *guard
	rates    *ratelimit.Limiter
	verifier verifier
	served   chan struct{} // closed when nothing is accepted any more
}

// NewServer makes a server without starting it.
func NewServer(o ServerOptions) *Server {
	if o.Resolver == nil {
		o.Resolver = ResolverAt("")
	}
	if o.CommandTimeout == 0 {
		o.CommandTimeout = commandTimeout
	}
	if o.ConnectionTimeout == 0 {
		o.ConnectionTimeout = connectionTimeout
	}
	s := &Server{
		options: o, rates: ratelimit.New(ratelimit.Policy{PerSecond: float64(o.PerMinute) / 60, Burst: o.PerMinute}), served: make(chan struct{}),
		verifier: verifier{resolver: o.Resolver, identity: string(o.Domain), timeout: verifyTimeout},
	}
	s.smtp = smtp.NewServer(smtp.BackendFunc(s.newSession))
	s.smtp.Domain = string(o.Domain)
	s.smtp.TLSConfig = o.TLS
	s.smtp.MaxRecipients, s.smtp.MaxMessageBytes, s.smtp.MaxLineLength = maxRecipients, int64(o.MaxMessageBytes), maxLine
	s.smtp.ReadTimeout, s.smtp.WriteTimeout = o.CommandTimeout, o.CommandTimeout
	s.smtp.EnableSMTPUTF8 = true
	s.smtp.ErrorLog = serverLog{o.Log}
	return s
}

// Start serves the listener until Stop. failed hears of an end that Stop did not ask for.
func (s *Server) Start(listener net.Listener, failed func(error)) {
	s.guard = newGuard(listener, s.options.ConnectionTimeout)
	go func() {
		defer close(s.served)
		if err := s.smtp.Serve(s.guard); err != nil && !s.guard.stopping.Load() {
			failed(fmt.Errorf("serve smtp: %w", err))
		}
	}()
}

// Stop takes no more mails: clients that wait for the answer to a message get it, all others are told 421, until ctx ends. It may be called again.
func (s *Server) Stop(ctx context.Context) error {
	s.guard.stop()
	err := s.smtp.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		s.guard.closeAll()
		err = nil
	}
	<-s.served
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
		return fmt.Errorf("stop smtp: %w", err)
	}
	return nil
}

// serverLog is the SMTP library's log: what clients do wrong is nobody's business.
type serverLog struct{ log logrus.FieldLogger }

func (l serverLog) Printf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.HasPrefix(text, "panic") {
		l.log.Error("smtp: " + text)
		return
	}
	l.log.Debug("smtp: " + text)
}

func (l serverLog) Println(v ...any) { l.log.Debug("smtp: " + fmt.Sprintln(v...)) }
