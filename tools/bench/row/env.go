package row

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
)

// Env is what a row has at hand.
type Env struct {
	// Dir is an empty folder of the row's own, on a real disk, removed afterwards.
	Dir string
	// Quick asks for the smallest run that still takes every path: it proves that the benchmarks work and nothing about speed.
	Quick bool
	// Server is the URL of a PostgreSQL server where databases may be created; "" when there is none.
	Server string
	// Leadpact is the program, for rows that measure it from outside.
	Leadpact string
	// Testpg is the program that runs a command beside a PostgreSQL of its own; "" when there is none.
	Testpg string
	// Plan and Done tell the progress bar how many steps the row has, and that one is over.
	Plan func(steps int)
	Done func()
	// Say shows a line beside the bar.
	Say func(format string, args ...any)
}

// Step is one step of the plan done.
func (e *Env) Step() { e.Done() }

// Of is full, or small in a quick run.
func Of[T any](e *Env, full, small T) T {
	if e.Quick {
		return small
	}
	return full
}

// Database creates an empty database and returns its URL and how to drop it.
func (e *Env) Database(ctx context.Context) (string, func() error, error) {
	if e.Server == "" {
		return "", nil, errors.New("no PostgreSQL: run make bench, or set LEADPACT_TEST_POSTGRES to the URL of a server where databases may be created")
	}
	u, err := url.Parse(e.Server)
	if err != nil {
		return "", nil, errors.New("LEADPACT_TEST_POSTGRES is no URL such as postgres://user:password@127.0.0.1:5432/postgres")
	}
	name := "bench_" + rand.Text()
	if err := e.execute(ctx, `CREATE DATABASE "`+name+`" TEMPLATE template0`); err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), func() error {
		return e.execute(context.WithoutCancel(ctx), `DROP DATABASE IF EXISTS "`+name+`" WITH (FORCE)`)
	}, nil
}

func (e *Env) execute(ctx context.Context, statement string) error {
	c, err := pgx.Connect(ctx, e.Server)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	_, err = c.Exec(ctx, statement)
	return errors.Join(err, c.Close(ctx))
}

// Folder makes an empty folder under Dir and returns it with how to remove it.
func (e *Env) Folder(name string) (string, func() error, error) {
	dir, err := os.MkdirTemp(e.Dir, name+"-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}
