package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// embedded is one process with all roles.
type embedded struct {
	o options
	p *process
}

func (e *embedded) start(ctx context.Context) (doors, error) {
	addrs, err := free(2)
	if err != nil {
		return doors{}, err
	}
	binary, err := filepath.Abs(e.o.binary)
	if err != nil {
		return doors{}, err
	}
	e.o.binary = binary
	data := filepath.Join(e.o.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return doors{}, err
	}
	tokens, err := issue(ctx, e.o, filepath.Join(data, "tokens.json"))
	if err != nil {
		return doors{}, err
	}
	e.p = &process{name: "leadpact", dir: e.o.dir, path: binary, ready: "http://" + addrs[0] + "/readyz", args: []string{
		"serve", "--agreement", "agreement.yaml", "--roster", "roster.yaml", "--data", "data", "--http", addrs[0], "--grpc", addrs[1],
	}}
	if err := e.p.start(); err != nil {
		return doors{}, err
	}
	return doors{hooks: addrs[:1], handoff: addrs[1:], tokens: tokens}, e.p.await(ctx, 30*time.Second)
}

func (e *embedded) kill(ctx context.Context, _ *rand.Rand) (string, time.Duration, error) {
	e.p.end(syscall.SIGKILL)
	began := time.Now()
	if err := e.p.start(); err != nil {
		return e.p.name, 0, err
	}
	err := e.p.await(ctx, 30*time.Second)
	return e.p.name, time.Since(began), err
}

func (e *embedded) verify(ctx context.Context, accepted string) error {
	out, err := command(ctx, e.o, "verify", "--data", "data", "--accepted", accepted, "--patience", "60s")
	fmt.Println(out)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

func (e *embedded) stop() {
	if e.p != nil {
		e.p.end(syscall.SIGTERM)
	}
}
