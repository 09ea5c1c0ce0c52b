package activitiestest

import (
	"context"
	"fmt"
	"sync"

	"github.com/picloud/picloud/internal/picloud"
)

// Bulk is a [picloud.BulkWork] of one bulk replay in memory, with the promises of the real one. Its letters are numbered.
type Bulk struct {
	// Letters is how many letters it takes.
	Letters int
	// Fault is asked before every page, with the number of calls so far; an error is what the call gives. nil = no faults.
	Fault func(calls int) error

	mu     sync.Mutex
	calls  int
	next   int
	status picloud.BulkStatus
	report picloud.BulkReport
}

var _ picloud.BulkWork = (*Bulk)(nil)

func (b *Bulk) row() picloud.BulkReplay {
	status := b.status
	if status == "" {
		status = picloud.BulkRunning
	}
	report := b.report
	return picloud.BulkReplay{Status: status, Total: int64(b.Letters), Replayed: int64(b.next), After: after(b.next), Report: &report}
}

// after is the id of the n-th letter, counted from 1.
func after(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("letter-%06d", n)
}

func (b *Bulk) page(at string, limit int) (letters []picloud.DeadLetter, err error) {
	b.calls++
	if b.Fault != nil {
		err = b.Fault(b.calls)
	}
	if err != nil || b.status != "" || at != after(b.next) {
		return nil, err
	}
	letters = []picloud.DeadLetter{}
	for n := b.next + 1; n <= min(b.next+limit, b.Letters); n++ {
		letters = append(letters, picloud.DeadLetter{ID: after(n)})
	}
	return letters, nil
}

// ReplayPage implements picloud.BulkWork.
func (b *Bulk) ReplayPage(_ context.Context, _, at string, limit int) (picloud.BulkReplay, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	letters, err := b.page(at, limit)
	b.next += len(letters)
	if letters != nil && len(letters) < limit {
		b.status = picloud.BulkCompleted
	}
	return b.row(), err
}

// DryPage implements picloud.BulkWork.
func (b *Bulk) DryPage(_ context.Context, _, at string, limit int) (picloud.BulkReplay, []picloud.DeadLetter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	letters, err := b.page(at, limit)
	return b.row(), letters, err
}

// ReportPage implements picloud.BulkWork.
func (b *Bulk) ReportPage(_ context.Context, _, at string, page []picloud.DryLetter) (picloud.BulkReplay, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at == after(b.next) && b.status == "" {
		for _, l := range page {
			b.report.Add(l)
		}
		b.next += len(page)
		if len(page) == 0 {
			b.status = picloud.BulkCompleted
		}
	}
	return b.row(), nil
}

// EndBulkReplay implements picloud.BulkWork.
func (b *Bulk) EndBulkReplay(context.Context, string) (picloud.BulkReplay, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status == "" {
		b.status = picloud.BulkCanceled
	}
	return b.row(), nil
}

// RunningBulkReplays implements picloud.BulkWork.
func (b *Bulk) RunningBulkReplays(context.Context) ([]picloud.BulkReplay, error) { return nil, nil }

// Row is the bulk replay as it is now.
func (b *Bulk) Row() picloud.BulkReplay {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.row()
}
