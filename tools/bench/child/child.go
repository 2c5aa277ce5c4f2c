// Package child runs parts of the benchmarks as processes of their own, from the same program, so that what is measured shares
// cores with what measures and nothing else; under strace when writes to disk are to be counted or slowed.
package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Disk says what is done to the process's ways of making bytes durable.
type Disk struct {
	// Count counts fsyncs, fdatasyncs and writes to O_SYNC files.
	Count bool
	// Delay is added to each.
	Delay time.Duration
}

// Process is a part that runs.
type Process struct {
	cmd   *exec.Cmd
	out   *bufio.Reader
	in    io.WriteCloser
	said  *tail
	trace string
}

// tail keeps the end of what a part writes to its standard error, to be shown when it fails.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	if t.text = append(t.text, p...); len(t.text) > most {
		t.text = t.text[len(t.text)-most:]
	}
	return len(p), nil
}

// durable are the calls that make bytes durable. A write to an O_SYNC file cannot be told from another by its call; the event log
// makes each such write to a file of its own that it renames right after, and nothing else here renames, so the rename stands
// for it.
const durable = "fsync,fdatasync,rename,renameat,renameat2"

// Start runs "bench part NAME ARGS" with the working folder dir. It is killed with its parent, and when ctx ends.
func Start(ctx context.Context, dir string, disk Disk, before []string, name string, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{}
	command := append(append(append([]string{}, before...), self, "part", name), args...)
	if disk.Count || disk.Delay > 0 {
		p.trace = filepath.Join(dir, "trace")
		traced := []string{"strace", "-f", "-qq", "--seccomp-bpf", "--signal=none", "-e", "trace=" + durable, "-o", p.trace}
		if disk.Delay > 0 {
			traced = append(traced, "-e", fmt.Sprintf("inject=%s:delay_exit=%d", durable, disk.Delay.Microseconds()))
		}
		command = append(traced, command...)
	}
	p.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	p.said = &tail{}
	p.cmd.Dir, p.cmd.Stderr = dir, p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 20 * time.Second
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, fmt.Errorf("%w: install it (Debian: apt-get install strace)", err)
		}
		return nil, err
	}
	return p, nil
}

// Line reads the next line that the part prints.
func (p *Process) Line() (string, error) {
	line, err := p.out.ReadString('\n')
	if err != nil {
		_ = p.cmd.Wait() // why it ended is in its words
		return "", fmt.Errorf("a part of the benchmarks ended before it said what was asked: %w\n%s", err, p.said.text)
	}
	return strings.TrimSpace(line), nil
}

// Say gives the part a line.
func (p *Process) Say(line string) error {
	_, err := io.WriteString(p.in, line+"\n")
	return err
}

// Stop closes the part's standard input, which asks it to end, and waits for it.
func (p *Process) Stop() error {
	_ = p.in.Close() // it may have ended by itself
	_, _ = io.Copy(io.Discard, p.out)
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("a part of the benchmarks: %w\n%s", err, p.said.text)
	}
	return nil
}

// Durable counts what the part and its children made durable until now, in calls.
func (p *Process) Durable() (int, error) {
	f, err := os.Open(p.trace)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// PID NAME(…) = …; a call that another process's interrupts is told in two lines, of which the first has the name first.
		if !strings.Contains(lines.Text(), "resumed>") && strings.Contains(lines.Text(), "(") {
			n++
		}
	}
	return n, lines.Err()
}

// CPU is the processor time that the process has used. It is of the part alone: not for one under strace.
func (p *Process) CPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const user, system, ticks = 11, 12, 100
	if len(fields) <= system {
		return 0, errors.New("the kernel tells no processor time")
	}
	u, err1 := strconv.ParseInt(fields[user], 10, 64)
	s, err2 := strconv.ParseInt(fields[system], 10, 64)
	return time.Duration(u+s) * time.Second / ticks, errors.Join(err1, err2)
}

// Wait returns when the part's standard input ends: whoever started it asks it to end.
func Wait() { _, _ = io.Copy(io.Discard, os.Stdin) }
