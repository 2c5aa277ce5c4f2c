package clocks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/timer"
	"github.com/leadpact/leadpact/services/handoff"
	"github.com/leadpact/leadpact/tools/bench/work"
)

// shards is what the product cuts clocks into, and partitions what its stream has when it runs embedded.
const (
	shards     = 8
	partitions = 1
)

// stand is a handoff store that can be filled in bulk, and what its rows refer to.
type stand struct {
	name  string
	url   string // of the database; "" on SQLite
	store *observed
	// stage replaces what stands in the table filling.
	stage func(ctx context.Context, rows []filling) error
	// execute runs statements past the store.
	execute func(ctx context.Context, statements ...statement) error
	// tidied brings the database's own order into what was filled in bulk, and onDisk all of it to disk: what the product waits for
	// is its own work.
	tidied, onDisk func(ctx context.Context) error
	closers        []func() error

	notify, reassignment *agreement.Agreement
	roster               []byte
	made                 int // leads so far
	open                 int // of them those whose clocks are far off
}

// statement is one with its parameters $1, $2, …
type statement struct {
	sql  string
	args []any
}

// agree stores what every row refers to: two agreements that differ in what a breach brings.
func (s *stand) agree(ctx context.Context) (err error) {
	shape := work.Ordinary()
	// One place where people are told, so that a breach queues a notice. Nobody delivers here.
	s.roster = append(shape.Roster(), "notices:\n  team: {url: https://notices.example/leadpact, secret: env:LEADPACT_BENCH_SECRET}\n"...)
	for _, v := range []struct {
		breach string
		into   **agreement.Agreement
	}{{"notify", &s.notify}, {"reassign", &s.reassignment}} {
		shape.Breach = v.breach
		a, err := shape.Parse()
		if err != nil {
			return err
		}
		if err := s.store.SaveAgreement(ctx, store.AgreementRow{Hash: a.Hash, ActiveFrom: time.Unix(0, 0), Text: shape.Agreement(), Actor: "bench"}); err != nil {
			return err
		}
		*v.into = a
	}
	return nil
}

func (s *stand) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// running is the product's part that fires clocks, at work: timer, service and a relay that empties the outbox into nothing.
type running struct {
	*handoff.Service
	timer *timer.Timer
	stop  func() error
}

// start runs it; change may alter the timer's configuration.
func (s *stand) start(ctx context.Context, change func(*timer.Config)) (*running, error) {
	kick := make(chan struct{}, 1)
	r := &running{}
	log := slog.New(slog.DiscardHandler)
	var err error
	r.Service, err = handoff.New(handoff.Config{
		Store: s.store, Partitions: partitions, Shards: shards, Registerer: prometheus.NewRegistry(), Log: log,
		Arm: func(shard int, wakes ...store.Wake) { r.timer.Arm(shard, wakes...) },
		Queued: func() {
			select {
			case kick <- struct{}{}:
			default: // it is awake
			}
		},
		Secret: func(string) (string, error) { return work.Secret, nil },
	})
	if err != nil {
		return nil, err
	}
	if _, err := r.TakeRoster(ctx, s.roster, "bench"); err != nil {
		return nil, err
	}
	config := timer.Config{
		Name: "clocks", Shards: shards, Owner: fmt.Sprint("bench-", time.Now().UnixNano()), Store: s.store, Fire: r.FireClocks, Logger: log,
	}
	if change != nil {
		change(&config)
	}
	if r.timer, err = timer.New(config); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	var relayed error
	workers.Go(func() { _ = r.timer.Run(ctx) }) // it returns nil always
	workers.Go(func() { relayed = s.drain(ctx, kick) })
	r.stop = func() error {
		cancel()
		workers.Wait()
		return relayed
	}
	return r, nil
}

// drain relays the outbox as the product does, to nobody.
func (s *stand) drain(ctx context.Context, kick <-chan struct{}) error {
	const limit = 256
	for {
		n, err := s.store.Relay(ctx, limit, func(context.Context, []store.Message) error { return nil })
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it ends with ctx
		case err != nil:
			return fmt.Errorf("empty the outbox: %w", err)
		case n == limit:
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-kick:
		}
	}
}
