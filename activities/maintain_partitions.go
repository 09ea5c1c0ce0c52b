package activities

import (
	"context"
	"fmt"
)

// Keeper keeps the database in order.
type Keeper interface {
	// MaintainPartitions drops the partitions and rows whose retention is over and makes the partitions of the coming days. It may be repeated.
	MaintainPartitions(ctx context.Context) error
}

// MaintainPartitions does the daily work on the tables.
func (a *Activities) MaintainPartitions(ctx context.Context) error {
	if err := a.Keeper.MaintainPartitions(ctx); err != nil {
		return fmt.Errorf("maintain partitions: %w", err)
	}
	return nil
}
