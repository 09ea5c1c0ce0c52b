package mail_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/mail"
	"github.com/picloud/picloud/internal/mail/mailtest"
	"github.com/picloud/picloud/internal/picloud"
)

func newCourier(t *testing.T, p *post, relay string) *mail.Courier {
	t.Helper()
	c := &mail.Courier{Emails: p.Store, Domain: "localhost", MaxEventBytes: 300_000, Now: func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }}
	if relay != "" {
		var err error
		c.Relay, err = mail.ParseRelay(relay)
		require.NoError(t, err)
	}
	return c
}

var outgoing = picloud.Mail{
	To: picloud.Addresses{"Jörg <joerg@b.example>"}, CC: picloud.Addresses{"c@d.example"}, BCC: picloud.Addresses{"secret@e.example"}, From: "Shop <shop@x.example>", ReplyTo: "r@x.example",
	Subject: "Grüße", Text: "plain", HTML: "<p>rich</p>", Headers: map[string]string{"X-Tag": "7"}, MessageID: "0190.1@localhost",
	Attachments: []picloud.MailAttachment{{Filename: "a.txt", ContentType: "text/plain", Content: []byte("hello")}},
}

// The relay gets the mail, for everybody; blind copies are in the envelope alone.
func TestHandOverToTheRelay(t *testing.T) {
	t.Parallel()
	relay := mailtest.NewRelay(t)
	received, err := newCourier(t, newPost(t, nil), "smtp://"+relay.Address).HandOver(t.Context(), outgoing)
	require.NoError(t, err)
	assert.Nil(t, received)
	require.Len(t, relay.Delivered(), 1)
	d := relay.Delivered()[0]
	assert.Equal(t, "shop@x.example", d.From)
	assert.Equal(t, []string{"joerg@b.example", "c@d.example", "secret@e.example"}, d.To)
	for _, part := range []string{
		"Message-ID: <0190.1@localhost>", "X-Tag: 7", "Auto-Submitted: auto-generated", "Reply-To: <r@x.example>", `filename="a.txt"`, "aGVsbG8=", "<p>rich</p>", "plain",
		"Date: Tue, 24 Nov 2026 12:00:00 +0000",
	} {
		assert.Contains(t, d.Raw, part)
	}
	assert.NotContains(t, d.Raw, "secret@")
}

// 4xx and a relay that is away may go away; 5xx is final.
func TestRefusals(t *testing.T) {
	t.Parallel()
	relay := mailtest.NewRelay(t, 451, 550, 250, 550, 451)
	c := newCourier(t, newPost(t, nil), "smtp://"+relay.Address)
	var refused *picloud.MailRefusedError
	one := outgoing
	one.CC, one.BCC = nil, nil
	_, err := c.HandOver(t.Context(), one)
	require.ErrorContains(t, err, "451")
	require.NotErrorAs(t, err, &refused)
	_, err = c.HandOver(t.Context(), one)
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Message, "<joerg@b.example>: 550 5.1.1 the test says 550")
	_, err = c.HandOver(t.Context(), outgoing)
	require.ErrorAs(t, err, &refused, "one of three is refused for good: the mail goes to nobody")
	assert.Empty(t, relay.Delivered())
	_, err = newCourier(t, newPost(t, nil), "smtp://127.0.0.1:1").HandOver(t.Context(), outgoing)
	require.Error(t, err)
	require.NotErrorAs(t, err, &refused)
	_, err = newCourier(t, newPost(t, nil), "").HandOver(t.Context(), outgoing)
	require.ErrorIs(t, err, picloud.ErrNoRelay)
}

// The instance's own mailboxes get the mail without SMTP, as if it had come in by it; one that is not there refuses it before the relay sees it.
func TestHandOverToOwnMailboxes(t *testing.T) {
	t.Parallel()
	relay := mailtest.NewRelay(t)
	p := newPost(t, nil, "support")
	c := newCourier(t, p, "smtp://"+relay.Address)
	m := outgoing
	m.CC, m.BCC = picloud.Addresses{"support@shop.localhost"}, nil
	received, err := c.HandOver(t.Context(), m)
	require.NoError(t, err)
	require.NotNil(t, received)
	assert.Equal(t, []picloud.Mailbox{{App: "shop", Local: "support"}}, received.Mailboxes)
	assert.Equal(t, []string{"joerg@b.example"}, relay.Delivered()[0].To)
	var d picloud.EmailData
	require.NoError(t, json.Unmarshal(received.Data, &d))
	assert.Equal(t, []any{"shop@x.example", []string{"joerg@b.example"}, []string{"support@shop.localhost"}, "Grüße", "plain", "<p>rich</p>", picloud.AuthNone},
		[]any{d.From, d.To, d.CC, d.Subject, strings.TrimSpace(d.Text), strings.TrimSpace(d.HTML), d.SPF})
	assert.Equal(t, []picloud.EmailAttachment{{Filename: "a.txt", ContentType: "text/plain", Size: 5, Content: []byte("hello")}}, d.Attachments)
	assert.Equal(t, "<0190.1@localhost>", d.Headers["message-id"])
	assert.Empty(t, d.Malformed)

	var refused *picloud.MailRefusedError
	m.CC = picloud.Addresses{"nobody@shop.localhost"}
	_, err = c.HandOver(t.Context(), m)
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Message, "550 5.1.1 <nobody@shop.localhost>")
	m.CC = picloud.Addresses{"nobody@localhost"}
	_, err = c.HandOver(t.Context(), m)
	require.ErrorAs(t, err, &refused)
	assert.Len(t, relay.Delivered(), 1)
}

func TestRelayURLs(t *testing.T) {
	t.Parallel()
	none, err := mail.ParseRelay("")
	require.NoError(t, err)
	assert.Nil(t, none)
	for _, good := range []string{"smtp://host", "smtp://user:p%40ss@host:587", "smtps://user:secret@host", "smtp://host:25?tls=none", "smtp://host?tls=mandatory"} {
		_, err := mail.ParseRelay(good)
		assert.NoError(t, err, good)
	}
	for _, bad := range []string{
		"host:25", "http://host", "smtp://", "smtp://user:secret@host?tls=none", "smtps://host?tls=none", "smtp://host:99999", "smtp://user:sec ret@host", "smtp://host/path", "smtp://host:0",
	} {
		_, err := mail.ParseRelay(bad)
		require.Error(t, err, bad)
		assert.NotContains(t, err.Error(), "sec")
	}
}
