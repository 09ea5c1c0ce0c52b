package mail_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	netsmtp "net/smtp"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/mail"
	"github.com/picloud/picloud/internal/mail/mailtest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// post is a server on a real database, with the app "shop" and triggers for the given addresses.
type post struct {
	*store.Store

	server  *mail.Server
	address string
	tls     *tls.Config
}

func newPost(t *testing.T, change func(*mail.ServerOptions), addresses ...picloud.Glob) *post {
	t.Helper()
	p := &post{Store: testkit.Store(t)}
	app := testkit.App(t, p.Store, "shop")
	testkit.Script(t, p.Store, app, "fulfil")
	for i, a := range addresses {
		testkit.Trigger(t, p.Store, app, picloud.Trigger{Name: fmt.Sprintf("on-mail-%d", i), Kind: picloud.KindEmail, Script: "fulfil", Email: &picloud.EmailConfig{Address: a}})
	}
	var err error
	p.tls, err = mail.SelfSigned(t.TempDir(), "localhost")
	require.NoError(t, err)
	o := mail.ServerOptions{
		Emails: p.Store, Domain: "localhost", TLS: p.tls, MaxMessageBytes: 100_000, MaxEventBytes: 300_000, PerMinute: 1000,
		Resolver: mail.ResolverAt(mailtest.DNS(t, nil)), Log: testkit.SilentLog(),
	}
	if change != nil {
		change(&o)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.address = listener.Addr().String()
	p.server = mail.NewServer(o)
	p.server.Start(listener, func(err error) { t.Error(err) })
	t.Cleanup(func() { _ = p.server.Stop(context.Background()) })
	return p
}

func (p *post) dial(t *testing.T) *netsmtp.Client {
	t.Helper()
	c, err := netsmtp.Dial(p.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.Hello("client.test"))
	return c
}

// send sends one mail and gives the server's last answer to it.
func send(c *netsmtp.Client, from, raw string, to ...string) error {
	if err := c.Mail(from); err != nil {
		return err
	}
	for _, a := range to {
		if err := c.Rcpt(a); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(strings.ReplaceAll(raw, "\n", "\r\n"))); err != nil {
		return err
	}
	return w.Close()
}

const hello = "From: Ann <ann@b.example>\nTo: support@shop.localhost\nSubject: Hello\n\nDear shop\n"

func answered(t *testing.T, err error, code int, words string) {
	t.Helper()
	var answer *textproto.Error
	require.ErrorAs(t, err, &answer)
	assert.Equal(t, code, answer.Code)
	assert.Contains(t, answer.Msg, words)
}

func (p *post) claim(t *testing.T) []picloud.Firing {
	t.Helper()
	firings, err := p.ClaimDue(t.Context(), 100, time.Minute)
	require.NoError(t, err)
	return firings
}

func (p *post) event(t *testing.T, f picloud.Firing) (picloud.Event, picloud.EmailData) {
	t.Helper()
	opened, err := p.OpenExecution(t.Context(), f)
	require.NoError(t, err)
	var d picloud.EmailData
	require.NoError(t, json.Unmarshal(opened.Event.Data, &d))
	return opened.Event, d
}

// The 250 means: one event a mailbox, one firing a trigger that matches.
func TestAMailFiresWhatMatches(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil, "support", "sup*", "sales")
	c := p.dial(t)
	require.NoError(t, send(c, "ann@b.example", hello, "SUPPORT@Shop.LocalHost", "sales@shop.localhost", "sales@shop.localhost"))
	require.NoError(t, c.Quit())
	firings := p.claim(t)
	require.Len(t, firings, 3, "support twice, sales once")
	events := map[string]int{}
	for _, f := range firings {
		e, d := p.event(t, f)
		events[e.Subject]++
		assert.Equal(t, []any{picloud.KindEmail, "email to " + e.Subject, 1, "tester", e.ID}, []any{f.Kind, f.What, f.Depth, f.Principal, f.RootID})
		assert.Equal(t, []string{picloud.TypeEmailReceived, "/apps/shop/email/" + strings.TrimSuffix(e.Subject, "@shop.localhost")}, []string{e.Type, e.Source})
		assert.Equal(t, []string{"ann@b.example", "Hello", "Dear shop"}, []string{d.From, d.Subject, strings.TrimSpace(d.Text)})
	}
	assert.Equal(t, map[string]int{"SUPPORT@shop.localhost": 2, "sales@shop.localhost": 1}, events)
}

