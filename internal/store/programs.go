package store

import (
	"sync"

	"github.com/picloud/picloud/internal/picloud"
)

// programCache keeps compiled versions: they are immutable, so an entry is never wrong. When it is over its size it is emptied: the programs in use
// come back with one read each.
type programCache struct {
	mutex   sync.Mutex
	entries map[programKey]programEntry
	bytes   int
}

type programKey struct {
	scriptID string
	version  int
}

type programEntry struct {
	program picloud.Program
	limits  picloud.Limits
}

// maxProgramCacheBytes bounds the code and source maps in the cache.
const maxProgramCacheBytes = 64 << 20

func newProgramCache() *programCache {
	return &programCache{entries: map[programKey]programEntry{}}
}

func (c *programCache) get(k programKey) (programEntry, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	e, ok := c.entries[k]
	return e, ok
}

func (c *programCache) put(k programKey, e programEntry) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.bytes > maxProgramCacheBytes {
		clear(c.entries)
		c.bytes = 0
	}
	c.entries[k] = e
	c.bytes += len(e.program.Code) + len(e.program.SourceMap)
}
