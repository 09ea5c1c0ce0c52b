package workflows_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/picloud/picloud/activities"
	"github.com/picloud/picloud/activities/activitiestest"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/workflows"
)

// mailing runs SendMail with a courier that answers so.
func mailing(t *testing.T, answers ...error) *harness {
	t.Helper()
	h := newHarness(t, nil)
	h.acts.Mails, h.acts.Courier = &activitiestest.Mails{Journal: &h.journal}, &activitiestest.Courier{Answers: answers}
	h.RegisterWorkflowWithOptions(workflows.SendMail, workflow.RegisterOptions{Name: workflows.SendMailName})
	h.RegisterActivityWithOptions(h.acts.HandOverMail, activity.RegisterOptions{Name: activities.HandOverMailName})
	return h
}

func mailFiring() workflows.Input {
	return firing(func(f *picloud.Firing) { f.Kind, f.What, f.Depth = picloud.KindMail, "mail to a@b.example", 17 })
}

var errLater = errors.New("the relay does not take it now: 451")

// A mail that is put off goes at last; the depth limit is for what runs, not for what it sends.
func TestMailsThatArePutOffGoLater(t *testing.T) {
	h := mailing(t, errLater, errLater, nil)
	h.ExecuteWorkflow(workflows.SendMailName, mailFiring())
	assert.Equal(t, picloud.StatusSucceeded, h.result(t).Status)
	assert.Equal(t, 3, h.tries(activities.HandOverMailName))
	assert.JSONEq(t, `{"message_id":"`+executionID+`.1@localhost"}`, string(h.journal.Commit(executionID).Outcome.Result.Value))
	assert.Empty(t, h.journal.Letters())
}

func TestMailsThatAreRefusedAreDeadLetters(t *testing.T) {
	h := mailing(t, errLater, &picloud.MailRefusedError{Message: "550 no such user"})
	h.ExecuteWorkflow(workflows.SendMailName, mailFiring())
	e, ended := h.failure(t)
	assert.Equal(t, "MailRefused", e.Type())
	assert.Equal(t, picloud.StatusDeadLettered, ended.Status)
	letter := h.letter(t)
	assert.Equal(t, []any{picloud.ReasonMail, 2}, []any{letter.Error.Reason, letter.Attempts})
	assert.Contains(t, letter.Error.Message, "550 no such user")
}

// What is put off for as long as a mail lives becomes a dead letter that says why.
func TestMailsThatNeverGoAreDeadLetters(t *testing.T) {
	h := mailing(t, errLater)
	h.ExecuteWorkflow(workflows.SendMailName, mailFiring())
	_, _ = h.failure(t)
	letter := h.letter(t)
	assert.Equal(t, picloud.ReasonMail, letter.Error.Reason)
	assert.Contains(t, letter.Error.Message, "451")
}
