// Package process measures the program as its users run it: bin/leadpact, embedded, from outside.
package process

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

//go:embed agreement.yaml
var agreement []byte

//go:embed roster.yaml
var roster []byte

// Rows are the measurements of this package.
func Rows() []row.Row {
	return []row.Row{
		{Name: "start", What: "bin/leadpact on an empty folder, until its first lead is a rep's", Run: start},
		{Name: "latency", What: "webhook to committed assignment at a fixed rate, on cores shared with the sender", Run: latency},
		{Name: "memory", What: "resident memory of bin/leadpact with all roles: idle, after a burst, under a backlog", Run: memory},
	}
}

// process is one leadpact on a folder of its own.
type process struct {
	dir        string
	binary     string
	secret     string
	http, grpc string // addresses, once they are known
	cmd        *exec.Cmd
	ended      chan struct{} // closed at the end; then exit and log may be read
	exit       error
	log        *bytes.Buffer
}

// prepare makes a folder with an agreement and people, and starts nothing.
func prepare(e *row.Env, name string) (*process, func() error, error) {
	binary, err := filepath.Abs(e.Leadpact)
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, nil, fmt.Errorf("the program is not built: run make build: %w", err)
	}
	dir, remove, err := e.Folder(name)
	if err != nil {
		return nil, nil, err
	}
	for file, text := range map[string][]byte{"agreement.yaml": agreement, "roster.yaml": roster} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			return nil, nil, errors.Join(err, remove())
		}
	}
	return &process{dir: dir, binary: binary, secret: rand.Text()}, remove, nil
}

// begin starts it as a user does; it is killed with this process.
func (p *process) begin(ctx context.Context) error {
	p.log = &bytes.Buffer{}
	p.cmd = p.command(ctx, "serve", "--agreement", "agreement.yaml", "--roster", "roster.yaml", "--data", "data",
		"--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--log-level", "warn", "--log-format", "json")
	p.cmd.Stderr = p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 20 * time.Second
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.binary, err)
	}
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		p.exit = p.cmd.Wait()
	}()
	return nil
}

// command has nothing of this process's environment that would change what is measured, such as LEADPACT_ or GOMEMLIMIT.
func (p *process) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Dir, cmd.Env = p.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "BENCH_FORM=" + p.secret}
	return cmd
}

// token makes a token for a rep, before the start.
func (p *process) token(ctx context.Context, rep string) (string, error) {
	if err := os.MkdirAll(filepath.Join(p.dir, "data"), 0o700); err != nil {
		return "", err
	}
	out, err := p.command(ctx, "token", "--person", rep, "--tokens", filepath.Join("data", "tokens.json")).Output()
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// stop ends it. One that ended before it was told to, or not well, is an error with what it logged.
func (p *process) stop() error {
	if p.ended == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-p.ended
	if p.exit != nil {
		return fmt.Errorf("leadpact ended with %w: %s", p.exit, tail(p.log.String()))
	}
	return nil
}

// kill ends it at once; its folder is of no more use.
func (p *process) kill() {
	if p.ended == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// addresses waits until the process has bound its doors.
func (p *process) addresses(ctx context.Context) error {
	return p.until(ctx, time.Millisecond, "its addresses", func() (bool, error) {
		text, err := os.ReadFile(filepath.Join(p.dir, "data", "addresses.json"))
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		var a struct {
			HTTP string `json:"http"`
			GRPC string `json:"grpc"`
		}
		if err := json.Unmarshal(text, &a); err != nil {
			return false, fmt.Errorf("read the addresses: %w", err)
		}
		p.http, p.grpc = a.HTTP, a.GRPC
		return true, nil
	})
}

// patience bounds every wait for the process.
const patience = time.Minute

// until looks again and again, until what it waits for is there, the process has ended, or a minute has passed.
func (p *process) until(ctx context.Context, every time.Duration, what string, look func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if there, err := look(); there || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("leadpact ended (%s) while the benchmark waited for %s: %s", p.cmd.ProcessState, what, tail(p.log.String()))
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
}

// rest lets time pass while the process is left alone.
func (p *process) rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-p.ended:
		return fmt.Errorf("leadpact ended (%s) by itself: %s", p.cmd.ProcessState, tail(p.log.String()))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tail is the end of a log, where the reason stands.
func tail(log string) string {
	const most = 2000
	if len(log) > most {
		log = "… " + log[len(log)-most:]
	}
	if log = strings.TrimSpace(log); log == "" {
		return "it logged nothing"
	}
	return log
}
