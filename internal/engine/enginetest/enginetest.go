// Package enginetest gives tests an engine on a real Temporal.
package enginetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/picloud/picloud/internal/engine"
	"github.com/picloud/picloud/internal/testkit"
	"github.com/picloud/picloud/workflows"
)

// Namespace makes a namespace for this test alone, with PiCloud's search attributes.
func Namespace(tb testing.TB) string {
	tb.Helper()
	return testkit.TemporalNamespace(tb, func(ctx context.Context, c client.Client, namespace string) error {
		return engine.EnsureSearchAttributes(ctx, c, namespace, workflows.SearchAttributes)
	})
}

// New gives an engine in the namespace, as one process has it.
func New(tb testing.TB, namespace string) *engine.Engine {
	tb.Helper()
	e, err := engine.New(engine.Options{
		Address: testkit.Temporal(tb), Namespace: namespace, BaseURL: "http://picloud.test", Identity: "picloud-test", Log: testkit.SilentLog(),
	})
	require.NoError(tb, err)
	tb.Cleanup(e.Close)
	return e
}
