package sandbox

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/testkit"
)

// waits says how many of an app wait.
func (t *turns) waits(app string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting[app])
}

func TestAppsTakeTurns(t *testing.T) {
	t.Parallel()
	turns := newTurns(1)
	require.NoError(t, turns.take(t.Context(), "noisy"))
	var order []string // each writes in its turn
	var done sync.WaitGroup
	for i, app := range []string{"noisy", "noisy", "noisy", "quiet", "other", "quiet"} {
		done.Go(func() {
			if err := turns.take(context.Background(), app); err != nil {
				t.Error(err)
			}
			order = append(order, app)
			turns.give()
		})
		testkit.Until(t, time.Minute, "it waits", func() bool { return turns.waits("noisy")+turns.waits("quiet")+turns.waits("other") == i+1 })
	}
	turns.give()
	done.Wait()
	require.Equal(t, []string{"noisy", "quiet", "other", "noisy", "quiet", "noisy"}, order)
	require.Zero(t, turns.taken())
}

func TestTurnsAreNeverLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.IntRange(1, 3).Draw(r, "size")
		turns := newTurns(size)
		var mu sync.Mutex
		running, most := 0, 0
		gone := errors.New("gone")
		var done sync.WaitGroup
		for _, run := range rapid.SliceOfN(rapid.IntRange(0, 5), 1, 40).Draw(r, "runs") {
			ctx, leave := context.WithCancelCause(context.Background())
			done.Go(func() {
				defer leave(nil)
				if err := turns.take(ctx, string(rune('a'+run%3))); err != nil {
					if !errors.Is(err, gone) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				mu.Lock()
				running--
				mu.Unlock()
				turns.give()
			})
			if run > 2 {
				leave(gone)
			}
		}
		done.Wait()
		require.LessOrEqual(r, most, size)
		require.Zero(r, turns.taken())
		require.Empty(r, turns.order)
		require.Empty(r, turns.waiting)
	})
}
