package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/sirupsen/logrus"
)

// account is the user that the server runs as. PostgreSQL refuses to run as root.
type account struct {
	name     string
	uid, gid uint32
	groups   []uint32
	// other says that it is not the user of this process: folders need opening and files a new owner.
	other bool
}

// pickAccount is the current user, or for root an unprivileged one: postgres where the machine has it, else nobody.
func pickAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		a := account{name: name, uid: uint32(uid), gid: uint32(gid), other: true}
		ids, err := u.GroupIds()
		if err != nil {
			return account{}, fmt.Errorf("look up groups of %s: %w", name, err)
		}
		for _, id := range ids {
			if n, err := strconv.ParseUint(id, 10, 32); err == nil {
				a.groups = append(a.groups, uint32(n))
			}
		}
		return a, nil
	}
	return account{}, errors.New("find a user for postgres: root may not run it, and neither the user postgres nor nobody exists")
}

// credential is what a process of this account is started with; nil where it is the current user.
func (a account) credential() *syscall.Credential {
	if !a.other {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}
}

// own gives path to the account.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	if err := os.Chown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("give %s to user %s: %w", path, a.name, err)
	}
	return nil
}

// prepareFolder makes dir and sees to it that the account can reach what is inside. For another user dir itself becomes
// 0711, and so does the folder around it when it is ours (PiCloud's data folder, which may well be 0700) and nobody's
// home: it can then be passed through, not listed. Folders further up are never touched: the error names the first that bars the way.
func (a account) prepareFolder(dir string, log logrus.FieldLogger) error {
	mode := os.FileMode(0o700)
	if a.other {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("make postgres folder: %w", err)
	}
	if !a.other {
		return nil
	}
	if err := os.Chmod(dir, mode); err != nil {
		return fmt.Errorf("open postgres folder: %w", err)
	}
	parent := filepath.Dir(dir)
	for folder := parent; ; folder = filepath.Dir(folder) {
		passable, info, err := a.passable(folder)
		if err != nil {
			return err
		}
		if !passable {
			if folder != parent || !isOurs(info) || isHome(folder) {
				return fmt.Errorf("reach postgres folder %s: user %s, who runs postgres because root may not, cannot pass through %s (mode %04o): "+
					"allow it with chmod o+x, or choose a data folder elsewhere, such as /var/lib/picloud", dir, a.name, folder, info.Mode().Perm())
			}
			if err := os.Chmod(folder, info.Mode().Perm()|0o011); err != nil {
				return fmt.Errorf("open data folder: %w", err)
			}
			log.WithField("folder", folder).Info("opened the data folder for passing through, so that postgres reaches its own folder in it")
		}
		if folder == filepath.Dir(folder) {
			return nil
		}
	}
}

// Barrier gives the first folder above dataDir that the account which runs the server cannot pass through; "" when there is none. Only root's server runs
// as another account.
func Barrier(dataDir string) (string, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("resolve data folder: %w", err)
	}
	a, err := pickAccount()
	if err != nil || !a.other {
		return "", err
	}
	for folder := filepath.Dir(dir); ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(folder); err == nil {
			passable, _, err := a.passable(folder)
			if err != nil {
				return "", err
			}
			if !passable {
				return folder, nil
			}
		}
		if folder == filepath.Dir(folder) {
			return "", nil
		}
	}
}

// passable says whether the account may pass through folder.
func (a account) passable(folder string) (bool, fs.FileInfo, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return false, nil, fmt.Errorf("look at folder: %w", err)
	}
	perm := info.Mode().Perm()
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return perm&0o001 != 0, info, nil
	case stat.Uid == a.uid:
		return perm&0o100 != 0, info, nil
	case stat.Gid == a.gid || slices.Contains(a.groups, stat.Gid):
		return perm&0o010 != 0, info, nil
	default:
		return perm&0o001 != 0, info, nil
	}
}

func isOurs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

func isHome(folder string) bool {
	if home, err := os.UserHomeDir(); err == nil && filepath.Clean(home) == folder {
		return true
	}
	u, err := user.Current()
	return err == nil && filepath.Clean(u.HomeDir) == folder
}
