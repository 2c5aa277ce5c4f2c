package main

import "syscall"

// attributes start a program as the account, in a process group of its own, so that Ctrl-C in the terminal reaches the
// server through testpg alone and in order; and have the kernel stop it should testpg be killed.
func attributes(owner account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner.credential, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}
