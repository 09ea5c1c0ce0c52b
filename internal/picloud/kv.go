package picloud

import (
	"context"
	"encoding/json"
	"time"
)

// KVEntry is one key's value. Versions come from one sequence of the database: they grow, and never come back, so a key that was
// deleted and made again has another version. Version 0 means: there is no such key.
type KVEntry struct {
	Collection string
	Key        string
	Value      json.RawMessage
	Version    int64
	UpdatedAt  time.Time
}

// The bounds of kv names, in bytes.
const (
	MaxCollectionLength = 256
	MaxKeyLength        = 1024
)

// Precondition guards a write: nil fields are not asked.
type Precondition struct {
	IfVersion *int64 // If-Match: the present version must be this
	IfAbsent  bool   // If-None-Match: *
}

// KVReader reads committed values.
type KVReader interface {
	// KVGet gives one entry; an entry with Version 0 if there is none.
	KVGet(ctx context.Context, appID, collection, key string) (KVEntry, error)
	// KVList gives the entries whose keys start with prefix and come after the cursor key ("" = the first), by key.
	KVList(ctx context.Context, appID, collection, prefix string, page Page) (List[KVEntry], error)
}

// KV is the key-value store of the apps. Every change and the outbox rows of the triggers that match it are one transaction.
type KV interface {
	KVReader
	// KVPut stores a value and gives the entry and the ids of the executions that it fires. PreconditionFailed "precondition_failed".
	KVPut(ctx context.Context, app App, collection, key string, value json.RawMessage, pre Precondition, from Origin) (entry KVEntry, executions []string, err error)
	// KVDelete removes a key. NotFound "key_not_found", PreconditionFailed "precondition_failed".
	KVDelete(ctx context.Context, app App, collection, key string, pre Precondition, from Origin) (executions []string, err error)
}

// CheckKVNames says what is wrong with the name of a collection or a key.
func CheckKVNames(collection, key string) error {
	if err := checkKVName("collection", collection, MaxCollectionLength); err != nil {
		return err
	}
	return checkKVName("key", key, MaxKeyLength)
}

func checkKVName(field, s string, limit int) error {
	if s == "" || len(s) > limit {
		return InvalidField(field, "must be 1 to %d bytes long, is %d", limit, len(s))
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return InvalidField(field, "may not contain control characters or invalid UTF-8")
		}
	}
	return nil
}
