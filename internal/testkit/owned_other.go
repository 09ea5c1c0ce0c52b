//go:build !linux

package testkit

import "syscall"

func ownedProcess() *syscall.SysProcAttr { return nil }
