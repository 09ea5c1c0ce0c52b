package ratelimit

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABucketAllowsItsBurstAndThenItsRate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := New(Policy{Name: "key", PerSecond: 2, Burst: 3})
	l.now = func() time.Time { return now }

	for left := 2; left >= 0; left-- {
		d := l.Take("a")
		assert.True(t, d.Allowed)
		h := http.Header{}
		d.WriteHeaders(h)
		assert.Equal(t, `"key";q=3;w=2`, h.Get("Ratelimit-Policy"))
		assert.Contains(t, h.Get("Ratelimit"), `"key";r=`+strconv.Itoa(left)+`;t=`)
		assert.Empty(t, h.Get("Retry-After"))
	}
	refused := l.Take("a")
	assert.False(t, refused.Allowed)
	assert.Equal(t, 500*time.Millisecond, refused.RetryAfter)
	h := http.Header{}
	refused.WriteHeaders(h)
	assert.Equal(t, "1", h.Get("Retry-After"), "whole seconds, rounded up")
	assert.Equal(t, `"key";r=0;t=2`, h.Get("Ratelimit"))

	assert.True(t, l.Take("b").Allowed, "callers do not share a bucket")

	now = now.Add(500 * time.Millisecond)
	assert.True(t, l.Peek("a").Allowed)
	assert.True(t, l.Peek("a").Allowed, "a look takes nothing")
	assert.True(t, l.Take("a").Allowed)
	assert.False(t, l.Take("a").Allowed)
}

func TestNoPolicyRefusesNobody(t *testing.T) {
	t.Parallel()
	l := New(Policy{Name: "key"})
	require.Nil(t, l)
	h := http.Header{}
	d := l.Take("a")
	d.WriteHeaders(h)
	assert.True(t, d.Allowed)
	assert.Empty(t, h)
}

func TestForgottenCallersBoundTheMemory(t *testing.T) {
	t.Parallel()
	l := New(Policy{Name: "address", PerSecond: 1, Burst: 1})
	for i := range callersKept + 100 {
		l.Take(strconv.Itoa(i))
	}
	assert.Equal(t, callersKept, l.buckets.Len())
}
