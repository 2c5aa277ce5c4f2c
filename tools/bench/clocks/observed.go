package clocks

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
)

// observed is a store that notes when each breach was committed: the moment at which Update returned.
type observed struct {
	store.Handoff
	mu    sync.Mutex
	notes []note
}

// note is one breach that was committed.
type note struct {
	due, recorded, at time.Time
	shard             int
}

func (n note) late() time.Duration { return n.at.Sub(n.due) }

// Update notes the breaches of a transaction that was committed.
func (o *observed) Update(ctx context.Context, f func(ctx context.Context, tx store.HandoffTx) error) error {
	var breaches []store.Breach
	err := o.Handoff.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
		breaches = nil // the transaction may be tried again
		return f(ctx, noting{tx, &breaches})
	})
	at := time.Now()
	if err != nil || len(breaches) == 0 {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range breaches {
		o.notes = append(o.notes, note{b.DueAt, b.RecordedAt, at, event.Partition(b.Lead, shards)})
	}
	return nil
}

type noting struct {
	store.HandoffTx
	breaches *[]store.Breach
}

func (n noting) InsertBreaches(ctx context.Context, rows []store.Breach) error {
	*n.breaches = append(*n.breaches, rows...)
	return n.HandoffTx.InsertBreaches(ctx, rows)
}

func (n noting) SaveFired(ctx context.Context, fired store.Fired) error {
	*n.breaches = append(*n.breaches, fired.Breaches...)
	return n.HandoffTx.SaveFired(ctx, fired)
}

// take waits until n breaches were committed and returns them in the order of their commits.
func (o *observed) take(ctx context.Context, n int, patience time.Duration) ([]note, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		o.mu.Lock()
		if len(o.notes) >= n {
			notes := o.notes
			o.notes = nil
			o.mu.Unlock()
			return notes, nil
		}
		have := len(o.notes)
		o.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, missing{have, n, patience}
		case <-tick.C:
		}
	}
}

// missing says that breaches did not come.
type missing struct {
	have, want int
	patience   time.Duration
}

func (m missing) Error() string {
	return fmt.Sprintf("%d of %d breaches were committed within %s", m.have, m.want, m.patience)
}
