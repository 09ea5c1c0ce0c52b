package pgserver

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// oldestMajor is the first PostgreSQL that PiCloud's and Temporal's schemas work on.
const oldestMajor = 14

// fetchable are the versions that can be fetched. An existing cluster keeps its major version; the first is for new ones.
var fetchable = []embeddedpostgres.PostgresVersion{
	embeddedpostgres.V17, embeddedpostgres.V18, embeddedpostgres.V16, embeddedpostgres.V15, embeddedpostgres.V14,
}

// findBinaries returns a folder with initdb and postgres in it: of the major version wanted, any from oldestMajor on when
// wanted is empty. Looked at in this order: PATH, /usr/lib/postgresql/*/bin from the newest, pg_config --bindir, what was
// fetched before; then they are fetched into dir/server.
func findBinaries(ctx context.Context, dir, wanted string, opts Options) (string, error) {
	fetched := filepath.Join(dir, "server")
	var seen []string
	for _, folder := range append(installed(ctx), filepath.Join(fetched, "bin")) {
		major, ok := majorOf(ctx, folder)
		if !ok {
			continue
		}
		if wanted == strconv.Itoa(major) || wanted == "" && major >= oldestMajor {
			return folder, nil
		}
		seen = append(seen, fmt.Sprintf("%d in %s", major, folder))
	}
	log := opts.Log.WithField("installed", strings.Join(seen, ", "))
	log.Info("no fitting PostgreSQL server is installed: fetching one")
	if err := fetch(dir, fetched, wanted, opts); err != nil {
		return "", fmt.Errorf("find PostgreSQL %s (found: %s; install the package postgresql, or give DATABASE_URL): %w",
			wanted, strings.Join(seen, ", "), err)
	}
	return filepath.Join(fetched, "bin"), nil
}

// installed lists the folders in which the machine may have server binaries, each once, links resolved: initdb looks for
// its files relative to where it really is.
func installed(ctx context.Context) []string {
	var folders []string
	add := func(folder string) {
		if binary, err := filepath.EvalSymlinks(filepath.Join(folder, "postgres")); err == nil {
			if folder = filepath.Dir(binary); !slices.Contains(folders, folder) {
				folders = append(folders, folder)
			}
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		add(filepath.Dir(path))
	}
	versioned, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(versioned, func(a, b string) int {
		return number(filepath.Base(filepath.Dir(b))) - number(filepath.Base(filepath.Dir(a)))
	})
	for _, folder := range versioned {
		add(folder)
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		add(strings.TrimSpace(string(out)))
	}
	return folders
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// majorOf asks the server in folder for its version; false when initdb or postgres is missing there or does not run.
func majorOf(ctx context.Context, folder string) (int, bool) {
	if _, err := os.Stat(filepath.Join(folder, "initdb")); err != nil {
		return 0, false
	}
	out, err := exec.CommandContext(ctx, filepath.Join(folder, "postgres"), "--version").Output() //nolint:gosec // G204: a folder that holds server binaries
	if err != nil {
		return 0, false
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return 0, false
	}
	return number(string(match[1])), true
}

// fetch puts a server into target. The library fetches only on the way to starting a server of its own, with which it must
// not get far (as root it could not): its data folder lies below a plain file, so that it fails right after unpacking.
func fetch(dir, target, wanted string, opts Options) error {
	version := fetchable[0]
	if wanted != "" {
		i := slices.IndexFunc(fetchable, func(v embeddedpostgres.PostgresVersion) bool {
			return strings.HasPrefix(string(v), wanted+".")
		})
		if i < 0 {
			return fmt.Errorf("the cluster was made by PostgreSQL %s, which can not be fetched", wanted)
		}
		version = fetchable[i]
	}
	work, err := os.MkdirTemp(dir, "fetch-*")
	if err != nil {
		return fmt.Errorf("make fetch folder: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a leftover is only space
	barrier := filepath.Join(work, "barrier")
	if err := os.WriteFile(barrier, nil, 0o600); err != nil {
		return fmt.Errorf("write fetch barrier: %w", err)
	}
	unpacked := filepath.Join(work, "server")
	config := embeddedpostgres.DefaultConfig().
		Version(version).
		CachePath(work).
		RuntimePath(filepath.Join(work, "runtime")).
		BinariesPath(unpacked).
		DataPath(filepath.Join(barrier, "data")).
		Port(uint32(freePort())).
		StartTimeout(time.Second).
		Logger(io.Discard)
	if opts.FetchURL != "" {
		config = config.BinaryRepositoryURL(opts.FetchURL)
	}
	library := embeddedpostgres.NewDatabase(config)
	startErr := library.Start()
	if startErr == nil {
		_ = library.Stop()
	}
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(unpacked, "bin", name)); err != nil {
			return fmt.Errorf("fetch PostgreSQL %s: %w", version, startErr)
		}
	}
	if err := os.RemoveAll(target); err != nil {
		return fmt.Errorf("remove former fetched server: %w", err)
	}
	if err := os.Rename(unpacked, target); err != nil {
		return fmt.Errorf("put fetched server in place: %w", err)
	}
	// The account that runs the server must reach it, whatever the umask was.
	if err := os.Chmod(target, 0o755); err != nil { //nolint:gosec // programs without secrets, run by another account
		return fmt.Errorf("open fetched server: %w", err)
	}
	return nil
}

// freePort is a free port; 0 when the machine has none, which whoever listens on it will say better.
func freePort() int {
	port, _ := cluster{}.choosePort(0, true)
	return port
}
