package store

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/store/sqlc"
)

// KVGet implements picloud.KVReader.
func (s *Store) KVGet(ctx context.Context, appID, collection, key string) (picloud.KVEntry, error) {
	return kvGet(ctx, s.queries, appID, collection, key)
}

func kvGet(ctx context.Context, q *sqlc.Queries, appID, collection, key string) (picloud.KVEntry, error) {
	row, err := q.KVGet(ctx, appID, collection, key)
	if isMissing(err) {
		return picloud.KVEntry{Collection: collection, Key: key}, nil
	}
	if err != nil {
		return picloud.KVEntry{}, fmt.Errorf("get key: %w", err)
	}
	return toEntry(sqlc.KVListRow(row)), nil
}

// KVList implements picloud.KVReader.
func (s *Store) KVList(ctx context.Context, appID, collection, prefix string, page picloud.Page) (picloud.List[picloud.KVEntry], error) {
	rows, err := s.queries.KVList(ctx, sqlc.KVListParams{AppID: appID, Collection: collection, Prefix: prefix, After: page.Cursor, Max: size(page)})
	if err != nil {
		return picloud.List[picloud.KVEntry]{}, fmt.Errorf("list keys: %w", err)
	}
	return cut(convert(rows, toEntry), bounded(page), func(e picloud.KVEntry) string { return e.Key }), nil
}

// KVPut implements picloud.KV.
func (s *Store) KVPut(ctx context.Context, app picloud.App, collection, key string, v json.RawMessage, pre picloud.Precondition, from picloud.Origin) (picloud.KVEntry, []string, error) {
	rows, err := s.kvWriteOne(ctx, app, collection, key, string(v), pre, from)
	if err != nil {
		return picloud.KVEntry{}, nil, err
	}
	return picloud.KVEntry{Collection: collection, Key: key, Value: v, Version: rows[0].Version, UpdatedAt: rows[0].ChangedAt.UTC()}, rows[0].Executions, nil
}

// KVDelete implements picloud.KV.
func (s *Store) KVDelete(ctx context.Context, app picloud.App, collection, key string, pre picloud.Precondition, from picloud.Origin) ([]string, error) {
	rows, err := s.kvWriteOne(ctx, app, collection, key, deletion, pre, from)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, picloud.NotFoundError("key", key)
	}
	return rows[0].Executions, nil
}

// deletion stands for "no value" in a kvWrites: no JSON text is empty.
const deletion = ""

// kvWriteOne writes one key and the firings of its change, in one transaction.
func (s *Store) kvWriteOne(ctx context.Context, app picloud.App, collection, key, v string, pre picloud.Precondition, from picloud.Origin) (rows []sqlc.KVWriteManyRow, err error) {
	w := kvWrites{collections: []string{collection}, keys: []string{key}, values: []string{v}}
	if pre.IfAbsent || pre.IfVersion != nil {
		err = s.inTx(ctx, func(q *sqlc.Queries) error {
			if err := w.lock(app.ID).take(ctx, q); err != nil {
				return err
			}
			if err := checkPrecondition(ctx, q, app.ID, collection, key, pre); err != nil {
				return err
			}
			rows, err = w.write(ctx, q, app.ID, app.Slug, from)
			return err
		})
	} else {
		rows, err = w.writeAtOnce(ctx, s.pool, app.ID, app.Slug, from)
	}
	if violates(err, foreignKeyViolation, "") {
		return nil, picloud.NotFoundError("app", app.Slug)
	}
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		rows[i].Executions = s.siftMade(ctx, r.Filtered, r.Executions)
	}
	if anyFired(rows) {
		s.notifier.notify()
	}
	return rows, nil
}

// checkPrecondition gives PreconditionFailed when the key is not as the writer wants it. The locks must be held.
func checkPrecondition(ctx context.Context, q *sqlc.Queries, appID, collection, key string, pre picloud.Precondition) error {
	entry, err := kvGet(ctx, q, appID, collection, key)
	if err != nil {
		return err
	}
	if pre.IfAbsent && entry.Version != 0 {
		return picloud.Errorf(picloud.PreconditionFailed, "precondition_failed", "the key exists, at version %d", entry.Version)
	}
	if pre.IfVersion != nil && entry.Version != *pre.IfVersion {
		return picloud.Errorf(picloud.PreconditionFailed, "precondition_failed", "the key is at version %d, not %d", entry.Version, *pre.IfVersion)
	}
	return nil
}

// anyFired says whether the changes fired anything.
func anyFired(rows []sqlc.KVWriteManyRow) bool {
	return slices.ContainsFunc(rows, func(r sqlc.KVWriteManyRow) bool { return len(r.Executions) > 0 })
}

// kvWrites are the changes of one transaction, each key at most once: parallel slices, as the statement takes them.
type kvWrites struct {
	collections, keys, values []string
}

// kvWritesOf gives the changes that the effects come to: the last write of a key is the one that counts.
func kvWritesOf(effects []picloud.Effect) kvWrites {
	var w kvWrites
	at := map[[2]string]int{}
	for _, e := range effects {
		if e.Type != picloud.EffectKVSet && e.Type != picloud.EffectKVDelete {
			continue
		}
		id := [2]string{e.Collection, e.Key}
		i, ok := at[id]
		if !ok {
			i = len(w.keys)
			at[id] = i
			w.collections, w.keys, w.values = append(w.collections, e.Collection), append(w.keys, e.Key), append(w.values, deletion)
		}
		w.values[i] = deletion
		if e.Type == picloud.EffectKVSet {
			w.values[i] = string(e.Value)
		}
	}
	return w
}

