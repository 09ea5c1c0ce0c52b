package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/secrets"
	"github.com/picloud/picloud/internal/store"
	"github.com/picloud/picloud/internal/testkit"
)

// sealed gives a store with a key of its own, and where that is kept.
func sealed(t *testing.T) (*store.Store, *secrets.Keyring, string) {
	t.Helper()
	url := testkit.Database(t)
	keys, err := secrets.Open(secrets.Source{DataDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, keys.Create())
	return testkit.StoreAt(t, url, func(o *store.Options) { o.Sealer = keys }), keys, url
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	s, _, url := sealed(t)
	app, other := testkit.App(t, s, "shop"), testkit.App(t, s, "other")
	created, err := s.PutSecret(t.Context(), app.ID, "KEY", "plain-text-of-key")
	require.NoError(t, err)
	require.True(t, created)
	created, err = s.PutSecret(t.Context(), app.ID, "KEY", "plain-text-of-key-2")
	require.NoError(t, err)
	require.False(t, created)
	value, err := s.SecretValue(t.Context(), app.ID, "KEY")
	require.NoError(t, err)
	require.Equal(t, "plain-text-of-key-2", value)
	_, err = s.SecretValue(t.Context(), other.ID, "KEY")
	require.Equal(t, "secret_not_found", picloud.ErrorCode(err), "of its app alone")
	list, err := s.ListSecrets(t.Context(), app.ID, picloud.Page{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	require.Equal(t, "KEY", list.Items[0].Name)
	require.True(t, list.Items[0].UpdatedAt.After(list.Items[0].CreatedAt))

	// A row that somebody moves by hand does not open elsewhere.
	db, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer db.Close(t.Context()) //nolint:errcheck // the end
	var row string
	require.NoError(t, db.QueryRow(t.Context(), "SELECT s::text || encode(sealed, 'escape') FROM secrets s").Scan(&row))
	require.NotContains(t, row, "plain-text")
	_, err = db.Exec(t.Context(), "INSERT INTO secrets SELECT $1, name, sealed, key_id FROM secrets", other.ID)
	require.NoError(t, err)
	_, err = s.SecretValue(t.Context(), other.ID, "KEY")
	require.ErrorIs(t, err, picloud.ErrWrongKey)

	require.NoError(t, s.DeleteSecret(t.Context(), app.ID, "KEY"))
	require.Equal(t, "secret_not_found", picloud.ErrorCode(s.DeleteSecret(t.Context(), app.ID, "KEY")))
	_, err = s.PutSecret(t.Context(), "0190c2a0-0000-7000-8000-000000000000", "KEY", "x")
	require.Equal(t, "app_not_found", picloud.ErrorCode(err))
}

func TestSecretsOfAnAppHaveABound(t *testing.T) {
	t.Parallel()
	s, _, _ := sealed(t)
	app := testkit.App(t, s, "shop")
	for i := range picloud.MaxSecrets {
		_, err := s.PutSecret(t.Context(), app.ID, fmt.Sprintf("KEY_%03d", i), "value")
		require.NoError(t, err)
	}
	_, err := s.PutSecret(t.Context(), app.ID, "ONE_MORE", "value")
	require.Equal(t, "secrets_full", picloud.ErrorCode(err))
	_, err = s.PutSecret(t.Context(), app.ID, "KEY_000", "another value")
	require.NoError(t, err, "what is there may be changed")
	list, err := s.ListSecrets(t.Context(), app.ID, picloud.Page{Limit: 60, Cursor: "KEY_039"})
	require.NoError(t, err)
	require.Len(t, list.Items, 60)
	require.Equal(t, "KEY_099", list.Items[59].Name)
	require.Empty(t, list.Next)
}

func TestRotationOfTheInstanceKey(t *testing.T) {
	t.Parallel()
	s, keys, url := sealed(t)
	app := testkit.App(t, s, "shop")
	// A second process that read the key before the rotation.
	serving, err := secrets.Open(keys.Source())
	require.NoError(t, err)
	running := testkit.StoreAt(t, url, func(o *store.Options) { o.Sealer = serving })
	for i := range 7 {
		_, err := s.PutSecret(t.Context(), app.ID, fmt.Sprintf("KEY_%d", i), strings.Repeat("x", i+1))
		require.NoError(t, err)
	}
	require.NoError(t, keys.Rotate())
	require.NoError(t, s.AdoptInstanceKey(t.Context()))
	n, err := s.ResealSecrets(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, 3, n)

	// Broken off here. Both processes go on, the running one with the new key as soon as it writes.
	_, err = running.PutSecret(t.Context(), app.ID, "KEY_6", "new")
	require.NoError(t, err)
	require.Equal(t, keys.KeyID(), serving.KeyID())
	again, err := secrets.Open(keys.Source())
	require.NoError(t, err)
	s = testkit.StoreAt(t, url, func(o *store.Options) { o.Sealer = again })
	require.NoError(t, again.Rotate())
	require.Equal(t, keys.KeyID(), again.KeyID(), "the same rotation")
	for n = 1; n > 0; {
		n, err = s.ResealSecrets(t.Context(), 2)
		require.NoError(t, err)
	}
	require.NoError(t, again.DropOld())

	for _, process := range []*store.Store{s, running, testkit.StoreAt(t, url, func(o *store.Options) { o.Sealer = again })} {
		for i := range 7 {
			value, err := process.SecretValue(t.Context(), app.ID, fmt.Sprintf("KEY_%d", i))
			require.NoError(t, err)
			if i < 6 {
				require.Equal(t, strings.Repeat("x", i+1), value)
			} else {
				require.Equal(t, "new", value)
			}
		}
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	s, _, _ := sealed(t)
	has, err := s.HasInstanceKey(t.Context())
	require.NoError(t, err)
	require.True(t, has)
	_, _, url := sealed(t)
	other, err := secrets.Open(secrets.Source{DataDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, other.Create())
	wrong, err := store.Open(t.Context(), url, store.Options{Sealer: other, Log: testkit.SilentLog()})
	require.NoError(t, err)
	defer wrong.Close()
	require.ErrorIs(t, wrong.AdoptInstanceKey(t.Context()), picloud.ErrWrongKey)
}
