// Package support_test drives the example as its README does, with a relay that takes the answers.
package support_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/mail/mailtest"
	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// settling is how long an execution may take on a busy machine.
const settling = 2 * time.Minute

func TestSupport(t *testing.T) {
	relay := mailtest.NewRelay(t)
	up := testkit.Up(t, "PICLOUD_SMTP_RELAY_URL=smtp://"+relay.Address)
	m, err := apply.Read(".")
	require.NoError(t, err)
	require.NoError(t, apply.Apply(t.Context(), up.Client, m, func(step string) { t.Log(step) }))
	send := func(to, text string, headers ...string) {
		t.Helper()
		mail := strings.Join(append(headers, "From: Ann <ann@b.example>", "Subject: My order", "Message-ID: <1@b.example>", "", text, ""), "\r\n")
		mailtest.Send(t, up.SMTPAddress, "ann@b.example", to, mail)
	}
	ticket := func() string {
		found, err := up.Client.GetKVWithResponse(t.Context(), "mail-support", "tickets", "1", &client.GetKVParams{})
		require.NoError(t, err)
		return string(found.Body)
	}
	send("support@mail-support.localhost", "Where is it?")
	testkit.Until(t, settling, "the mail is answered", func() bool { return len(relay.Delivered()) == 1 })
	answer := relay.Delivered()[0]
	assert.Equal(t, []string{"ann@b.example"}, answer.To)
	for _, part := range []string{"Subject: [#1] My order", "In-Reply-To: <1@b.example>", "support+1@mail-support.localhost", "ticket 1"} {
		assert.Contains(t, answer.Raw, part)
	}
	assert.Contains(t, ticket(), "Where is it?")
	send("support+1@mail-support.localhost", "I have found it.")
	testkit.Until(t, settling, "the second mail joins", func() bool { return strings.Contains(ticket(), "I have found it.") })
	send("support@mail-support.localhost", "I am away", "Auto-Submitted: auto-replied")
	runs, err := up.Client.ListExecutionsWithResponse(t.Context(), "mail-support", &client.ListExecutionsParams{Kind: new("email")})
	require.NoError(t, err)
	assert.Len(t, runs.JSON200.Items, 2, "machines are not answered")
	assert.Len(t, relay.Delivered(), 1)
}
