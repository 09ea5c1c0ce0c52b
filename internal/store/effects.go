package store

import (
	"context"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// effects are what a run asks for, as the statements of its commit take it.
type effects struct {
	kv        kvWrites
	publishes publishes
	sends     sends
	mails     mails
}

func effectsOf(list []picloud.Effect) effects {
	return effects{kv: kvWritesOf(list), publishes: publishesOf(list), sends: sendsOf(list), mails: mailsOf(list)}
}

// none says that there is nothing to write.
func (e effects) none() bool {
	return len(e.kv.keys) == 0 && len(e.publishes.topics) == 0 && len(e.sends.queues) == 0 && len(e.mails.bodies) == 0
}

// write writes the effects of f's run and the outbox rows of the triggers that they match and whose filters they pass; fired says that there are some. The locks must be held.
func (e effects) write(ctx context.Context, q *sqlc.Queries, f picloud.Firing) (fired bool, err error) {
	from := originOf(f)
	var made []string
	filtered := false
	if len(e.kv.keys) > 0 {
		changes, err := e.kv.write(ctx, q, f.AppID, f.App, from)
		if err != nil {
			return false, err
		}
		for _, c := range changes {
			made, filtered = append(made, c.Executions...), filtered || c.Filtered
		}
	}
	published, err := e.publishes.write(ctx, q, f.AppID, f.App, from)
	if err != nil {
		return false, err
	}
	messages, some := publishedFirings(published)
	made, filtered = append(made, messages...), filtered || some
	sent, err := e.sends.writeAll(ctx, q, f)
	if err != nil {
		return false, err
	}
	messages, some = sentFirings(sent)
	made, filtered = append(made, messages...), filtered || some
	if filtered {
		left, err := sift(ctx, q, made)
		if err != nil {
			return false, err
		}
		made = left.kept(made)
	}
	mailed, err := e.mails.write(ctx, q, f, from)
	return len(made) > 0 || mailed, err
}