// What the server does not take it says so about, and stores nothing.
func TestAddressesThatAreNotHere(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil, "support")
	c := p.dial(t)
	require.NoError(t, c.Mail("ann@b.example"))
	for to, words := range map[string]string{
		"support@elsewhere.example":                 "nothing is relayed",
		"support@localhost":                         "addresses are <local part>@<app>.localhost",
		"support@none.localhost":                    `there is no app "none"`,
		"nobody@shop.localhost":                     `no enabled email trigger of app "shop" takes mail for "nobody"`,
		"support@a.shop.localhost":                  "is not here",
		"x%support@elsewhere.example":               "nothing is relayed",
		strings.Repeat("x", 65) + "@shop.localhost": "is not here",
	} {
		answered(t, c.Rcpt(to), 550, words)
	}
	_, err := c.Data()
	answered(t, err, 502, "RCPT")
	assert.Empty(t, p.claim(t))
}

// A trigger that goes between RCPT and the end of DATA takes the whole mail with it: no recipient is forgotten in silence.
func TestATriggerThatGoesMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil, "support", "sales")
	c := p.dial(t)
	require.NoError(t, c.Mail("ann@b.example"))
	require.NoError(t, c.Rcpt("support@shop.localhost"))
	require.NoError(t, c.Rcpt("sales@shop.localhost"))
	app, err := p.App(t.Context(), "shop")
	require.NoError(t, err)
	triggers, err := p.ListTriggers(t.Context(), app.ID, picloud.TriggerFilter{}, picloud.Page{})
	require.NoError(t, err)
	require.NoError(t, p.DeleteTrigger(t.Context(), app.ID, triggers.Items[1].ID))
	w, err := c.Data()
	require.NoError(t, err)
	_, err = w.Write([]byte(hello))
	require.NoError(t, err)
	answered(t, w.Close(), 550, `takes mail for "sales"`)
	assert.Empty(t, p.claim(t))
}

func TestLimits(t *testing.T) {
	t.Parallel()
	p := newPost(t, func(o *mail.ServerOptions) { o.MaxEventBytes = 2000 }, "*")
	c := p.dial(t)
	ok, size := c.Extension("SIZE")
	assert.True(t, ok)
	assert.Equal(t, "100000", size)
	answered(t, send(c, "a@b.example", hello+strings.Repeat("0123456\n", 20_000), "a@shop.localhost"), 552, "size")
	answered(t, send(c, "a@b.example", hello+strings.Repeat("0123456\n", 1000), "a@shop.localhost"), 552, "when it is decoded: at most 2000")
	answered(t, send(c, "a@b.example", strings.Repeat("Received: x\n", 101)+hello, "a@shop.localhost"), 554, "circle")
	require.NoError(t, c.Mail("a@b.example"))
	for i := range 100 {
		require.NoError(t, c.Rcpt(fmt.Sprintf("a%d@shop.localhost", i)))
	}
	answered(t, c.Rcpt("one-more@shop.localhost"), 452, "100")
	assert.Empty(t, p.claim(t))
	require.NoError(t, c.Reset())
	require.NoError(t, send(c, "", hello, "a@shop.localhost"), "a bounce has no sender")
	_, d := p.event(t, p.claim(t)[0])
	assert.Equal(t, "<>", d.Headers["return-path"])

	long := p.dial(t)
	assert.Error(t, send(long, "a@b.example", "X: "+strings.Repeat("x", 5000)+"\n"+hello, "a@shop.localhost"), "a line that is too long ends the connection")
}

// Who sends too fast is told to come back, and so is who tries names.
func TestRates(t *testing.T) {
	t.Parallel()
	p := newPost(t, func(o *mail.ServerOptions) { o.PerMinute = 3 }, "support")
	c := p.dial(t)
	require.NoError(t, send(c, "a@b.example", hello, "support@shop.localhost"))
	require.NoError(t, c.Mail("a@b.example"))
	answered(t, c.Rcpt("x@shop.localhost"), 550, "no enabled email trigger")
	answered(t, c.Rcpt("y@shop.localhost"), 451, "more than 3 messages a minute")
	answered(t, send(p.dial(t), "a@b.example", hello, "support@shop.localhost"), 451, "try again later")
	assert.Len(t, p.claim(t), 1)
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil, "support")
	for range 40 {
		p.dial(t)
	}
	_, err := netsmtp.Dial(p.address)
	answered(t, err, 421, "too many connections")
}

