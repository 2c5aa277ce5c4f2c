package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// grace is how long a command may take to end after it was told to, before it is killed.
const grace = 10 * time.Second

// runCommand runs the command to its end and returns its exit code, 128 plus the signal's number when a signal ended it,
// as a shell would. When ctx ends, the command's whole process group is told to stop: make and go test do not pass
// SIGTERM on, and test binaries left behind would go on against a server that is gone.
func runCommand(ctx context.Context, command, environment []string) (int, error) {
	child := exec.CommandContext(ctx, command[0], command[1:]...)
	child.Env = environment
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	child.WaitDelay = grace
	child.Cancel = func() error { return syscall.Kill(-child.Process.Pid, syscall.SIGTERM) }
	err := child.Run()
	if child.Process != nil && ctx.Err() != nil {
		// Whoever in the group outlived its leader; ESRCH, nobody, is the usual answer.
		_ = syscall.Kill(-child.Process.Pid, syscall.SIGKILL)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 128 + int(syscall.SIGTERM), fmt.Errorf("%s was stopped before its end", command[0])
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	default:
		return broken, fmt.Errorf("run %s: %w", command[0], err)
	}
}
