package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// mails are the mails of a run: parallel slices, as the statement takes them.
type mails struct {
	eventIDs, executionIDs, subjects, bodies []string
}

// mailsOf gives the mails among the effects, in their order.
func mailsOf(effects []picloud.Effect) mails {
	var m mails
	for _, e := range effects {
		if e.Type == picloud.EffectEmailSend {
			m.eventIDs, m.executionIDs = append(m.eventIDs, newID()), append(m.executionIDs, newID())
			m.subjects, m.bodies = append(m.subjects, strings.Join(e.To, ", ")), append(m.bodies, string(e.Value))
		}
	}
	return m
}

// write queues the hand-over of the mails of f's run; queued says that there are some.
func (m *mails) write(ctx context.Context, q *sqlc.Queries, f picloud.Firing, from picloud.Origin) (queued bool, err error) {
	if len(m.bodies) == 0 {
		return false, nil
	}
	err = q.MailSendMany(ctx, sqlc.MailSendManyParams{
		AppID: f.AppID, ScriptID: f.ScriptID, Version: int32(f.Version), RootID: f.RootID, ParentID: f.ExecutionID, Depth: int32(f.Depth + 1), Principal: f.Principal, // bounded by MaxDepth
		EventIds: m.eventIDs, ExecutionIds: m.executionIDs, Subjects: m.subjects, Bodies: m.bodies, Source: "/apps/" + f.App + "/mail/" + f.Script, Traceparent: from.TraceParent,
	})
	if err != nil {
		return false, fmt.Errorf("queue mails: %w", err)
	}
	return true, nil
}

// OpenMail implements picloud.OutgoingMails.
func (s *Store) OpenMail(ctx context.Context, f picloud.Firing) (m picloud.Mail, end *picloud.Committed, err error) {
	committed, err := s.committed(ctx, f.ExecutionID)
	if err == nil {
		return m, &committed, nil
	}
	if !isMissing(err) {
		return m, nil, err
	}
	event, err := findEvent(ctx, s.queries, f.AppID, f.EventID)
	if err != nil {
		return m, nil, err
	}
	if event == nil {
		return m, nil, expiredEvent(f.EventID, s.options.ExecutionDays)
	}
	if err := json.Unmarshal(event.Data, &m); err != nil || len(m.Recipients()) == 0 || m.MessageID == "" {
		return m, nil, &picloud.ScriptError{
			Reason: picloud.ReasonPayloadInvalid, Type: "MailInvalid", Message: "the event's data is no mail: replay it with the letter's own data, or one of the same form", NonRetryable: true,
		}
	}
	return m, nil, nil
}

// CommitMail implements picloud.OutgoingMails.
func (s *Store) CommitMail(
	ctx context.Context, f picloud.Firing, local *picloud.Received, domain picloud.MailDomain, c picloud.Commit,
) (picloud.Committed, error) {
	end := picloud.Committed{Status: c.Status, Result: &c.Outcome.Result}
	row, err := executionRow(f, end, c.Outcome, c.Attempt, c.StartedAt)
	if err != nil {
		return picloud.Committed{}, err
	}
	err = s.inTx(ctx, func(q *sqlc.Queries) error {
		if err := insertExecution(ctx, q, f, row); err != nil || local == nil {
			return err
		}
		// What the mailboxes get is a child of the execution that sent the mail: as deep as its other effects, whichever way it takes.
		from := picloud.Origin{Principal: f.Principal, RootID: f.RootID, ExecutionID: f.ParentID, Depth: f.Depth - 1}
		mail, err := findEvent(ctx, q, f.AppID, f.EventID)
		if err != nil {
			return err
		}
		if mail != nil {
			from.TraceParent = mail.TraceParent
		}
		_, err = receive(ctx, q, domain, *local, from)
		return err
	})
	if errors.Is(err, errCommittedBefore) {
		return s.committed(ctx, f.ExecutionID)
	}
	if err != nil {
		return picloud.Committed{}, err
	}
	if local != nil {
		s.notifier.notify()
	}
	return end, nil
}
