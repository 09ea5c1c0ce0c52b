package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/picloud/picloud/internal/config"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/secrets"
	"github.com/picloud/picloud/internal/store"
)

// keySource says where the instance's key is kept.
func keySource(c config.Config) secrets.Source {
	return secrets.Source{DataDir: c.DataDir, File: c.InstanceKeyFile, Text: c.InstanceKey}
}

// adoptInstanceKey makes the key of a new instance, and sees that it is the one that the database was used with: better no start than secrets that do not open.
func (i *instance) adoptInstanceKey(ctx context.Context, data *store.Store, keys *secrets.Keyring) error {
	if !keys.Exists() {
		used, err := data.HasInstanceKey(ctx)
		if err != nil {
			return err
		}
		if used {
			return missingKey(keys)
		}
		if err := keys.Create(); err != nil {
			return err
		}
		if i.config.DatabaseURL != "" {
			i.log.Warnf("made the instance's key, %s: the secrets in DATABASE_URL open with this file alone. Keep it with the database's backups, and give every node the same (PICLOUD_INSTANCE_KEY_FILE)", keys.Source())
		}
	}
	return adopt(ctx, data, keys)
}

// awaitInstanceKey sees that this process has the key that the manager has adopted.
func (i *instance) awaitInstanceKey(ctx context.Context, data *store.Store, keys *secrets.Keyring) error {
	if err := i.awaitManager(ctx, "to adopt the instance's key", data.HasInstanceKey); err != nil {
		return err
	}
	if err := keys.Reload(); errors.Is(err, fs.ErrNotExist) { // the manager may have made it since it was looked for
		return missingKey(keys)
	} else if err != nil {
		return err
	}
	return adopt(ctx, data, keys)
}

func adopt(ctx context.Context, data *store.Store, keys *secrets.Keyring) error {
	err := data.AdoptInstanceKey(ctx)
	if errors.Is(err, picloud.ErrWrongKey) {
		return fmt.Errorf("the key in %s is not the one that this database's secrets are sealed with: put the right one there, or name it by PICLOUD_INSTANCE_KEY_FILE or PICLOUD_INSTANCE_KEY: %w",
			keys.Source(), err)
	}
	return err
}

func missingKey(keys *secrets.Keyring) error {
	return fmt.Errorf("the instance's key is missing: this database's secrets are sealed with one, and there is none in %s. Put the file there that the first start made, or name it by PICLOUD_INSTANCE_KEY_FILE or PICLOUD_INSTANCE_KEY",
		keys.Source())
}
