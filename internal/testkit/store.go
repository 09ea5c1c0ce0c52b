package testkit

import (
	"context"
	"io"
	"net/url"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/secrets"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/schema"
)

// Store gives a store on a migrated database of its own, with the instance's defaults; change overrides them.
func Store(t testing.TB, change ...func(*store.Options)) *store.Store {
	t.Helper()
	return StoreAt(t, Database(t), change...)
}

// Database gives the URL of a migrated database of its own, as the role that owns it.
func Database(t testing.TB) string {
	t.Helper()
	return DatabaseFromTemplate(t, "picloud", prepare)
}

// Tester is the principal, an instance admin, that registers what tests make.
const Tester = "tester"

// prepare makes the schema, the role that serves, and the principal that everything in tests belongs to.
func prepare(ctx context.Context, url string) error {
	if _, err := schema.Migrate(ctx, url); err != nil {
		return err
	}
	if err := schema.EnsureRole(ctx, url, servingRole, servingRole); err != nil {
		return err
	}
	if err := schema.Grant(ctx, url, servingRole); err != nil {
		return err
	}
	s, err := store.Open(ctx, url, store.Options{MaxConnections: 1, Log: SilentLog()})
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.CreatePrincipal(ctx, picloud.Principal{Kind: picloud.Service, Name: Tester, InstanceAdmin: true}, "")
	return err
}

// Serving gives the URL of a Database as the role that serves: it has no right to change the schema, as in an instance.
func Serving(t testing.TB, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	u.User = url.UserPassword(servingRole, servingRole)
	return u.String()
}

// servingRole is the role, and its password, under which the tests' stores work on a PostgreSQL that lives as long as they do.
const servingRole = "picloud_test_serving"

// StoreAt gives a store on a Database, as a second process would have it.
func StoreAt(t testing.TB, database string, change ...func(*store.Options)) *store.Store {
	t.Helper()
	keys, err := instanceKey()
	require.NoError(t, err)
	options := store.Options{
		Retry: picloud.DefaultRetryPolicy, MaxDepth: 16, ExecutionDays: 14, DeadLetterDays: 30, UnresolvedLetterDays: 180, AbandonedExecDays: 7, Sealer: keys, Log: SilentLog(),
	}
	for _, c := range change {
		c(&options)
	}
	s, err := store.Open(t.Context(), Serving(t, database), options)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.AdoptInstanceKey(t.Context()))
	return s
}

// instanceKey is the one key of all stores of the process.
var instanceKey = sync.OnceValues(func() (*secrets.Keyring, error) {
	folder, err := tempFolder()
	if err != nil {
		return nil, err
	}
	keys, err := secrets.Open(secrets.Source{DataDir: folder})
	if err != nil {
		return nil, err
	}
	return keys, keys.Create()
})

// SilentLog is a logger that writes nowhere.
func SilentLog() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// App makes an app.
func App(t testing.TB, s *store.Store, slug string) picloud.App {
	t.Helper()
	app, err := s.CreateApp(t.Context(), slug, slug, Tester)
	require.NoError(t, err)
	return app
}

// Script makes a script with one version per given source, the last one active. The programs are the sources themselves: nothing compiles them.
func Script(t testing.TB, s *store.Store, app picloud.App, name string, sources ...string) picloud.ScriptVersion {
	t.Helper()
	if len(sources) == 0 {
		sources = []string{"export default () => null"}
	}
	var v picloud.ScriptVersion
	for _, source := range sources {
		var err error
		_, v, _, err = s.PutScript(t.Context(), app.ID, picloud.ScriptVersion{
			Script: name, Language: picloud.JavaScript, Source: source, SHA256: source, Limits: picloud.DefaultLimits,
			Program: picloud.Program{SHA256: source, Code: []byte(source)},
		}, true)
		require.NoError(t, err)
	}
	return v
}

// KVTrigger makes a kv trigger, registered by "tester".
func KVTrigger(t testing.TB, s *store.Store, app picloud.App, name, script string, config picloud.KVConfig, retry *picloud.RetryPolicy) picloud.Trigger {
	t.Helper()
	return Trigger(t, s, app, picloud.Trigger{Name: name, Kind: picloud.KindKV, Script: script, KV: &config, Retry: retry})
}

// Trigger makes an enabled trigger of any kind, registered by "tester".
func Trigger(t testing.TB, s *store.Store, app picloud.App, trigger picloud.Trigger) picloud.Trigger {
	t.Helper()
	trigger.AppID, trigger.Enabled, trigger.RegisteredByPrincipal = app.ID, true, Tester
	trigger, err := s.CreateTrigger(t.Context(), trigger)
	require.NoError(t, err)
	return trigger
}
