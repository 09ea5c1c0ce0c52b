package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/testkit"
)

const mailJSON = `{"to":["a@b.example"],"from":"x@y.example","subject":"Hi","text":"body","message_id":"1.1@localhost"}`

// A mail of a script leaves with the commit, once, as an execution of its own; the record of the script has no text of it.
func TestMailsLeaveWithTheCommit(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	script := testkit.Script(t, s, app, "fulfil")
	subscribe(t, s, app, "all", "*")
	published, err := s.Publish(t.Context(), app, "t", json.RawMessage(`1`), picloud.Origin{})
	require.NoError(t, err)
	run := claim(t, s)[0]
	sent := picloud.Effect{Type: picloud.EffectEmailSend, To: []string{"a@b.example"}, Subject: "Hi", Size: 40, Value: json.RawMessage(mailJSON)}
	commit := picloud.Commit{Status: picloud.StatusSucceeded, Attempt: 1, StartedAt: time.Now(), Outcome: picloud.Outcome{Effects: []picloud.Effect{sent}, Result: picloud.Result{Value: []byte(`1`)}}}
	for range 2 {
		_, err = s.CommitExecution(t.Context(), run, commit)
		require.NoError(t, err)
	}
	x, err := s.Execution(t.Context(), app.ID, run.ExecutionID)
	require.NoError(t, err)
	assert.Equal(t, []picloud.Effect{{Type: picloud.EffectEmailSend, To: []string{"a@b.example"}, Subject: "Hi", Size: 40}}, x.Effects)

	mails := claim(t, s)
	require.Len(t, mails, 1)
	f := mails[0]
	assert.Equal(t, []any{picloud.KindMail, script.ScriptID, 1, "mail to a@b.example", published.EventID, run.ExecutionID, 2, ""}, []any{f.Kind, f.ScriptID, f.Version, f.What, f.RootID, f.ParentID, f.Depth, f.TriggerID})
	m, end, err := s.OpenMail(t.Context(), f)
	require.NoError(t, err)
	assert.Nil(t, end)
	assert.Equal(t, picloud.Mail{To: picloud.Addresses{"a@b.example"}, From: "x@y.example", Subject: "Hi", Text: "body", MessageID: "1.1@localhost"}, m)

	// What goes to a mailbox of the instance's own is as deep as any other effect of the script, and comes with the end of the hand-over.
	testkit.Trigger(t, s, app, picloud.Trigger{Name: "in", Kind: picloud.KindEmail, Script: "fulfil", Email: &picloud.EmailConfig{Address: "Sup*"}})
	local := &picloud.Received{Mailboxes: []picloud.Mailbox{{App: "shop", Local: "support"}}, Data: json.RawMessage(`{}`)}
	missing := &picloud.Received{Mailboxes: append(local.Mailboxes, picloud.Mailbox{App: "shop", Local: "nobody"}), Data: json.RawMessage(`{}`)}
	_, err = s.CommitMail(t.Context(), f, missing, "localhost", commit)
	require.Equal(t, "mailbox_not_found", picloud.ErrorCode(err))
	require.Empty(t, claim(t, s), "all or nothing")
	for range 2 {
		committed, err := s.CommitMail(t.Context(), f, local, "localhost", commit)
		require.NoError(t, err)
		assert.Equal(t, picloud.StatusSucceeded, committed.Status)
	}
	came := claim(t, s)
	require.Len(t, came, 1)
	assert.Equal(t, []any{picloud.KindEmail, published.EventID, run.ExecutionID, 2}, []any{came[0].Kind, came[0].RootID, came[0].ParentID, came[0].Depth})
	_, end, err = s.OpenMail(t.Context(), f)
	require.NoError(t, err)
	require.NotNil(t, end)
}

// A mail that was refused is a dead letter, whose replay is the same mail again.
func TestARefusedMailIsReplayed(t *testing.T) {
	t.Parallel()
	s := testkit.Store(t)
	app := testkit.App(t, s, "shop")
	testkit.Script(t, s, app, "fulfil")
	subscribe(t, s, app, "all", "*")
	_, err := s.Publish(t.Context(), app, "t", json.RawMessage(`1`), picloud.Origin{})
	require.NoError(t, err)
	_, err = s.CommitExecution(t.Context(), claim(t, s)[0], picloud.Commit{Status: picloud.StatusSucceeded, StartedAt: time.Now(), Outcome: picloud.Outcome{
		Effects: []picloud.Effect{{Type: picloud.EffectEmailSend, Value: json.RawMessage(mailJSON)}},
	}})
	require.NoError(t, err)
	f := claim(t, s)[0]
	id, err := s.BuryExecution(t.Context(), f, picloud.ScriptError{Reason: picloud.ReasonMail, Type: "MailRefused", Message: "550"}, 1, time.Now())
	require.NoError(t, err)
	again, err := s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{})
	require.NoError(t, err)
	replay := claim(t, s)[0]
	assert.Equal(t, []any{picloud.KindMail, again, id, f.ParentID, f.Depth}, []any{replay.Kind, replay.ExecutionID, replay.ReplayOf, replay.ParentID, replay.Depth})
	m, _, err := s.OpenMail(t.Context(), replay)
	require.NoError(t, err)
	assert.Equal(t, "1.1@localhost", m.MessageID)

	other, err := s.ReplayDeadLetter(t.Context(), app.ID, id, picloud.Replay{Again: true, Data: []byte(`{"to":7}`)})
	require.NoError(t, err)
	replay = claim(t, s)[0]
	require.Equal(t, other, replay.ExecutionID)
	_, _, err = s.OpenMail(t.Context(), replay)
	var e *picloud.ScriptError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, picloud.ReasonPayloadInvalid, e.Reason)
}
