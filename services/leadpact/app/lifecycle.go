package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"
)

// teardown is what must be undone, last in first out, each step within its own time.
type teardown struct {
	steps  []step
	logger *slog.Logger
}

type step struct {
	name string
	do   func(context.Context) error
}

func (t *teardown) push(name string, do func(context.Context) error) {
	t.steps = append(t.steps, step{name, do})
}

// run undoes everything, also after a step failed or took longer than it may.
func (t *teardown) run(ctx context.Context, each time.Duration) error {
	var errs []error
	for i := len(t.steps) - 1; i >= 0; i-- {
		s := t.steps[i]
		started := time.Now()
		if err := s.within(ctx, each); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
		t.logger.Debug("stopped", "part", s.name, "took", time.Since(started).Round(time.Millisecond))
	}
	t.steps = nil
	return errors.Join(errs...)
}

// tidy gives back what only the start needed, half of a new heap: buffers of migrations, the parser of conditions. A process that has
// little to do would keep it for minutes, until the runtime collects. Twice, for what lies in pools survives once.
func tidy() {
	runtime.GC()
	debug.FreeOSMemory()
}

// within leaves a step behind that does not end although its context did: the process is going, and its supervisor's patience too.
func (s step) within(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.do(ctx) }()
	late := time.NewTimer(most + most/5)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("it was left behind, still at work after %s", most)
	}
}
