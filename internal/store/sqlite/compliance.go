package sqlite

import (
	"context"
	"fmt"
	"slices"

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
func (c compliance) Activate(ctx context.Context, row store.AgreementRow, after string, messages []store.Message) (fresh bool, err error) {
	var overtaken bool
	err = c.update(ctx, func(ctx context.Context, t *tx) error {
		fresh, overtaken = false, false
		hashes, err := collect(ctx, t, "read the versions", column[string], `SELECT hash FROM agreements ORDER BY active_from DESC, hash DESC`)
		if err != nil {
			return err
		}
		if slices.Contains(hashes, row.Hash) {
			return nil
		}
		if newest := append(hashes, "")[0]; newest != after {
			overtaken = true
			return nil
		}
		if fresh, err = t.insertAgreement(ctx, row); err != nil {
			return err
		}
		return t.Enqueue(ctx, messages)
	})
	if err == nil && overtaken {
		err = fmt.Errorf("sqlite: activate agreement %s: another version was activated: %w", row.Hash, store.ErrConflict)
	}
	return fresh && err == nil, err
}
