package sandbox

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/testkit"
)

// waits says how many wait.
func (t *turns) waits() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rota.Waiting()
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
			turns.give(app)
		})
		testkit.Until(t, time.Minute, "it waits", func() bool { return turns.waits() == i+1 })
	}
	turns.give("noisy")
	done.Wait()
	require.Equal(t, []string{"noisy", "quiet", "other", "noisy", "quiet", "noisy"}, order)
	require.Zero(t, turns.busy())
}

func TestNoAppHasEveryTurn(t *testing.T) {
	t.Parallel()
	turns := newTurns(3)
	require.NoError(t, turns.take(t.Context(), "noisy"))
	require.NoError(t, turns.take(t.Context(), "noisy"))
	var third sync.WaitGroup
	third.Go(func() {
		if err := turns.take(context.Background(), "noisy"); err != nil {
			t.Error(err)
		}
	})
	testkit.Until(t, time.Minute, "the third waits", func() bool { return turns.waits() == 1 })
	require.NoError(t, turns.take(t.Context(), "quiet"), "though the noisy one waits for longer")
	turns.give("quiet")
	require.Equal(t, 1, turns.waits())
	turns.give("noisy")
	third.Wait()
	require.Equal(t, 2, turns.busy())
}

func TestTurnsAreNeverLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.IntRange(1, 3).Draw(r, "size")
		turns := newTurns(size)
		var mu sync.Mutex
		running, byApp, most, mostOfOne := 0, map[string]int{}, 0, 0
		gone := errors.New("gone")
		var done sync.WaitGroup
		for _, run := range rapid.SliceOfN(rapid.IntRange(0, 5), 1, 40).Draw(r, "runs") {
			ctx, leave := context.WithCancelCause(context.Background())
			done.Go(func() {
				defer leave(nil)
				app := string(rune('a' + run%3))
				if err := turns.take(ctx, app); err != nil {
					if !errors.Is(err, gone) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				running++
				byApp[app]++
				most, mostOfOne = max(most, running), max(mostOfOne, byApp[app])
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				running--
				byApp[app]--
				mu.Unlock()
				turns.give(app)
			})
			if run > 2 {
				leave(gone)
			}
		}
		done.Wait()
		require.LessOrEqual(r, most, size)
		require.LessOrEqual(r, mostOfOne, max(size-1, 1))
		require.Zero(r, turns.busy())
		require.Zero(r, turns.waits())
	})
}
