//go:build !linux

package pgserver

import "syscall"

// isolated is the process attributes of the server. Only Linux can tie a child's life to its parent's: elsewhere a killed
// PiCloud leaves the server running, and the next start fails until it is stopped by hand.
func isolated(credential *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: credential}
}