// write makes the changes and queues the firings of the triggers that they match. The locks must be held.
func (w kvWrites) write(ctx context.Context, q *sqlc.Queries, appID, appSlug string, from picloud.Origin) ([]sqlc.KVWriteManyRow, error) {
	rows, err := q.KVWriteMany(ctx, sqlc.KVWriteManyParams{
		Collections: w.collections, Keys: w.keys, NewValues: w.values, AppID: appID, AppSlug: appSlug,
		RootID: optional(from.RootID), ParentID: optional(from.ExecutionID), Depth: int32(from.Depth + 1), // bounded by MaxDepth
		Traceparent: from.TraceParent,
	})
	if err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	return rows, nil
}

// writeAtOnce takes the locks and makes the changes in one round trip: the statements of a pipeline are one implicit transaction, each with a snapshot of
// its own. Source: PostgreSQL manual, "Pipelining" in the chapter on the message flow.
func (w kvWrites) writeAtOnce(ctx context.Context, pool *pgxpool.Pool, appID, appSlug string, from picloud.Origin) (rows []sqlc.KVWriteManyRow, err error) {
	locks := w.lock(appID)
	batch := &pgx.Batch{}
	batch.Queue(sqlc.KVLock, locks.ids, locks.exclusives)
	batch.Queue(sqlc.KVWriteMany, w.collections, w.keys, w.values, appID, appSlug, optional(from.RootID), optional(from.ExecutionID), from.Depth+1, from.TraceParent).
		Query(func(r pgx.Rows) (err error) {
			rows, err = pgx.CollectRows(r, pgx.RowToStructByPos[sqlc.KVWriteManyRow])
			return err
		})
	if err := pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	return rows, nil
}

// lock gives the locks that the changes need.
func (w kvWrites) lock(appID string) *kvLocks {
	l := &kvLocks{appID: appID}
	for i := range w.keys {
		l.add(false, w.collections[i])
		l.add(true, w.collections[i], w.keys[i])
	}
	return l
}

// kvLocks are the advisory locks of one transaction over keys and collections; see the query KVLock.
type kvLocks struct {
	appID      string
	ids        []int64
	exclusives []bool
}

func (l *kvLocks) add(exclusive bool, path ...string) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.appID))
	for _, p := range path {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write([]byte(p))
	}
	l.ids, l.exclusives = append(l.ids, int64(h.Sum64())), append(l.exclusives, exclusive) // the bits matter, not the number
}

// addReads adds what keeps the read set from changing until the transaction ends.
func (l *kvLocks) addReads(reads picloud.ReadSet) {
	for _, k := range reads.Keys {
		l.add(false, k.Collection, k.Key)
	}
	for _, r := range reads.Lists {
		l.add(true, r.Collection)
	}
}

func (l *kvLocks) take(ctx context.Context, q *sqlc.Queries) error {
	if err := q.KVLock(ctx, l.ids, l.exclusives); err != nil {
		return fmt.Errorf("lock keys: %w", err)
	}
	return nil
}

// checkReads gives picloud.ErrReadSetChanged when the keys and lists are no longer what the run saw. The locks must be held.
func checkReads(ctx context.Context, q *sqlc.Queries, appID string, reads picloud.ReadSet) error {
	if len(reads.Keys) > 0 {
		var collections, keys []string
		var versions []int64
		for _, k := range reads.Keys {
			collections, keys, versions = append(collections, k.Collection), append(keys, k.Key), append(versions, k.Version)
		}
		changed, err := q.KVChangedSince(ctx, collections, keys, versions, appID)
		if err != nil {
			return fmt.Errorf("check read keys: %w", err)
		}
		if changed {
			return picloud.ErrReadSetChanged
		}
	}
	for _, r := range reads.Lists {
		rows, err := q.KVListVersions(ctx, sqlc.KVListVersionsParams{
			AppID: appID, Collection: r.Collection, Prefix: r.Prefix, After: r.Page.Cursor, Max: int32(len(r.Seen)) + 1, // bounded by MaxPageLimit
		})
		if err != nil {
			return fmt.Errorf("check read list: %w", err)
		}
		if !sameList(rows, r) {
			return picloud.ErrReadSetChanged
		}
	}
	return nil
}

// sameList reports whether the present rows (one more than were seen, if there are) are the ones that were seen.
func sameList(rows []sqlc.KVListVersionsRow, read picloud.ListRead) bool {
	if len(rows) < len(read.Seen) {
		return false
	}
	for i, seen := range read.Seen {
		if rows[i].Key != seen.Key || rows[i].Version != seen.Version {
			return false
		}
	}
	// A page that was not full ended the list: there must be nothing after it now.
	return len(rows) == len(read.Seen) || len(read.Seen) >= bounded(read.Page)
}

func toEntry(r sqlc.KVListRow) picloud.KVEntry {
	return picloud.KVEntry{Collection: r.Collection, Key: r.Key, Value: r.Value, Version: r.Version, UpdatedAt: r.UpdatedAt}
}
