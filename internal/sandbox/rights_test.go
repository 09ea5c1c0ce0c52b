package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
)

// A host call that the run's principal has no right to ends the run: no catch helps.
func TestHostCallsNeedTheRightsOfThePrincipal(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	read, write := picloud.Scopes{picloud.ScopeDataRead}, picloud.Scopes{picloud.ScopeDataWrite}
	for _, c := range []struct {
		call   string
		scopes picloud.Scopes
		denied picloud.Capability
	}{
		{`ctx.kv.get("c", "k")`, write, picloud.DataRead},
		{`ctx.kv.list("c")`, write, picloud.DataRead},
		{`ctx.kv.set("c", "k", 1)`, read, picloud.DataWrite},
		{`ctx.kv.delete("c", "k")`, read, picloud.DataWrite},
		{`ctx.topics.publish("t", 1)`, read, picloud.DataWrite},
		{`ctx.queues.send("q", 1)`, read, picloud.DataWrite},
		{`ctx.kv.get("c", "k")`, read, ""},
		{`ctx.kv.set("c", "k", 1)`, write, ""},
	} {
		out := b.runAs(granted(b, c.call, c.scopes))
		if c.denied == "" {
			assert.Nil(t, out.Failure, c.call)
			continue
		}
		require.NotNil(t, out.Failure, c.call)
		assert.Equal(t, picloud.ReasonPermissionDenied, out.Failure.Reason)
		assert.True(t, out.Failure.NonRetryable)
		assert.Contains(t, out.Failure.Message, `principal "ann" may not `+string(c.denied))
		assert.Empty(t, out.Effects)
	}
}

// granted is a run of one call by ann.
func granted(b *bench, call string, scopes picloud.Scopes) picloud.Run {
	r := attempt(b.compile(`export default async (event: any, ctx: any) => { try { await ` + call + ` } catch {} return 1 }`))
	r.May = &picloud.Grant{Principal: "ann", App: "shop", Scopes: scopes}
	return r
}
