package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/picloud/picloud/api/client"
	"github.com/picloud/picloud/internal/apply"
)

// newApply deploys a folder to a running instance.
func newApply() *cobra.Command {
	var url, key string
	cmd := &cobra.Command{
		Use:   "apply FOLDER",
		Short: "Make an instance's app, scripts and triggers what FOLDER/picloud.yaml says",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := apply.Read(args[0])
			if err != nil {
				return err
			}
			if key == "" {
				if key, err = localKey(); err != nil {
					return err
				}
			}
			c, err := client.New(url, key)
			if err != nil {
				return err
			}
			return apply.Apply(cmd.Context(), c, m, func(step string) { fmt.Fprintln(cmd.OutOrStdout(), step) })
		},
	}
	cmd.Flags().StringVar(&url, "url", or(os.Getenv("PICLOUD_URL"), "http://127.0.0.1:8080"), "the instance (PICLOUD_URL)")
	cmd.Flags().StringVar(&key, "key", "", "an API key (PICLOUD_KEY; on the instance's own machine its admin key is found by itself)")
	return cmd
}

// localKey finds the key of an instance on this machine.
func localKey() (string, error) {
	if key := or(os.Getenv("PICLOUD_KEY"), os.Getenv("PICLOUD_ADMIN_KEY")); key != "" {
		return key, nil
	}
	folders := []string{"./data", rootDataDir}
	if dir := os.Getenv("PICLOUD_DATA_DIR"); dir != "" {
		folders = []string{dir}
	}
	for _, dir := range folders {
		key, err := os.ReadFile(filepath.Join(dir, "admin-key")) //nolint:gosec // the folder is the one that the operator names
		if err == nil {
			return strings.TrimSpace(string(key)), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("read key: %w", err)
		}
	}
	return "", fmt.Errorf("find a key: set PICLOUD_KEY or --key (there is no admin-key in %s)", strings.Join(folders, " or "))
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
