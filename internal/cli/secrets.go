package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/picloud/picloud/deployments/embedded/pgserver"
	"github.com/picloud/picloud/internal/config"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/secrets"
	"github.com/picloud/picloud/internal/store"
)

// resealBatch is how many secrets are sealed anew in one transaction.
const resealBatch = 100

func newSecrets() *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "Look after the key that seals the secrets"}
	cmd.AddCommand(&cobra.Command{
		Use:   "rotate",
		Short: "Make a new instance key, seal every secret with it, and drop the old one",
		Long: "Makes a new instance key, seals every secret with it, and drops the old one. It works on the database that picloud up with the same environment uses, while that\n" +
			"runs or not; nothing else has to be restarted. Broken off, it goes on where it was when it is run again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Read()
			if err != nil {
				return err
			}
			log, err := newLog(c, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return rotateSecrets(cmd.Context(), c, cmd.OutOrStdout(), log)
		},
	})
	return cmd
}

// rotateSecrets rotates the instance's key. Every step may be repeated: the new key is in its file before it seals, and the old one leaves it last.
func rotateSecrets(ctx context.Context, c config.Config, out io.Writer, log logrus.FieldLogger) (err error) {
	i := &instance{config: c, log: log, fatal: make(chan error, 1)}
	if err := i.chooseDataDir(); err != nil {
		return err
	}
	keys, err := secrets.Open(keySource(i.config))
	if err != nil {
		return err
	}
	if !keys.Exists() {
		return missingKey(keys)
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, i.stop(stopCtx))
	}()
	url, err := i.databaseOfRotation(ctx)
	if err != nil {
		return err
	}
	data, err := store.Open(ctx, url, store.Options{MaxConnections: 4, Sealer: keys, Log: log})
	if err != nil {
		return err
	}
	defer data.Close()
	return data.RotateInstanceKey(ctx, func() error {
		if err := adopt(ctx, data, keys); err != nil { // the right key, before anything is changed
			return err
		}
		old := keys.KeyID()
		if err := keys.Rotate(); err != nil {
			return err
		}
		if err := adopt(ctx, data, keys); err != nil {
			return err
		}
		total := 0
		for {
			n, err := data.ResealSecrets(ctx, resealBatch)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			total += n
		}
		if err := keys.DropOld(); err != nil {
			return err
		}
		e := picloud.AuditEntry{Action: "rotateInstanceKey", Outcome: picloud.AuditDone}
		err := data.AppendAudit(ctx, e.Of("instance_key", strconv.FormatUint(uint64(keys.KeyID()), 10), map[string]any{"key_id": old}, map[string]any{"key_id": keys.KeyID(), "sealed_anew": total}))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "sealed %d secrets with the new key %d in %s; the old key is gone\n", total, keys.KeyID(), keys.Source())
		return err //nolint:wrapcheck // of the standard output
	})
}

// databaseOfRotation gives the URL of the instance's database: it has a password in it. The private PostgreSQL is started where it does not run.
func (i *instance) databaseOfRotation(ctx context.Context) (string, error) {
	if i.config.DatabaseURL == "" {
		if url, ok := pgserver.Running(ctx, filepath.Join(i.config.DataDir, "postgres"), "picloud"); ok {
			return url, nil
		}
	}
	d, err := i.startPostgres(ctx)
	return d.owner, err
}
