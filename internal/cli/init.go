package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/picloud/picloud/internal/apply"
	"github.com/picloud/picloud/internal/picloud"
	"github.com/picloud/picloud/internal/sandbox/types"
)

// newInit makes the folder of a new app.
func newInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Make the folder of a new app: picloud.yaml, a first script, and the types for the editor",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "."
			if len(args) > 0 {
				folder = args[0]
			}
			if err := initFolder(folder); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "made %s; deploy it: picloud apply %s\n", filepath.Join(folder, apply.ManifestName), folder)
			return nil
		},
	}
}

// initFolder writes the files of a new app. Where one of them is there already it writes none.
func initFolder(folder string) error {
	where, err := filepath.Abs(folder)
	if err != nil {
		return fmt.Errorf("find folder: %w", err)
	}
	files := []struct{ name, text string }{
		{apply.ManifestName, strings.ReplaceAll(firstManifest, "APP", slugOf(filepath.Base(where)))},
		{"hello.ts", firstScript},
		{"tsconfig.json", types.Config()},
		{"picloud.d.ts", types.Declarations()},
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(where, f.name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("make folder: %s is there already", filepath.Join(folder, f.name))
		}
	}
	if err := os.MkdirAll(where, 0o755); err != nil { //nolint:gosec // source code, for whoever works on it
		return fmt.Errorf("make folder: %w", err)
	}
	for _, f := range files {
		file, err := os.OpenFile(filepath.Join(where, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // as above
		if err != nil {
			return fmt.Errorf("make file: %w", err)
		}
		_, err = file.WriteString(f.text)
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write file: %w", err)
		}
	}
	return nil
}

var noSlug = regexp.MustCompile(`[^a-z0-9]+`)

// slugOf makes the slug of an app of a folder's name.
func slugOf(name string) string {
	slug := noSlug.ReplaceAllString(strings.ToLower(name), "-")
	slug = strings.Trim(slug[:min(len(slug), 63)], "-")
	if picloud.CheckName("app", slug) != nil {
		return "app"
	}
	return slug
}

const firstManifest = `# What ` + "`picloud apply`" + ` makes true: one app, its scripts and its triggers.
app: APP

scripts:
  hello:
    source: hello.ts

triggers:
  # POST /run/APP/hello
  - name: hello
    kind: http
    script: hello
    config: { methods: [POST], mode: sync, auth: key }
`

const firstScript = `// Counts its calls by name. Call it: POST /run/<app>/hello {"name": "you"}
export default async function (event: HttpEvent<{ name?: string } | null>, ctx: Context) {
  const name = event.data.body?.name ?? "world";
  const calls = ((await ctx.kv.get<number>("calls", name)) ?? 0) + 1;
  await ctx.kv.set("calls", name, calls);
  console.log("hello", { name, calls });
  return Response.json({ hello: name, calls });
}
`
