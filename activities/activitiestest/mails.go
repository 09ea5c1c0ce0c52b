package activitiestest

import (
	"context"

	"github.com/picloud/picloud/internal/picloud"
)

// Mails is a [picloud.OutgoingMails] in memory: every firing has one and the same mail, and ends in the Journal.
type Mails struct{ Journal *Journal }

// OpenMail implements picloud.OutgoingMails.
func (m *Mails) OpenMail(ctx context.Context, f picloud.Firing) (picloud.Mail, *picloud.Committed, error) {
	opened, err := m.Journal.OpenExecution(ctx, f)
	return picloud.Mail{To: picloud.Addresses{"a@b.example"}, Text: "x", MessageID: f.ExecutionID + ".1@localhost"}, opened.Committed, err
}

// CommitMail implements picloud.OutgoingMails.
func (m *Mails) CommitMail(ctx context.Context, f picloud.Firing, _ *picloud.Received, _ picloud.MailDomain, c picloud.Commit) (picloud.Committed, error) {
	return m.Journal.CommitExecution(ctx, f, c)
}

// Courier is a [picloud.Courier] that answers its tries in turn, and at last always as the last one. nil takes the mail.
type Courier struct{ Answers []error }

// HandOver implements picloud.Courier.
func (c *Courier) HandOver(context.Context, picloud.Mail) (*picloud.Received, error) {
	if len(c.Answers) == 0 {
		return nil, nil //nolint:nilnil // nothing for own mailboxes is no error
	}
	answer := c.Answers[0]
	if len(c.Answers) > 1 {
		c.Answers = c.Answers[1:]
	}
	return nil, answer
}
