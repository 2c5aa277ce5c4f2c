package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTeardown undoes in the opposite order, whatever a step does, and leaves behind what does not end.
func TestTeardown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		down := teardown{logger: slog.New(slog.DiscardHandler)}
		add := func(name string, do func(context.Context) error) {
			down.push(name, func(ctx context.Context) error {
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				return do(ctx)
			})
		}
		free := make(chan struct{})
		add("first", func(context.Context) error { return nil })
		add("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		add("deaf", func(context.Context) error { <-free; return nil })
		add("last", func(context.Context) error { return errors.New("a fault") })
		began := time.Now()
		err := down.run(t.Context(), 5*time.Second)
		if want := []string{"last", "deaf", "slow", "first"}; !slices.Equal(order, want) {
			t.Errorf("undone in the order %v, not %v", order, want)
		}
		if took := time.Since(began); took != 11*time.Second {
			t.Errorf("took %s", took)
		}
		for _, want := range []string{"stop last: a fault", "stop deaf: it was left behind", "stop slow: context deadline exceeded"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error lacks %q: %v", want, err)
			}
		}
		if again := down.run(t.Context(), time.Second); again != nil || len(order) != 4 {
			t.Errorf("undone twice: %v, %v", order, again)
		}
		close(free)
	})
}
