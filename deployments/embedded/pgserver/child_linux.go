package pgserver

import "syscall"

// isolated is the process attributes of the server: an own process group, so that Ctrl-C in the terminal reaches PiCloud
// alone, and a fast shutdown when PiCloud dies without saying so.
func isolated(credential *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT, Credential: credential}
}
