package api

import (
	"encoding/json"

	"github.com/picloud/picloud/internal/picloud"
)

// parseQueueConfig checks the config of a queue trigger.
func parseQueueConfig(c QueueTriggerConfig) (picloud.QueueConfig, error) {
	parsed := picloud.QueueConfig{Queue: c.Queue, MaxConcurrency: deref(c.MaxConcurrency), BatchSize: deref(c.BatchSize)}
	if c.MaxConcurrency != nil && *c.MaxConcurrency == 0 {
		return parsed, picloud.InvalidField("config.max_concurrency", "must be 1 to %d; left out: no bound", picloud.MaxQueueConcurrency)
	}
	if c.BatchSize != nil && *c.BatchSize == 0 {
		return parsed, picloud.InvalidField("config.batch_size", "must be 1 to %d; left out: every message is an execution of its own", picloud.MaxBatchSize)
	}
	if c.BatchWindow != nil {
		var err error
		if parsed.BatchWindow, err = parseDuration("config.batch_window", *c.BatchWindow); err != nil {
			return parsed, err
		}
	}
	return parsed, parsed.Check()
}

func toQueueConfig(c picloud.QueueConfig) QueueTriggerConfig {
	config := QueueTriggerConfig{Queue: c.Queue, MaxConcurrency: orNil(c.MaxConcurrency), BatchSize: orNil(c.BatchSize)}
	if c.BatchSize > 0 {
		window := formatDuration(c.BatchWindow)
		config.BatchWindow = &window
	}
	return config
}

// checkBatch says whether data is what a script that takes batches gets.
func checkBatch(data json.RawMessage, most int) error {
	var messages []picloud.BatchMessage
	if json.Unmarshal(data, &messages) != nil || len(messages) == 0 || len(messages) > most {
		return picloud.InvalidField("data", `must be a list of 1 to %d messages, as the trigger takes batches: [{"id": "1", "data": …}]`, most)
	}
	ids := map[string]bool{}
	for i, m := range messages {
		if m.ID == "" || m.Data == nil || ids[m.ID] {
			return picloud.InvalidField("data", `message %d: each wants an id of its own and data: [{"id": "1", "data": …}]`, i+1)
		}
		ids[m.ID] = true
	}
	return nil
}
