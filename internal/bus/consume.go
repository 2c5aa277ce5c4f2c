package bus

import (
	"context"
	"fmt"
	"sync"
)

// Consume feeds h with the events of every producer that role listens to, all partitions side by side, each in its order, until
// ctx ends. Of several replicas that consume for one role, one at a time owns a partition; another takes over within seconds.
// Then it finishes what is being applied, gives the rest back and returns nil; after Close it returns ErrClosed. NATS away, a
// handler that fails, a server that changes its leader: all that passes inside.
//
// Events come at least once; h deduplicates in the transaction that applies them.
func (b *Bus) Consume(ctx context.Context, role string, h Handler) error {
	if takes(role) == nil {
		return fmt.Errorf("bus: consume: no role is called %q", role)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer b.running.Done()
	working, cancel := b.until(ctx)
	defer cancel()

	var owners sync.WaitGroup
	for _, producer := range takes(role) {
		for p := range b.cfg.Partitions {
			o := &owner{
				bus: b, handler: h, role: role, producer: producer, partition: p, gather: gathers(role),
				log:  b.log.With("role", role, "producer", producer, "partition", p),
				wake: make(chan struct{}, 1),
			}
			owners.Go(func() { o.run(working) })
		}
	}
	owners.Wait()
	if ctx.Err() == nil {
		return ErrClosed
	}
	return nil
}
