package testkit_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestDatabasesAreEmptyAndApart(t *testing.T) {
	t.Parallel()
	first, second := connect(t, testkit.DatabaseURL(t)), connect(t, testkit.DatabaseURL(t))
	_, err := first.Exec(t.Context(), `CREATE TABLE a ()`)
	require.NoError(t, err)
	_, err = second.Exec(t.Context(), `CREATE TABLE a ()`)
	require.NoError(t, err, "the other database does not have it")
}

func TestDatabaseIsDroppedWithItsConnections(t *testing.T) {
	var url string
	t.Run("test", func(t *testing.T) {
		url = testkit.DatabaseURL(t)
		_, err := pgx.Connect(context.Background(), url) // left open
		require.NoError(t, err)
	})
	_, err := pgx.Connect(t.Context(), url)
	require.ErrorContains(t, err, "does not exist")
}

func TestTemplateIsBuiltOnceAndCopied(t *testing.T) {
	t.Parallel()
	builds := 0
	build := func(ctx context.Context, url string) error {
		builds++
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, `CREATE TABLE filled AS SELECT generate_series(1, 5) AS n`)
		return errors.Join(err, conn.Close(ctx))
	}
	for range 3 {
		conn := connect(t, testkit.DatabaseFromTemplate(t, t.Name(), build))
		var n int
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM filled`).Scan(&n))
		require.Equal(t, 5, n)
		_, err := conn.Exec(t.Context(), `DELETE FROM filled`)
		require.NoError(t, err)
	}
	require.Equal(t, 1, builds)
}

func TestEventuallyLooksUntilItIsSo(t *testing.T) {
	t.Parallel()
	looks := 0
	testkit.Eventually(t, time.Minute, func() error {
		if looks++; looks < 4 {
			return errors.New("not yet")
		}
		return nil
	})
	require.Equal(t, 4, looks)
}

func BenchmarkDatabase(b *testing.B) {
	testkit.DatabaseURL(b)
	for b.Loop() {
		testkit.DatabaseURL(b)
	}
}

func TestNamespacesAreUsableAtOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() && os.Getenv("TEMPORAL_ADDRESS") == "" && os.Getenv("PICLOUD_TEST_BIN") == "" {
		t.Skip("builds the whole program")
	}
	prepared := ""
	before := time.Now()
	namespace := testkit.TemporalNamespace(t, func(_ context.Context, _ client.Client, namespace string) error {
		prepared = namespace
		return nil
	})
	t.Logf("first namespace, with the server: %s", time.Since(before))
	require.Equal(t, namespace, prepared)
	c, err := client.Dial(client.Options{HostPort: testkit.Temporal(t), Namespace: namespace, Logger: testkit.SilentTemporalLogger()})
	require.NoError(t, err)
	defer c.Close()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "fixed"}, "Nobody")
	require.NoError(t, err)
	require.NoError(t, c.TerminateWorkflow(t.Context(), run.GetID(), "", "test"))
}
