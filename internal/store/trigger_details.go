package store

import (
	"context"
	"time"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// writeDetails writes the detail row of a trigger: what its kind alone has.
func writeDetails(ctx context.Context, q *sqlc.Queries, id string, t picloud.Trigger) error {
	switch t.Kind {
	case picloud.KindHTTP:
		return writeHTTPDetails(ctx, q, id, t)
	case picloud.KindKV:
		return q.TriggerKVPut(ctx, id, string(t.KV.Collection), nonNilText(t.KV.Operations), all(t.KV.Key))
	case picloud.KindPubSub:
		return q.TriggerPubSubPut(ctx, id, string(t.PubSub.Topic))
	case picloud.KindDeadLetter:
		reasons := make([]string, len(t.DeadLetter.Reasons))
		for i, r := range t.DeadLetter.Reasons {
			reasons[i] = string(r)
		}
		return q.TriggerDeadLetterPut(ctx, id, all(t.DeadLetter.Script), all(t.DeadLetter.Trigger), reasons)
	case picloud.KindCron:
		c := t.Cron
		return q.TriggerCronPut(ctx, sqlc.TriggerCronPutParams{
			TriggerID: id, Schedule: c.Schedule, Timezone: c.Timezone, Overlap: string(c.Overlap),
			CatchupWindowMs: c.CatchupWindow.Milliseconds(), JitterMs: c.Jitter.Milliseconds(),
		})
	case picloud.KindQueue:
		err := q.TriggerQueuePut(ctx, sqlc.TriggerQueuePutParams{
			TriggerID: id, Queue: t.Queue.Queue, MaxConcurrency: optionalNumber(t.Queue.MaxConcurrency), BatchSize: optionalNumber(t.Queue.BatchSize),
			BatchWindowMs: t.Queue.BatchWindow.Milliseconds(),
		})
		if err != nil {
			return err
		}
		return q.BatchAdopt(ctx, id)
	case picloud.KindEmail:
		return q.TriggerEmailPut(ctx, id, string(t.Email.Address))
	default:
		return picloud.InvalidField("kind", "%q is no kind that this instance can fire", t.Kind)
	}
}

// readDetails sets what the kind of t alone has.
func readDetails(t *picloud.Trigger, r sqlc.TriggerListRow) error {
	switch t.Kind {
	case picloud.KindHTTP:
		return readHTTPDetails(t, r)
	case picloud.KindKV:
		t.KV = &picloud.KVConfig{Collection: picloud.Glob(value(r.KVCollection)), Operations: r.KVOperations, Key: picloud.Glob(value(r.KVKey))}
	case picloud.KindPubSub:
		t.PubSub = &picloud.PubSubConfig{Topic: picloud.Glob(value(r.PubSubTopic))}
	case picloud.KindCron:
		c := toCron(value(r.CronSchedule), value(r.CronTimezone), value(r.CronOverlap), value(r.CronCatchupWindowMs), value(r.CronJitterMs))
		t.Cron = &c
	case picloud.KindQueue:
		t.Queue = &picloud.QueueConfig{
			Queue: value(r.Queue), MaxConcurrency: int(value(r.QueueMaxConcurrency)), BatchSize: int(value(r.QueueBatchSize)),
			BatchWindow: time.Duration(value(r.QueueBatchWindowMs)) * time.Millisecond,
		}
	case picloud.KindEmail:
		t.Email = &picloud.EmailConfig{Address: picloud.Glob(value(r.EmailAddress))}
	case picloud.KindDeadLetter:
		t.DeadLetter = &picloud.DeadLetterConfig{Script: picloud.Glob(value(r.LetterScript)), Trigger: picloud.Glob(value(r.LetterTrigger))}
		for _, reason := range r.LetterReasons {
			t.DeadLetter.Reasons = append(t.DeadLetter.Reasons, picloud.Glob(reason))
		}
	}
	return nil
}

// all gives the column of a glob that may be left out: then it covers everything.
func all(g picloud.Glob) string {
	if g == "" {
		return "*"
	}
	return string(g)
}

// nonNilText gives the column of a list that may be empty but not NULL.
func nonNilText(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
