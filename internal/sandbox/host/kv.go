package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/fault"
	"github.com/picloud/picloud/internal/sandbox/frame"
)

// KV is the key-value store as one run sees it: its own writes over the committed values. Writes are buffered as effects, reads are remembered, so
// that a key or list that is asked for twice gives the same answer twice.
type KV struct {
	reader picloud.KVReader
	appID  string
	limits picloud.Limits

	mu      sync.Mutex
	effects []picloud.Effect
	own     map[name]*write
	keys    map[name]*read
	lists   map[question]*listing
	reads   picloud.ReadSet
	held    int // bytes
}

type name struct{ collection, key string }

type write struct {
	value   json.RawMessage
	deleted bool
}

// read is one key that was asked of the store; its fields are set when done is closed.
type read struct {
	done  chan struct{}
	entry picloud.KVEntry
	err   error
}

type question struct {
	collection, prefix string
	page               picloud.Page
}

// listing is one page that was asked of the store; its fields are set when done is closed.
type listing struct {
	done chan struct{}
	list picloud.List[picloud.KVEntry]
	err  error
}

// NewKV begins a session of one run of an app.
func NewKV(reader picloud.KVReader, appID string, limits picloud.Limits) *KV {
	return &KV{
		reader: reader, appID: appID, limits: limits,
		own: map[name]*write{}, keys: map[name]*read{}, lists: map[question]*listing{},
	}
}

// Register adds the kv operations to a table.
func (k *KV) Register(t Table) {
	t[frame.OpKVGet] = k.get
	t[frame.OpKVSet] = k.set
	t[frame.OpKVDelete] = k.remove
	t[frame.OpKVList] = k.list
}

// Effects gives what the run wrote, in its order.
func (k *KV) Effects() []picloud.Effect {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.effects)
}

// Reads gives what the run read.
func (k *KV) Reads() picloud.ReadSet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return picloud.ReadSet{Keys: slices.Clone(k.reads.Keys), Lists: slices.Clone(k.reads.Lists)}
}

func (k *KV) get(call frame.Call, _ []byte) (Answer, Later, error) {
	if err := picloud.CheckKVNames(call.Collection, call.Key); err != nil {
		return Throw("TypeError", nameFault(err)), nil, nil
	}
	n := name{call.Collection, call.Key}
	k.mu.Lock()
	own := k.own[n]
	k.mu.Unlock()
	if own != nil {
		return Answer{Head: frame.Reply{Found: !own.deleted}, Body: own.value}, nil, nil
	}
	return Answer{}, func(ctx context.Context) (Answer, error) {
		e, err := k.committed(ctx, n)
		if err != nil || e.Version == 0 {
			return Answer{}, err
		}
		return Answer{Head: frame.Reply{Found: true}, Body: e.Value}, nil
	}, nil
}

func (k *KV) set(call frame.Call, body []byte) (Answer, Later, error) {
	if err := picloud.CheckKVNames(call.Collection, call.Key); err != nil {
		return Throw("TypeError", nameFault(err)), nil, nil
	}
	if len(body) > k.limits.PayloadBytes {
		return Throw("RangeError", fmt.Sprintf("the value has %d bytes, the payload limit is %d", len(body), k.limits.PayloadBytes)), nil, nil
	}
	if !json.Valid(body) {
		return Throw("TypeError", "the value is not JSON"), nil, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.buffer(picloud.Effect{Type: picloud.EffectKVSet, Collection: call.Collection, Key: call.Key, Value: body})
	if err != nil {
		return Answer{}, nil, err
	}
	k.own[name{call.Collection, call.Key}] = &write{value: body}
	return Answer{}, nil, nil
}

func (k *KV) remove(call frame.Call, _ []byte) (Answer, Later, error) {
	if err := picloud.CheckKVNames(call.Collection, call.Key); err != nil {
		return Throw("TypeError", nameFault(err)), nil, nil
	}
	n := name{call.Collection, call.Key}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.buffer(picloud.Effect{Type: picloud.EffectKVDelete, Collection: n.collection, Key: n.key}); err != nil {
		return Answer{}, nil, err
	}
	before := k.own[n]
	k.own[n] = &write{deleted: true}
	if before != nil {
		return Answer{Head: frame.Reply{Found: !before.deleted}}, nil, nil
	}
	return Answer{}, func(ctx context.Context) (Answer, error) {
		e, err := k.committed(ctx, n)
		return Answer{Head: frame.Reply{Found: e.Version != 0}}, err
	}, nil
}

// buffer keeps an effect, within the limits. k.mu is held.
func (k *KV) buffer(e picloud.Effect) error {
	if len(k.effects) >= k.limits.Effects {
		return fault.Effects(k.limits)
	}
	if err := k.hold(len(e.Value)); err != nil {
		return err
	}
	k.effects = append(k.effects, e)
	return nil
}

// hold counts bytes that the server keeps for the run. k.mu is held.
func (k *KV) hold(n int) error {
	k.held += n
	if k.held > fault.HeldPayloads*k.limits.PayloadBytes {
		return fault.Data(k.limits)
	}
	return nil
}

// committed gives the committed entry of a key, the same one every time.
func (k *KV) committed(ctx context.Context, n name) (picloud.KVEntry, error) {
	k.mu.Lock()
	r, asked := k.keys[n]
	if !asked {
		r = &read{done: make(chan struct{})}
		k.keys[n] = r
	}
	k.mu.Unlock()
	if asked {
		select {
		case <-r.done:
			return r.entry, r.err
		case <-ctx.Done():
			return picloud.KVEntry{}, ctx.Err()
		}
	}
	defer close(r.done)
	r.entry, r.err = k.reader.KVGet(ctx, k.appID, n.collection, n.key)
	if r.err != nil {
		r.err = fmt.Errorf("read kv key: %w", r.err)
		return r.entry, r.err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads.Keys = append(k.reads.Keys, picloud.KeyRead{Collection: n.collection, Key: n.key, Version: r.entry.Version})
	r.err = k.hold(len(r.entry.Value))
	return r.entry, r.err
}

// nameFault gives the text of a name's fault without the domain's wrapping.
func nameFault(err error) string {
	if e := picloud.AsError(err); e != nil && len(e.Fields) > 0 {
		return e.Fields[0].Field + " " + e.Fields[0].Message
	}
	return err.Error()
}
