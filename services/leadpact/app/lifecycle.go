package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
		ctx, cancel := context.WithTimeout(ctx, each)
		started := time.Now()
		if err := s.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
		cancel()
		t.logger.Debug("stopped", "part", s.name, "took", time.Since(started).Round(time.Millisecond))
	}
	t.steps = nil
	return errors.Join(errs...)
}
