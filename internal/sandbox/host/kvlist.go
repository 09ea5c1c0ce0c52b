package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

func (k *KV) list(call frame.Call, _ []byte) (Answer, Later, error) {
	// A prefix or cursor is checked as a key is, but may be empty.
	for _, s := range []string{call.Prefix, call.Cursor} {
		if s == "" {
			s = "x"
		}
		if err := picloud.CheckKVNames(call.Collection, s); err != nil {
			return Throw("TypeError", nameFault(err)), nil, nil
		}
	}
	limit := call.Limit
	if limit == 0 {
		limit = picloud.DefaultPageLimit
	}
	if limit < 1 || limit > picloud.MaxPageLimit {
		return Throw("TypeError", fmt.Sprintf("limit must be 1 to %d, is %d", picloud.MaxPageLimit, limit)), nil, nil
	}
	own := k.ownWrites(call.Collection, call.Prefix)
	return Answer{}, func(ctx context.Context) (Answer, error) {
		q := question{call.Collection, call.Prefix, picloud.Page{Limit: limit, Cursor: call.Cursor}}
		return k.merged(ctx, q, own)
	}, nil
}

// ownWrites gives the run's writes of now in a collection under a prefix.
func (k *KV) ownWrites(collection, prefix string) map[string]*write {
	k.mu.Lock()
	defer k.mu.Unlock()
	own := map[string]*write{}
	for n, w := range k.own {
		if n.collection == collection && strings.HasPrefix(n.key, prefix) {
			own[n.key] = w
		}
	}
	return own
}

// merged gives one page of the committed entries with own writes laid over them. Own entries have version 0: they have none yet.
func (k *KV) merged(ctx context.Context, q question, own map[string]*write) (Answer, error) {
	want := q.page.Limit
	mine := slices.Sorted(maps.Keys(own))
	i, _ := slices.BinarySearch(mine, q.page.Cursor+"\x00") // the first after the cursor
	mine = mine[i:]

	var items []picloud.KVEntry
	for {
		page, err := k.page(ctx, q)
		if err != nil {
			return Answer{}, err
		}
		for _, e := range page.Items {
			// A store may sort otherwise than by bytes only if it is broken; own keys go before the first committed key that is not below them.
			for len(mine) > 0 && mine[0] < e.Key {
				items, mine = appendOwn(items, mine[0], own), mine[1:]
			}
			if len(mine) > 0 && mine[0] == e.Key {
				items, mine = appendOwn(items, mine[0], own), mine[1:]
				continue
			}
			items = append(items, e)
		}
		if page.Next == "" {
			for _, key := range mine {
				items = appendOwn(items, key, own)
			}
			return answerList(items, want, false), nil
		}
		if len(items) >= want {
			return answerList(items, want, true), nil
		}
		q.page.Cursor = page.Next
	}
}

func appendOwn(items []picloud.KVEntry, key string, own map[string]*write) []picloud.KVEntry {
	if w := own[key]; !w.deleted {
		items = append(items, picloud.KVEntry{Key: key, Value: w.value})
	}
	return items
}

// answerList cuts items to what was wanted; more says that there are others behind them.
func answerList(items []picloud.KVEntry, want int, more bool) Answer {
	if len(items) > want {
		items, more = items[:want], true
	}
	var a Answer
	for _, e := range items {
		a.Head.Items = append(a.Head.Items, frame.Entry{Key: e.Key, Version: e.Version, Size: len(e.Value)})
		a.Body = append(a.Body, e.Value...)
	}
	if more && len(items) > 0 {
		a.Head.Next = items[len(items)-1].Key
	}
	return a
}

// page gives one page of committed entries, the same one every time.
func (k *KV) page(ctx context.Context, q question) (picloud.List[picloud.KVEntry], error) {
	k.mu.Lock()
	l, asked := k.lists[q]
	if !asked {
		l = &listing{done: make(chan struct{})}
		k.lists[q] = l
	}
	k.mu.Unlock()
	if asked {
		select {
		case <-l.done:
			return l.list, l.err
		case <-ctx.Done():
			return l.list, ctx.Err()
		}
	}
	defer close(l.done)
	l.list, l.err = k.reader.KVList(ctx, k.appID, q.collection, q.prefix, q.page)
	if l.err != nil {
		l.err = fmt.Errorf("list kv keys: %w", l.err)
		return l.list, l.err
	}
	seen := make([]picloud.KeyRead, len(l.list.Items))
	size := 0
	for i, e := range l.list.Items {
		seen[i] = picloud.KeyRead{Collection: q.collection, Key: e.Key, Version: e.Version}
		size += len(e.Value)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads.Lists = append(k.reads.Lists, picloud.ListRead{Collection: q.collection, Prefix: q.prefix, Page: q.page, Seen: seen})
	l.err = k.hold(size)
	return l.list, l.err
}
