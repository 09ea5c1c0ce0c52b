package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/mail/mailtest"
	"github.com/picloud/picloud/internal/testkit"
)

// swaks sends a mail with the real client of that name, and gives what was said.
func swaks(t *testing.T, up *testkit.Instance, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("swaks")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("swaks is not installed: make test-tools")
	}
	require.NoError(t, err, "swaks is not installed: make test-tools")
	out, err := exec.CommandContext(t.Context(), path, append([]string{"--server", up.SMTPAddress, "--helo", "client.test", "--from", "ann@good.example"}, args...)...).CombinedOutput()
	return string(out), err
}

// A mail of a real client comes in over TLS, is parsed, checked and run; what has no address here is refused.
func TestEmailIn(t *testing.T) {
	dns := mailtest.DNS(t, map[string]string{"good.example": "v=spf1 ip4:127.0.0.1 -all"})
	up := testkit.Up(t, "PICLOUD_MAIL_DNS="+dns)
	deploy(t, up, `
  - { name: inbox, kind: email, script: keep, config: { address: "sup*" }, filter: "event.data.subject != 'ignore me'" }
`, map[string]string{"keep": `export default async (event: any, ctx: any) => { await ctx.kv.set("mails", event.data.subject, event); }`})
	file := t.TempDir() + "/note.txt"
	require.NoError(t, os.WriteFile(file, []byte("attached"), 0o600))
	out, err := swaks(t, up, "--to", "support@shop.localhost", "--tls", "--header", "Subject: Hello", "--body", "Dear shop", "--attach-type", "text/plain", "--attach-name", "note.txt", "--attach", "@"+file)
	require.NoError(t, err, out)
	assert.Contains(t, out, "<~  250 2.0.0 OK")
	out, err = swaks(t, up, "--to", "support@shop.localhost", "--header", "Subject: ignore me")
	require.NoError(t, err, out)
	for to, says := range map[string]string{"nobody@shop.localhost": "550 5.1.1", "support@none.localhost": "550 5.1.1", "support@elsewhere.example": "nothing is relayed"} {
		out, err = swaks(t, up, "--to", to)
		require.Error(t, err, out)
		assert.Contains(t, out, says)
	}
	testkit.Until(t, settling, "the mail is kept", func() bool { return len(list(t, up, "mails")) > 0 })
	var event struct {
		Type, Source, Subject string
		Data                  struct {
			From, Subject, Text, SPF, DKIM string
			To                             []string
			Attachments                    []struct {
				Filename string
				Content  []byte
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(list(t, up, "mails")["Hello"]), &event))
	assert.Equal(t, []string{"picloud.email.received", "/apps/shop/email/support", "support@shop.localhost"}, []string{event.Type, event.Source, event.Subject})
	assert.Equal(t, []string{"ann@good.example", "Hello", "Dear shop", "pass", "none"}, []string{event.Data.From, event.Data.Subject, strings.TrimSpace(event.Data.Text), event.Data.SPF, event.Data.DKIM})
	require.NotEmpty(t, event.Data.Attachments)
	assert.Equal(t, "attached", string(event.Data.Attachments[0].Content))
	runs, err := up.Client.ListExecutionsWithResponse(t.Context(), "shop", &client.ListExecutionsParams{Kind: new("email")})
	require.NoError(t, err)
	assert.Len(t, runs.JSON200.Items, 1)
}

// What was answered with 250 is there after SIGKILL, and runs once.
func TestEmailSurvivesSIGKILL(t *testing.T) {
	up := testkit.Up(t)
	deploy(t, up, "  - { name: inbox, kind: email, script: count, config: { address: \"*\" } }\n", map[string]string{
		"count": `export default async (event: any, ctx: any) => { const id = event.data.subject; await ctx.kv.set("seen", id, ((await ctx.kv.get("seen", id)) ?? 0) + 1); }`,
	})
	const mails = 40
	c, err := smtp.Dial(up.SMTPAddress)
	require.NoError(t, err)
	for i := range mails {
		require.NoError(t, c.Mail("ann@localhost"))
		require.NoError(t, c.Rcpt(fmt.Sprintf("m%d@shop.localhost", i)))
		w, err := c.Data()
		require.NoError(t, err)
		fmt.Fprintf(w, "Subject: s%d\r\n\r\nx\r\n", i)
		require.NoError(t, w.Close(), "250")
	}
	up.Kill()
	up = testkit.Up(t, "PICLOUD_DATA_DIR="+up.DataDir)
	testkit.Eventually(t, settling, func() error {
		if n := len(list(t, up, "seen")); n != mails {
			return fmt.Errorf("%d of %d mails have run", n, mails)
		}
		return nil
	})
	for id, times := range list(t, up, "seen") {
		assert.Equal(t, "1", times, id)
	}
}

// mailRuns gives the hand-overs by their status.
func mailRuns(t *testing.T, up *testkit.Instance) map[string]int {
	t.Helper()
	runs, err := up.Client.ListExecutionsWithResponse(t.Context(), "shop", &client.ListExecutionsParams{Kind: new("mail")})
	require.NoError(t, err)
	require.NotNil(t, runs.JSON200, string(runs.Body))
	n := map[string]int{}
	for _, x := range runs.JSON200.Items {
		n[string(x.Status)]++
	}
	return n
}

// What a script sends reaches the relay after its commit; one that is put off is tried again, one that is refused is a dead letter, whose replay sends it.
func TestEmailOut(t *testing.T) {
	relay := mailtest.NewRelay(t, 250, 451, 250)
	up := testkit.Up(t, "PICLOUD_SMTP_RELAY_URL=smtp://"+relay.Address, "PICLOUD_MAIL_FROM=Shop <shop@x.example>")
	deploy(t, up, "", map[string]string{"send": `export default async (event: any, ctx: any) => {
		await ctx.email.send({ to: event.data.to, subject: "Hi", text: "secret body" });
		if (event.data.fail) throw new Error("no");
	}`})
	invoke := func(data string) client.Execution {
		t.Helper()
		r, err := up.Client.InvokeScriptWithResponse(t.Context(), "shop", "send", client.Invoke{Data: raw(data)})
		require.NoError(t, err)
		require.NotNil(t, r.JSON200, string(r.Body))
		return *r.JSON200
	}
	first := invoke(`{"to":"a@b.example"}`)
	require.Len(t, first.Effects, 1)
	effect, err := json.Marshal(first.Effects[0])
	require.NoError(t, err)
	assert.JSONEq(t, `{"type":"email.send","to":["a@b.example"],"subject":"Hi","size":56}`, string(effect))
	until := func(want map[string]int) {
		t.Helper()
		testkit.Eventually(t, settling, func() error {
			if got := mailRuns(t, up); fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("hand-overs by status: %v, want %v", got, want)
			}
			return nil
		})
	}
	until(map[string]int{"succeeded": 1})
	assert.Equal(t, "failed", string(invoke(`{"to":"never@b.example","fail":true}`).Status))
	invoke(`{"to":"later@b.example"}`)
	until(map[string]int{"succeeded": 2})
	assert.Equal(t, 3, relay.Tries(), "one was put off once; that of the run that failed was never sent")
	assert.Contains(t, relay.Delivered()[0].Raw, "Message-ID: <"+first.ID+".1@localhost>")
	assert.Equal(t, "shop@x.example", relay.Delivered()[0].From)

	relay.Answer(550)
	invoke(`{"to":"gone@b.example"}`)
	until(map[string]int{"succeeded": 2, "dead_lettered": 1})
	letters, err := up.Client.ListDeadLettersWithResponse(t.Context(), "shop", &client.ListDeadLettersParams{})
	require.NoError(t, err)
	require.Len(t, letters.JSON200.Items, 1)
	letter := letters.JSON200.Items[0]
	assert.Equal(t, []string{"mail_undeliverable", "mail", "send", "MailRefused"}, []string{letter.Reason, letter.Kind, letter.Script, letter.Error.Type})
	assert.Contains(t, letter.Error.Message, "550 5.1.1 the test says 550")
	replayed, err := up.Client.ReplayDeadLetterWithResponse(t.Context(), "shop", letter.ID, client.Replay{})
	require.NoError(t, err)
	require.NotNil(t, replayed.JSON202, string(replayed.Body))
	assert.Equal(t, "succeeded", string(execution(t, up, replayed.JSON202.ID).Status))
	assert.Equal(t, []string{"gone@b.example"}, relay.Delivered()[2].To)
}

