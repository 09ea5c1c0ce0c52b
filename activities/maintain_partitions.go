package activities

import (
	"context"
	"fmt"
)

// Keeper keeps the database in order. Both methods may be repeated.
type Keeper interface {
	// MaintainPartitions drops the partitions whose retention is over and makes those of the coming days.
	MaintainPartitions(ctx context.Context) error
	// CollectGarbage deletes what is kept for some time and is in no partition.
	CollectGarbage(ctx context.Context) error
}

// MaintainPartitions does the daily work on the tables.
func (a *Activities) MaintainPartitions(ctx context.Context) error {
	if err := a.Keeper.MaintainPartitions(ctx); err != nil {
		return fmt.Errorf("maintain partitions: %w", err)
	}
	if err := a.Keeper.CollectGarbage(ctx); err != nil {
		return fmt.Errorf("collect garbage: %w", err)
	}
	return nil
}
