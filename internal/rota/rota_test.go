package rota_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/rota"
)

// TestRotaIsFair holds a rota against what it is to be, whatever happens in whatever order.
func TestRotaIsFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 8).Draw(t, "most")
		r := rota.New[string]()
		waiting, flying, turns := map[string][]string{}, map[string]int{}, map[string]int{} // turns of others since an app came or had its own
		total := 0
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				app := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "app")
				id := app + string(rune('0'+total%10))
				if len(waiting[app]) == 0 {
					turns[app] = 0
				}
				waiting[app] = append(waiting[app], id)
				r.Add(app, id)
				total++
			},
			"begin": func(t *rapid.T) {
				app, one, ok := r.Next(most)
				sum, free := 0, false
				for app := range waiting {
					free = free || len(waiting[app]) > 0 && flying[app] < max(most-1, 1)
				}
				for _, n := range flying {
					sum += n
				}
				if ok != (free && sum < most) {
					t.Fatalf("a turn: %v; %v wait, %v are on their way of %d", ok, waiting, flying, most)
				}
				if !ok {
					return
				}
				if one != waiting[app][0] {
					t.Fatal("not in the order of their coming")
				}
				r.Begin(app)
				waiting[app] = waiting[app][1:]
				flying[app]++
				turns[app] = 0
				for other := range waiting {
					if other != app && len(waiting[other]) > 0 && flying[other] < max(most-1, 1) {
						if turns[other]++; turns[other] > 2*len(waiting) {
							t.Fatalf("%s waits for %d turns of others", other, turns[other])
						}
					}
				}
			},
			"end": func(*rapid.T) {
				for app, n := range flying {
					if n > 0 {
						flying[app]--
						r.End(app)
						return
					}
				}
			},
			"leave": func(t *rapid.T) {
				app := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "app")
				if len(waiting[app]) == 0 {
					return
				}
				i := rapid.IntRange(0, len(waiting[app])-1).Draw(t, "which")
				gone := waiting[app][i]
				first := slices.Index(waiting[app], gone)
				waiting[app] = slices.Delete(waiting[app], first, first+1)
				if !r.Remove(app, func(one string) bool { return one == gone }) {
					t.Fatalf("%s does not wait", gone)
				}
			},
			"": func(t *rapid.T) {
				n := 0
				for _, w := range waiting {
					n += len(w)
				}
				if r.Waiting() != n {
					t.Fatalf("%d wait, not %d", r.Waiting(), n)
				}
			},
		})
		if n := r.Waiting(); len(r.Rest()) != n || r.Waiting() != 0 {
			t.Fatal("the rest is not all that waits")
		}
	})
}