// A client that says nothing, one that sends a byte at a time, and one that is busy with nothing: none holds a connection.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	p := newPost(t, func(o *mail.ServerOptions) { o.CommandTimeout, o.ConnectionTimeout = time.Second, 3*time.Second }, "support")
	for name, say := range map[string]struct{ first, then string }{
		"silence":            {},
		"a command in bytes": {"EHLO ", "x"},
		"a message in bytes": {"EHLO c.test\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<support@shop.localhost>\r\nDATA\r\n", "x"},
		"busy with nothing":  {"EHLO c.test\r\n", "NOOP\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", p.address)
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			ended := make(chan string, 1)
			go func() {
				said, _ := io.ReadAll(conn)
				ended <- string(said)
			}()
			_, _ = io.WriteString(conn, say.first)
			testkit.Until(t, 2*time.Minute, "the server ends the connection", func() bool {
				_, _ = io.WriteString(conn, say.then)
				select {
				case said := <-ended:
					assert.Contains(t, said, "\r\n421 ", "it is told why")
					return true
				default:
					return false
				}
			})
		})
	}
	require.NoError(t, send(p.dial(t), "a@b.example", hello, "support@shop.localhost"), "others are served")
}

func TestStartTLS(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil, "support")
	c := p.dial(t)
	pool := x509.NewCertPool()
	pool.AddCert(p.tls.Certificates[0].Leaf)
	require.NoError(t, c.StartTLS(&tls.Config{ServerName: "localhost", RootCAs: pool}))
	require.NoError(t, send(c, "a@b.example", hello, "support@shop.localhost"))
	assert.Len(t, p.claim(t), 1)
	again, err := mail.SelfSigned(t.TempDir(), "example.org")
	require.NoError(t, err)
	assert.NoError(t, again.Certificates[0].Leaf.VerifyHostname("shop.example.org"))
}

// SPF and DKIM by a real DNS server, one that says nothing included.
func TestSPFAndDKIM(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	dns := mailtest.DNS(t, map[string]string{
		"good.example": "v=spf1 ip4:127.0.0.1 -all", "bad.example": "v=spf1 -all", "soft.example": "v=spf1 ~all", "any.example": "v=spf1 ?all", "broken.example": "v=spf1 ip4:x",
		"k._domainkey.good.example": "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public),
		"silent.example":            "silence", "k._domainkey.silent.example": "silence",
	})
	sign := func(domain, raw string) string {
		var signed bytes.Buffer
		require.NoError(t, dkim.Sign(&signed, strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n")), &dkim.SignOptions{Domain: domain, Selector: "k", Signer: key}))
		return strings.ReplaceAll(signed.String(), "\r\n", "\n")
	}
	p := newPost(t, func(o *mail.ServerOptions) { o.Resolver = mail.ResolverAt(dns) }, "support")
	for from, c := range map[string]struct {
		raw       string
		spf, dkim picloud.AuthResult
	}{
		"a@good.example":   {sign("good.example", hello), "pass", "pass"},
		"a@bad.example":    {sign("good.example", hello) + "more\n", "fail", "fail"},
		"a@soft.example":   {sign("none.example", hello), "softfail", "permerror"},
		"a@any.example":    {hello, "neutral", "none"},
		"a@broken.example": {"DKIM-Signature: v=9\n" + hello, "permerror", "permerror"},
		"a@none.example":   {hello, "none", "none"},
		"a@silent.example": {sign("silent.example", hello), "temperror", "temperror"},
	} {
		t.Run(from, func(t *testing.T) {
			require.NoError(t, send(p.dial(t), from, c.raw, "support@shop.localhost"))
			firings := p.claim(t)
			require.Len(t, firings, 1)
			_, d := p.event(t, firings[0])
			assert.Equal(t, [2]picloud.AuthResult{c.spf, c.dkim}, [2]picloud.AuthResult{d.SPF, d.DKIM})
			assert.Contains(t, d.Headers["authentication-results"], "smtp.mailfrom="+from)
		})
	}
}

// A database that is away is the client's business to come back for.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil, "support")
	c := p.dial(t)
	require.NoError(t, c.Mail("a@b.example"))
	require.NoError(t, c.Rcpt("support@shop.localhost"))
	w, err := c.Data()
	require.NoError(t, err)
	_, err = w.Write([]byte(hello))
	require.NoError(t, err)
	p.Close()
	answered(t, w.Close(), 451, "try again later")
	require.NoError(t, c.Mail("a@b.example"))
	answered(t, c.Rcpt("support@shop.localhost"), 451, "try again later")
}

// A stop waits for the mail that is being stored, and for nobody who says nothing.
func TestStop(t *testing.T) {
	t.Parallel()
	p := newPost(t, nil, "support")
	idle := p.dial(t)
	busy := p.dial(t)
	require.NoError(t, send(busy, "a@b.example", hello, "support@shop.localhost"))
	require.NoError(t, p.server.Stop(t.Context()))
	assert.Error(t, idle.Noop())
	_, err := netsmtp.Dial(p.address)
	assert.Error(t, err)
	assert.Len(t, p.claim(t), 1)
}
