package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/picloud/picloud/internal/engine"
	"github.com/picloud/picloud/internal/testkit"
)

func dialLazily(t *testing.T, address, namespace string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{HostPort: address, Namespace: namespace, Logger: testkit.SilentTemporalLogger()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestBootstrapMakesANamespaceUsable(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Temporal")
	}
	namespace := testkit.Unique("bootstrap")
	c := dialLazily(t, testkit.Temporal(t), namespace)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	attributes := map[string]enumspb.IndexedValueType{
		"BootKeyword": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"BootInt":     enumspb.INDEXED_VALUE_TYPE_INT,
	}
	require.NoError(t, engine.EnsureNamespace(ctx, c, namespace, 24*time.Hour))
	require.NoError(t, engine.EnsureSearchAttributes(ctx, c, namespace, attributes))
	_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		TaskQueue: "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword("BootKeyword").ValueSet("a"), temporal.NewSearchAttributeKeyInt64("BootInt").ValueSet(1)),
	}, "Nobody")
	require.NoError(t, err, "a start right after the bootstrap is accepted")

	require.NoError(t, engine.EnsureNamespace(ctx, c, namespace, 48*time.Hour), "a second time changes nothing")
	require.NoError(t, engine.EnsureSearchAttributes(ctx, c, namespace, attributes))
	attributes["BootLater"] = enumspb.INDEXED_VALUE_TYPE_BOOL
	require.NoError(t, engine.EnsureSearchAttributes(ctx, c, namespace, attributes), "what is new is added to what there is")

	err = engine.EnsureSearchAttributes(ctx, c, namespace, map[string]enumspb.IndexedValueType{"BootInt": enumspb.INDEXED_VALUE_TYPE_TEXT})
	require.ErrorContains(t, err, "BootInt")
	require.ErrorContains(t, err, "not Text")
}

func TestBootstrapWaitsForACluster(t *testing.T) {
	t.Parallel()
	c := dialLazily(t, "127.0.0.1:1", "default")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, engine.EnsureNamespace(ctx, c, "default", time.Hour), context.DeadlineExceeded)
}
