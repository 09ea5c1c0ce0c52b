package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/picloud/picloud/internal/filter"
	"github.com/picloud/picloud/internal/picloud"
)

// parseFlow reads the flow control of t, whose kind and config are set. nil stays nil, and one that says nothing is nil.
func parseFlow(t picloud.Trigger, f *FlowControl) (*picloud.Flow, error) {
	if f == nil {
		return nil, nil
	}
	if t.Queue != nil && t.Queue.BatchSize > 0 && *f != (FlowControl{}) {
		return nil, picloud.InvalidField("flow", "is not for batches: config.max_concurrency bounds them, a message has its own delay and priority")
	}
	var flow picloud.Flow
	var err error
	if c := f.Concurrency; c != nil {
		flow.Concurrency = &picloud.FlowConcurrency{Limit: c.Limit, Key: deref(c.Key)}
	}
	if l := f.Throttle; l != nil {
		flow.Throttle = &picloud.FlowThrottle{Limit: l.Limit, Key: deref(l.Key)}
		if flow.Throttle.Per, err = parseDuration("flow.throttle.per", l.Per); err != nil {
			return nil, err
		}
	}
	if d := f.Debounce; d != nil {
		flow.Debounce = &picloud.FlowDebounce{Key: deref(d.Key)}
		if flow.Debounce.Period, err = parseDuration("flow.debounce.period", d.Period); err != nil {
			return nil, err
		}
	}
	if f.Delay != nil {
		if flow.Delay, err = parseDuration("flow.delay", *f.Delay); err != nil {
			return nil, err
		}
	}
	flow.Priority = deref(f.Priority)
	if flow == (picloud.Flow{}) {
		return nil, nil
	}
	if err := flow.Check(t); err != nil {
		return nil, err
	}
	keys := flow.Keys()
	for _, field := range slices.Sorted(maps.Keys(keys)) {
		if _, err := filter.CompileKey(field, keys[field]); err != nil {
			return nil, err
		}
	}
	return &flow, nil
}

// toFlow is parseFlow's other way.
func toFlow(f *picloud.Flow) *FlowControl {
	if f == nil {
		return nil
	}
	out := &FlowControl{Delay: optionalDuration(f.Delay), Priority: orNil(f.Priority)}
	if c := f.Concurrency; c != nil {
		out.Concurrency = &FlowConcurrency{Limit: c.Limit, Key: orNil(c.Key)}
	}
	if l := f.Throttle; l != nil {
		out.Throttle = &FlowThrottle{Limit: l.Limit, Per: formatDuration(l.Per), Key: orNil(l.Key)}
	}
	if d := f.Debounce; d != nil {
		out.Debounce = &FlowDebounce{Period: formatDuration(d.Period), Key: orNil(d.Key)}
	}
	return out
}

// patchObject applies a merge patch to an optional part of a trigger; null takes it away. field names the part.
func patchObject[T any](field string, now *T, patch json.RawMessage) (*T, error) {
	if string(patch) == "null" {
		return nil, nil
	}
	target := []byte("{}")
	if now != nil {
		var err error
		if target, err = json.Marshal(now); err != nil {
			return nil, fmt.Errorf("encode %s: %w", field, err)
		}
	}
	merged, err := mergePatch(target, patch)
	if err != nil {
		return nil, err
	}
	var p T
	return &p, decodeJSON(merged, &p, field)
}
