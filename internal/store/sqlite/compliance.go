package sqlite

import (
	"context"

	"github.com/leadpact/leadpact/internal/store"
)

type compliance struct{ *engine }

type complianceTx struct{ *tx }

// OpenCompliance opens compliance's store at path, and makes the file when there is none.
func OpenCompliance(ctx context.Context, path string, o Options) (store.Compliance, error) {
	e, err := open(ctx, path, "compliance", o)
	if err != nil {
		return nil, err
	}
	return compliance{e}, nil
}

// Update runs f in one transaction.
func (c compliance) Update(ctx context.Context, f func(ctx context.Context, tx store.ComplianceTx) error) error {
	return c.update(ctx, func(ctx context.Context, t *tx) error { return f(ctx, complianceTx{t}) })
}

// Activate stores a version of the agreement and queues the messages that tell it.
func (c compliance) Activate(ctx context.Context, row store.AgreementRow, messages []store.Message) (fresh bool, err error) {
	err = c.update(ctx, func(ctx context.Context, t *tx) error {
		if fresh, err = t.insertAgreement(ctx, row); err != nil || !fresh {
			return err
		}
		return t.Enqueue(ctx, messages)
	})
	return fresh && err == nil, err
}
