package api

import (
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
