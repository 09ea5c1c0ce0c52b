package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
	"github.com/picloud/picloud/internal/sandbox/host"
)

// store is a KVReader of one collection.
type store map[string]picloud.KVEntry

func (s store) KVGet(_ context.Context, _, _, key string) (picloud.KVEntry, error) {
	return s[key], nil
}

func (s store) KVList(_ context.Context, _, _, prefix string, page picloud.Page) (picloud.List[picloud.KVEntry], error) {
	var l picloud.List[picloud.KVEntry]
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if !strings.HasPrefix(key, prefix) || key <= page.Cursor {
			continue
		}
		if len(l.Items) == page.Limit {
			l.Next = l.Items[page.Limit-1].Key
			break
		}
		l.Items = append(l.Items, s[key])
	}
	return l, nil
}

// ask makes one call and waits for it.
func ask(t require.TestingT, table host.Table, c frame.Call, body string) host.Answer {
	c.Collection = "c"
	a, later, err := table[c.Op](c, []byte(body))
	require.NoError(t, err)
	if later != nil {
		a, err = later(context.Background())
		require.NoError(t, err)
	}
	require.Empty(t, a.Head.Error)
	return a
}

// TestSessionEqualsAModel runs any calls in a session and on a plain map, which must answer the same; at the end the effects, applied to what was
// committed, must give the map.
func TestSessionEqualsAModel(t *testing.T) {
	t.Parallel()
	keys := rapid.SampledFrom([]string{"a", "a1", "a2", "b", "b1", "c", "d"})
	rapid.Check(t, func(t *rapid.T) {
		committed, model := store{}, map[string]string{}
		for i, key := range rapid.SliceOfDistinct(keys, rapid.ID[string]).Draw(t, "committed") {
			committed[key] = picloud.KVEntry{Collection: "c", Key: key, Value: json.RawMessage(fmt.Sprint(i)), Version: int64(100 + i)}
			model[key] = fmt.Sprint(i)
		}
		kv, table := host.NewKV(committed, "app", picloud.DefaultLimits), host.Table{}
		kv.Register(table)

		t.Repeat(map[string]func(*rapid.T){
			"get": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				want, found := model[key]
				got := ask(t, table, frame.Call{Op: frame.OpKVGet, Key: key}, "")
				require.Equal(t, found, got.Head.Found)
				require.Equal(t, want, string(got.Body))
			},
			"set": func(t *rapid.T) {
				key, value := keys.Draw(t, "key"), fmt.Sprint(rapid.IntRange(1000, 9999).Draw(t, "value"))
				ask(t, table, frame.Call{Op: frame.OpKVSet, Key: key}, value)
				model[key] = value
			},
			"delete": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				_, found := model[key]
				require.Equal(t, found, ask(t, table, frame.Call{Op: frame.OpKVDelete, Key: key}, "").Head.Found)
				delete(model, key)
			},
			"list": func(t *rapid.T) {
				prefix, limit := rapid.SampledFrom([]string{"", "a", "b", "x"}).Draw(t, "prefix"), rapid.IntRange(1, 4).Draw(t, "limit")
				got := map[string]string{}
				var order []string
				for cursor := ""; ; {
					page := ask(t, table, frame.Call{Op: frame.OpKVList, Prefix: prefix, Limit: limit, Cursor: cursor}, "")
					require.LessOrEqual(t, len(page.Head.Items), limit)
					for _, item := range page.Head.Items {
						got[item.Key], page.Body = string(page.Body[:item.Size]), page.Body[item.Size:]
						order = append(order, item.Key)
					}
					if cursor = page.Head.Next; cursor == "" {
						break
					}
				}
				want := maps.Clone(model)
				maps.DeleteFunc(want, func(key, _ string) bool { return !strings.HasPrefix(key, prefix) })
				require.Equal(t, want, got)
				require.Equal(t, slices.Sorted(maps.Keys(want)), append([]string(nil), order...))
			},
		})

		after := map[string]string{}
		for key, e := range committed {
			after[key] = string(e.Value)
		}
		for _, e := range kv.Effects() {
			if e.Type == picloud.EffectKVSet {
				after[e.Key] = string(e.Value)
			} else {
				delete(after, e.Key)
			}
		}
		require.Equal(t, model, after)
		seen := map[string]bool{}
		for _, r := range kv.Reads().Keys {
			require.False(t, seen[r.Key], "key %s is recorded twice", r.Key)
			seen[r.Key] = true
			require.Equal(t, committed[r.Key].Version, r.Version)
		}
	})
}

func TestLimitsOfASession(t *testing.T) {
	t.Parallel()
	limits := picloud.DefaultLimits
	limits.Effects, limits.PayloadBytes = 100, 10
	kv, table := host.NewKV(store{}, "app", limits), host.Table{}
	kv.Register(table)
	a, _, err := table[frame.OpKVSet](frame.Call{Op: frame.OpKVSet, Collection: "c", Key: "k"}, []byte(`"01234567890"`))
	require.NoError(t, err)
	require.Equal(t, "RangeError", a.Head.ErrorType)
	a, _, err = table[frame.OpKVSet](frame.Call{Op: frame.OpKVSet, Collection: "c", Key: "k"}, []byte(`{`))
	require.NoError(t, err)
	require.Equal(t, "TypeError", a.Head.ErrorType)
	for range 81 {
		_, _, err = table[frame.OpKVSet](frame.Call{Op: frame.OpKVSet, Collection: "c", Key: "k"}, []byte(`12345678`))
	}
	require.ErrorContains(t, err, "DataLimitExceeded: the run reads and writes more than 640 bytes")
}
