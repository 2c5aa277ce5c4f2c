package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

type handoff struct{ *engine }

type handoffTx struct{ *tx }

// OpenHandoff opens handoff's store at path, and makes the file when there is none.
func OpenHandoff(ctx context.Context, path string, o Options) (store.Handoff, error) {
	e, err := open(ctx, path, "handoff", o)
	if err != nil {
		return nil, err
	}
	return handoff{e}, nil
}

// Update runs f in one transaction.
func (h handoff) Update(ctx context.Context, f func(ctx context.Context, tx store.HandoffTx) error) error {
	return h.update(ctx, func(ctx context.Context, t *tx) error { return f(ctx, handoffTx{t}) })
}
