package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// process is one program that chaos starts, kills and starts again with the same arguments.
type process struct {
	name  string
	dir   string
	path  string
	args  []string
	ready string // URL that answers 200 when it is
	cmd   *exec.Cmd
}

// start starts it; its output is appended to a file of its own.
func (p *process) start() error {
	log, err := os.OpenFile(filepath.Join(p.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(p.path, p.args...) //nolint:noctx // it is ended by signals of our choice
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.dir, environment(), log, log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	return nil
}

// await waits until it is ready.
func (p *process) await(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	client := &http.Client{Timeout: 3 * time.Second}
	defer client.CloseIdleConnections()
	last := "no answer"
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ready, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			last = resp.Status
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if wait(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return fmt.Errorf("%s was not ready within %s (%s); its log is in %s", p.name, within, last, p.dir)
		}
	}
}

// end ends it with a signal and reaps it.
func (p *process) end(sig os.Signal) {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(sig) // it may have ended by itself
	_ = p.cmd.Wait()              // so it ended; how is not asked
	p.cmd = nil
}

// command runs leadpact to its end and returns what it printed.
func command(ctx context.Context, o options, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, o.binary, args...)
	cmd.Dir, cmd.Env, cmd.Stderr = o.dir, environment(), os.Stderr
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// issue makes tokens for the reps who answer.
func issue(ctx context.Context, o options, file string) (map[string]string, error) {
	tokens := map[string]string{}
	for _, rep := range answering {
		token, err := command(ctx, o, "token", "--person", rep, "--role", "rep", "--tokens", file)
		if err != nil {
			return nil, fmt.Errorf("make a token: %w", err)
		}
		tokens[rep] = token
	}
	return tokens, nil
}

// free finds n free addresses on loopback.
func free(n int) ([]string, error) {
	var out []string
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once or not at all
		if err != nil {
			return nil, errors.Join(errors.New("no free address"), err)
		}
		held = append(held, l)
		out = append(out, l.Addr().String())
	}
	return out, nil
}
