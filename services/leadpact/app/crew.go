package app

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// runner is one part that runs until its context ends.
type runner struct {
	name string
	run  func(context.Context) error
}

// crew is parts that run, and stop, together.
type crew struct {
	stop context.CancelFunc
	all  errgroup.Group
}

// start runs parts. One that ends before it was stopped, with an error or without, calls failed: a dead part must not hide behind
// live ones.
func start(ctx context.Context, failed func(), parts []runner) *crew {
	ctx, stop := context.WithCancel(ctx)
	c := &crew{stop: stop}
	for _, p := range parts {
		c.all.Go(func() error {
			err := p.run(ctx)
			switch {
			case ctx.Err() == nil:
				failed()
				if err == nil {
					err = errors.New("it ended although nobody stopped it")
				}
			case errors.Is(err, context.Canceled):
				err = nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			return nil
		})
	}
	return c
}

// end stops the crew and waits for it. The error is that of the part that failed first.
func (c *crew) end(context.Context) error {
	c.stop()
	return c.all.Wait()
}
