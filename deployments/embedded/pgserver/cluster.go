package pgserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
)

var errPortTaken = errors.New("port is taken")

// cluster is the files of a server. In dir lie, owned by PiCloud: password (0600), port, postgresql.conf and pg_hba.conf
// (written anew at every start; settings of one's own go into custom.conf beside them), lock; and owned by the account
// that runs the server: cluster/, in which the log is.
type cluster struct {
	dir    string
	bin    string
	run    account
	unsafe bool
	log    logrus.FieldLogger
}

func (c cluster) dataDir() string      { return filepath.Join(c.dir, "cluster") }
func (c cluster) passwordFile() string { return filepath.Join(c.dir, "password") }
func (c cluster) portFile() string     { return filepath.Join(c.dir, "port") }

// majorVersion is the PostgreSQL version that the cluster was made with ("15"); empty when there is no cluster yet.
func (c cluster) majorVersion() string {
	content, err := os.ReadFile(filepath.Join(c.dataDir(), "PG_VERSION"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// ensure returns the superuser's password, of a cluster that it makes when there is none. A cluster appears whole or not
// at all: what an interrupted run left is thrown away, a finished cluster never is.
func (c cluster) ensure(ctx context.Context) (password string, err error) {
	if c.majorVersion() != "" {
		content, err := os.ReadFile(c.passwordFile())
		if err != nil {
			return "", fmt.Errorf("read password of the postgres cluster (it was made together with it): %w", err)
		}
		return strings.TrimSpace(string(content)), nil
	}
	if _, err := os.Stat(c.dataDir()); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("make postgres cluster: %s exists and is not a cluster", c.dataDir())
	}
	secret := make([]byte, 24)
	_, _ = rand.Read(secret) // never fails since Go 1.24
	password = hex.EncodeToString(secret)
	if err := os.WriteFile(c.passwordFile(), []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write postgres password: %w", err)
	}
	if err := c.initialise(ctx, password); err != nil {
		return "", err
	}
	return password, nil
}

func (c cluster) initialise(ctx context.Context, password string) error {
	c.log.WithField("binaries", c.bin).Info("making the private postgres cluster")
	draft := c.dataDir() + ".draft"
	if err := os.RemoveAll(draft); err != nil {
		return fmt.Errorf("remove unfinished cluster: %w", err)
	}
	if err := os.Mkdir(draft, 0o700); err != nil {
		return fmt.Errorf("make cluster folder: %w", err)
	}
	if err := c.run.own(draft); err != nil {
		return err
	}
	// initdb reads the password as the account that runs the server, hence a file of that account's, for its time only.
	pwFile, err := os.CreateTemp(c.dir, "initdb-*")
	if err != nil {
		return fmt.Errorf("make password file: %w", err)
	}
	defer os.Remove(pwFile.Name()) //nolint:errcheck // removed on every path, and 0600
	_, err = pwFile.WriteString(password + "\n")
	if err := errors.Join(err, pwFile.Close()); err != nil {
		return fmt.Errorf("write password file: %w", err)
	}
	if err := c.run.own(pwFile.Name()); err != nil {
		return err
	}
	args := []string{
		"--pgdata=" + draft, "--username=" + superuser, "--pwfile=" + pwFile.Name(), "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--data-checksums",
	}
	if c.unsafe {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), args...) //nolint:gosec // G204: the binaries that were found
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dir, environment(), isolated(c.run.credential())
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	runtime.LockOSThread() // the parent-death signal is tied to the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run initdb: %w: %s", err, lastLines(said.String(), 12))
	}
	if err := os.Rename(draft, c.dataDir()); err != nil {
		return fmt.Errorf("put cluster in place: %w", err)
	}
	return nil
}

// serverCommand is the postmaster. Its working folder is the cluster from the start: stopLeftovers knows it by that.
func (c cluster) serverCommand(port int) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, "postgres"), //nolint:gosec // G204: the binaries that were found
		"-D", c.dataDir(),
		"-c", "config_file="+filepath.Join(c.dir, "postgresql.conf"),
		"-c", "hba_file="+filepath.Join(c.dir, "pg_hba.conf"),
		"-c", "port="+strconv.Itoa(port),
	)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dataDir(), environment(), isolated(c.run.credential())
	return cmd
}

// environment is all that the server gets to see of ours, whose variables hold keys.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

// choosePort is the port asked for, else the remembered one while it is free (and not refused), else any free one.
func (c cluster) choosePort(asked int, refused bool) (int, error) {
	if asked != 0 {
		return asked, nil
	}
	if content, err := os.ReadFile(c.portFile()); err == nil && !refused {
		if port, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil && port > 0 {
			if listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
				return port, listener.Close()
			}
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func (c cluster) rememberPort(port int) error {
	if err := os.WriteFile(c.portFile(), []byte(strconv.Itoa(port)+"\n"), 0o644); err != nil { //nolint:gosec // a port is no secret
		return fmt.Errorf("remember postgres port: %w", err)
	}
	return nil
}

// logFile is the file that the server's log collector writes now; empty when it never ran.
func (c cluster) logFile() string {
	content, err := os.ReadFile(filepath.Join(c.dataDir(), "current_logfiles"))
	if err != nil {
		return ""
	}
	_, name, _ := strings.Cut(strings.TrimSpace(string(content)), " ")
	return filepath.Join(c.dataDir(), name)
}

// logMark is a place in the server's log.
type logMark struct {
	file   string
	offset int64
}

func (c cluster) logSize() logMark {
	mark := logMark{file: c.logFile()}
	if info, err := os.Stat(mark.file); err == nil {
		mark.offset = info.Size()
	}
	return mark
}

// logSince is what the server has logged since the mark, at most 64 KiB of it.
func (c cluster) logSince(mark logMark) string {
	path := c.logFile()
	file, err := os.Open(path) //nolint:gosec // G304: below the data folder
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // read only
	if path == mark.file {
		if _, err := file.Seek(mark.offset, io.SeekStart); err != nil {
			return ""
		}
	}
	content, _ := io.ReadAll(io.LimitReader(file, 64<<10))
	return string(content)
}

func portTaken(said string) bool {
	return strings.Contains(said, "Address already in use") || strings.Contains(said, "could not create any TCP/IP sockets")
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