// Without a relay a script hears so at once; mails to the instance's own addresses go all the same, and a circle of them ends at the depth limit.
func TestEmailToOneself(t *testing.T) {
	up := testkit.Up(t, "PICLOUD_MAX_TRIGGER_DEPTH=4")
	deploy(t, up, "  - { name: ping, kind: email, script: ping, config: { address: ping } }\n", map[string]string{"ping": `export default async (event: any, ctx: any) => {
		await ctx.kv.set("depths", String(ctx.execution.depth), event);
		await ctx.email.send({ to: "ping@shop.localhost", subject: "again", text: "x" });
	}`, "out": `export default async (event: any, ctx: any) => { await ctx.email.send({ to: "a@b.example", text: "x" }); }`})
	refused, err := up.Client.InvokeScriptWithResponse(t.Context(), "shop", "out", client.Invoke{})
	require.NoError(t, err)
	assert.Contains(t, string(refused.Body), "set PICLOUD_SMTP_RELAY_URL")
	mailtest.Send(t, up.SMTPAddress, "ann@localhost", "ping@shop.localhost", "Subject: go\r\nX-PiCloud-Depth: 99\r\n\r\nx\r\n")
	testkit.Eventually(t, settling, func() error {
		letters, err := up.Client.ListDeadLettersWithResponse(t.Context(), "shop", &client.ListDeadLettersParams{})
		if err != nil {
			return err
		}
		for _, l := range letters.JSON200.Items {
			if l.Kind == "email" && l.Reason == "depth_exceeded" && l.Depth == 5 {
				return nil
			}
		}
		return errors.New("the circle goes on")
	})
	depths := list(t, up, "depths")
	assert.Len(t, depths, 4)
	var root [2]struct{ RootID, ID string }
	require.NoError(t, json.Unmarshal([]byte(depths["1"]), &root[0]))
	require.NoError(t, json.Unmarshal([]byte(depths["4"]), &root[1]))
	assert.Equal(t, root[0].ID, root[1].RootID, "one tree")
}
