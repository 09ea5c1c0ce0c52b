package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/picloud/picloud/internal/picloud"
)

// checkKind says whether triggers can be registered for kind.
func checkKind(kind picloud.Kind) error {
	if slices.Contains(picloud.Kinds, kind) {
		return nil
	}
	names := make([]string, len(picloud.Kinds))
	for i, k := range picloud.Kinds {
		names[i] = string(k)
	}
	have := strings.Join(names, ", ")
	return picloud.InvalidField("kind", "%q is no kind: there are %s", string(kind[:min(len(kind), 50)]), have)
}

// parseConfig checks the config of a trigger by its kind and sets it.
func parseConfig(t *picloud.Trigger, raw json.RawMessage) error {
	switch t.Kind {
	case picloud.KindHTTP:
		var c HTTPTriggerConfig
		if err := decodeJSON(raw, &c, "config"); err != nil {
			return err
		}
		parsed, err := parseHTTPConfig(c)
		t.HTTP = &parsed
		return err
	case picloud.KindKV:
		var c KVTriggerConfig
		if err := decodeJSON(raw, &c, "config"); err != nil {
			return err
		}
		t.KV = &picloud.KVConfig{Collection: picloud.Glob(c.Collection), Operations: distinct(c.Operations), Key: picloud.Glob(deref(c.Key))}
		if err := t.KV.Check(); err != nil {
			return err
		}
		return checkFilters("config.collection", c.Collection, "config.key", deref(c.Key))
	case picloud.KindPubSub:
		var c PubSubTriggerConfig
		if err := decodeJSON(raw, &c, "config"); err != nil {
			return err
		}
		t.PubSub = &picloud.PubSubConfig{Topic: picloud.Glob(c.Topic)}
		return t.PubSub.Check()
	case picloud.KindDeadLetter:
		var c DeadLetterTriggerConfig
		if err := decodeJSON(raw, &c, "config"); err != nil {
			return err
		}
		t.DeadLetter = &picloud.DeadLetterConfig{
			Script: picloud.Glob(deref(c.Script)), Trigger: picloud.Glob(deref(c.Trigger)),
			Reasons: convert(distinct(c.Reasons), func(g string) picloud.Glob { return picloud.Glob(g) }),
		}
		return t.DeadLetter.Check()
	case picloud.KindQueue:
		var c QueueTriggerConfig
		if err := decodeJSON(raw, &c, "config"); err != nil {
			return err
		}
		parsed, err := parseQueueConfig(c)
		t.Queue = &parsed
		return err
	case picloud.KindEmail:
		var c EmailTriggerConfig
		if err := decodeJSON(raw, &c, "config"); err != nil {
			return err
		}
		t.Email = &picloud.EmailConfig{Address: picloud.Glob(c.Address)}
		return t.Email.Check()
	case picloud.KindCron:
		var c CronTriggerConfig
		if err := decodeJSON(raw, &c, "config"); err != nil {
			return err
		}
		parsed, err := parseCronConfig(c)
		t.Cron = &parsed
		return err
	default:
		return checkKind(t.Kind)
	}
}

func distinct(words []string) []string {
	var out []string
	for _, w := range words {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// encodeConfig is parseConfig's other way.
func encodeConfig(t picloud.Trigger) (json.RawMessage, error) {
	var config any
	switch {
	case t.HTTP != nil:
		config = toHTTPConfig(*t.HTTP)
	case t.KV != nil:
		config = KVTriggerConfig{Collection: string(t.KV.Collection), Operations: t.KV.Operations, Key: orNil(string(t.KV.Key))}
	case t.PubSub != nil:
		config = PubSubTriggerConfig{Topic: string(t.PubSub.Topic)}
	case t.Queue != nil:
		config = toQueueConfig(*t.Queue)
	case t.Email != nil:
		config = EmailTriggerConfig{Address: string(t.Email.Address)}
	case t.Cron != nil:
		config = toCronConfig(*t.Cron)
	case t.DeadLetter != nil:
		c := t.DeadLetter
		config = DeadLetterTriggerConfig{
			Script: orNil(string(c.Script)), Trigger: orNil(string(c.Trigger)), Reasons: convert(c.Reasons, func(g picloud.Glob) string { return string(g) }),
		}
	default:
		config = struct{}{}
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode config of trigger: %w", err)
	}
	return raw, nil
}

// maxErrorClass is the longest name of an error class, in bytes.
const maxErrorClass = 200

// parseRetry reads a retry policy; what it leaves out is the instance's default. nil stays nil.
func parseRetry(r *RetryPolicy, defaults picloud.RetryPolicy) (*picloud.RetryPolicy, error) {
	if r == nil {
		return nil, nil
	}
	p := defaults
	var err error
	if r.MaximumAttempts != nil {
		p.MaximumAttempts = *r.MaximumAttempts
	}
	if r.BackoffCoefficient != nil {
		p.BackoffCoefficient = *r.BackoffCoefficient
	}
	if r.InitialInterval != nil {
		if p.InitialInterval, err = parseDuration("retry.initial_interval", *r.InitialInterval); err != nil {
			return nil, err
		}
	}
	if r.MaximumInterval != nil {
		if p.MaximumInterval, err = parseDuration("retry.maximum_interval", *r.MaximumInterval); err != nil {
			return nil, err
		}
	} else {
		p.MaximumInterval = max(p.MaximumInterval, p.InitialInterval)
	}
	if r.MaximumDuration != nil {
		if p.MaximumDuration, err = parseDuration("retry.maximum_duration", *r.MaximumDuration); err != nil {
			return nil, err
		}
	}
	if r.Jitter != nil {
		p.Jitter = picloud.Jitter(*r.Jitter)
	}
	if r.NonRetryableErrors != nil {
		p.NonRetryableErrors = distinct(r.NonRetryableErrors)
	}
	for _, class := range p.NonRetryableErrors {
		if err := checkText("retry.non_retryable_errors", class, maxErrorClass); err != nil {
			return nil, err
		}
	}
	return &p, p.Check()
}

func toRetry(p *picloud.RetryPolicy) *RetryPolicy {
	if p == nil {
		return nil
	}
	jitter := string(p.Jitter)
	if jitter == "" {
		jitter = string(picloud.JitterNone)
	}
	initial, most, bound := formatDuration(p.InitialInterval), formatDuration(p.MaximumInterval), formatDuration(p.MaximumDuration)
	return &RetryPolicy{
		MaximumAttempts: &p.MaximumAttempts, InitialInterval: &initial, BackoffCoefficient: &p.BackoffCoefficient, MaximumInterval: &most,
		Jitter: &jitter, MaximumDuration: &bound, NonRetryableErrors: p.NonRetryableErrors,
	}
}

// mergePatch applies a JSON merge patch (RFC 7396) to target.
func mergePatch(target, patch json.RawMessage) (json.RawMessage, error) {
	if !bytes.HasPrefix(patch, []byte("{")) {
		return patch, nil // what is no object replaces
	}
	var changes map[string]json.RawMessage
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, fmt.Errorf("decode merge patch: %w", err)
	}
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(target, &members) // what is no object is replaced
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	for name, change := range changes {
		if string(change) == "null" {
			delete(members, name)
			continue
		}
		merged, err := mergePatch(members[name], change)
		if err != nil {
			return nil, err
		}
		members[name] = merged
	}
	out, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("encode merged value: %w", err)
	}
	return out, nil
}
