// Package clocks measures the promises that run: how soon after its due time a breach is committed, what a storm of them does to
// others, and how fast a restart knows them all. All of it goes through the product's timer, handoff service and stores.
package clocks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

// Rows are the rows of this package.
func Rows() []row.Row {
	return []row.Row{{
		Name: "clocks", What: "clocks: how late a breach is, a storm of them, a restart with a million", Postgres: true, Run: run,
	}}
}

// sizes of one run.
type sizes struct {
	open     int           // clocks that run and do not fall due
	rate     int           // due a second
	alone    time.Duration // how long they fall due where nothing is compared
	paired   time.Duration // how long each side of a pair takes
	pairs    int
	storm    int           // due in one second
	calm     time.Duration // of other work before the storm
	reassign int           // due in one second, with another rep for each
}

func sizesOf(e *row.Env) sizes {
	return row.Of(e,
		sizes{open: 1_000_000, rate: 1000, alone: 20 * time.Second, paired: 6 * time.Second, pairs: 5, storm: 100_000, calm: 8 * time.Second, reassign: 5000},
		sizes{open: 2000, rate: 100, alone: time.Second, paired: time.Second, pairs: 1, storm: 500, calm: time.Second, reassign: 20})
}

func run(ctx context.Context, e *row.Env) (lines []row.Line, err error) {
	size := sizesOf(e)
	e.Plan(2*5 + 2*size.pairs - 1)
	for _, open := range []func(context.Context, *row.Env) (*stand, error){onSQLite, onPostgres} {
		more, err := onEngine(ctx, e, size, open)
		lines = append(lines, more...)
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// onEngine measures everything on one store, which is filled once.
func onEngine(ctx context.Context, e *row.Env, size sizes, open func(context.Context, *row.Env) (*stand, error)) (lines []row.Line, err error) {
	s, err := open(ctx, e)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	began := time.Now()
	if err := s.fill(ctx, size.open); err != nil {
		return nil, err
	}
	e.Say("%s: %d open clocks written in %s", s.name, size.open, time.Since(began).Round(time.Second))
	e.Step()
	for _, part := range []func(context.Context, *row.Env, sizes, *stand) ([]row.Line, error){restart, late, storm, reassign} {
		more, err := part(ctx, e, size, s)
		lines = append(lines, more...)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return lines, nil
}
