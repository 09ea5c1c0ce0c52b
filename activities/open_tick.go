package activities

import (
	"context"
	"fmt"

	"github.com/picloud/picloud/internal/picloud"
)

// OpenTickResult is the firing of a tick; nil when its trigger is gone or disabled.
type OpenTickResult struct {
	Firing *picloud.Firing `json:"firing,omitempty"`
}

// OpenTick stores the event of a tick of a cron trigger and gives its firing, with the script's version of now.
func (a *Activities) OpenTick(ctx context.Context, t picloud.Tick) (OpenTickResult, error) {
	f, err := a.Ticks.OpenTick(ctx, t)
	if err != nil {
		return OpenTickResult{}, fmt.Errorf("open tick: %w", err)
	}
	return OpenTickResult{Firing: f}, nil
}
