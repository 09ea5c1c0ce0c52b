package secrets_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/secrets"
)

func newRing(t *testing.T) (*secrets.Keyring, secrets.Source) {
	t.Helper()
	source := secrets.Source{DataDir: t.TempDir()}
	k, err := secrets.Open(source)
	require.NoError(t, err)
	require.False(t, k.Exists())
	require.NoError(t, k.Create())
	require.True(t, k.Exists())
	return k, source
}

func open(t *testing.T, source secrets.Source) *secrets.Keyring {
	t.Helper()
	k, err := secrets.Open(source)
	require.NoError(t, err)
	return k
}

func TestKeyIsKeptForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	k, source := newRing(t)
	path := filepath.Join(source.DataDir, secrets.FileName)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	sealed, err := k.Seal("app", "NAME", []byte("value"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "value")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, same := range []secrets.Source{source, {File: path}, {Text: string(text)}} {
		value, err := open(t, same).Open("app", "NAME", sealed)
		require.NoError(t, err, same)
		require.Equal(t, "value", string(value))
	}
}

func TestSealedValuesCannotBeSwapped(t *testing.T) {
	t.Parallel()
	k, _ := newRing(t)
	sealed, err := k.Seal("app", "NAME", []byte("value"))
	require.NoError(t, err)
	again, err := k.Seal("app", "NAME", []byte("value"))
	require.NoError(t, err)
	require.NotEqual(t, sealed, again)
	for _, where := range [][2]string{{"other", "NAME"}, {"app", "OTHER"}, {"appN", "AME"}, {"", "NAME"}} {
		_, err := k.Open(where[0], where[1], sealed)
		require.ErrorIs(t, err, picloud.ErrWrongKey)
	}
	sealed[len(sealed)-1] ^= 1
	_, err = k.Open("app", "NAME", sealed)
	require.ErrorIs(t, err, picloud.ErrWrongKey)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	k, source := newRing(t)
	other := open(t, source) // of a second process
	before, err := k.Seal("app", "NAME", []byte("value"))
	require.NoError(t, err)
	first := k.KeyID()

	require.NoError(t, k.Rotate())
	second := k.KeyID()
	require.NotEqual(t, first, second)
	require.NoError(t, k.Rotate(), "an unfinished rotation goes on")
	require.Equal(t, second, k.KeyID())
	require.Equal(t, first, other.KeyID())
	after, err := k.Seal("app", "NAME", []byte("value"))
	require.NoError(t, err)
	for _, ring := range []*secrets.Keyring{k, open(t, source), other} { // other reads the file again by itself
		for _, sealed := range [][]byte{before, after} {
			value, err := ring.Open("app", "NAME", sealed)
			require.NoError(t, err)
			require.Equal(t, "value", string(value))
		}
	}
	require.Equal(t, second, other.KeyID())

	require.NoError(t, k.DropOld())
	_, err = k.Open("app", "NAME", before)
	require.ErrorIs(t, err, picloud.ErrWrongKey)
	_, err = open(t, source).Open("app", "NAME", after)
	require.NoError(t, err)
	left, err := os.ReadDir(source.DataDir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file stays")
}

func TestWhatIsNoKeyIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": " \n", "no base64": "not a key!", "no keyset": "aGVsbG8="} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := secrets.Open(secrets.Source{File: path})
		require.ErrorContains(t, err, path)
		require.NotContains(t, err.Error(), "aGVsbG8")
	}
	_, err := secrets.Open(secrets.Source{Text: "aGVsbG8="})
	require.ErrorContains(t, err, "PICLOUD_INSTANCE_KEY: it is no instance key")

	k, err := secrets.Open(secrets.Source{File: filepath.Join(dir, "missing")})
	require.NoError(t, err)
	require.False(t, k.Exists())
	_, err = k.Seal("app", "NAME", nil)
	require.Error(t, err)
}

func TestKeyOfTheEnvironmentIsNotChanged(t *testing.T) {
	t.Parallel()
	_, source := newRing(t)
	text, err := os.ReadFile(filepath.Join(source.DataDir, secrets.FileName))
	require.NoError(t, err)
	require.ErrorContains(t, open(t, secrets.Source{Text: string(text)}).Rotate(), "PICLOUD_INSTANCE_KEY_FILE")
}

func TestProcessesThatStartAtOnceAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	source := secrets.Source{DataDir: t.TempDir()}
	rings := make([]*secrets.Keyring, 8)
	var all sync.WaitGroup
	for i := range rings {
		rings[i] = open(t, source)
		all.Go(func() { _ = rings[i].Create() })
	}
	all.Wait()
	for _, k := range rings {
		require.NotZero(t, k.KeyID())
		require.Equal(t, rings[0].KeyID(), k.KeyID())
	}
}
