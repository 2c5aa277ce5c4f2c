package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// versions holds every version of the agreement that this process has heard of. Each role stores them too, so that clocks run
// after a restart while NATS is away.
type versions struct {
	stores []store.Agreements
	logger *slog.Logger

	mu     sync.RWMutex
	byHash map[string]*agreement.Agreement
	order  []activation // by time
}

type activation struct {
	from time.Time
	a    *agreement.Agreement
}

func newVersions(logger *slog.Logger, stores ...store.Agreements) *versions {
	return &versions{stores: stores, logger: logger, byHash: map[string]*agreement.Agreement{}}
}

// load takes in what the roles have stored.
func (v *versions) load(ctx context.Context) error {
	for _, s := range v.stores {
		rows, err := s.ListAgreements(ctx)
		if err != nil {
			return fmt.Errorf("load the versions of the agreement: %w", err)
		}
		for _, row := range rows {
			v.add(row)
		}
	}
	return nil
}

// take stores an activation in every role and takes it in. A store that is away is waited for: every replica takes the same
// activation at the same moment, and none may end for it.
func (v *versions) take(ctx context.Context, e *eventv1.Event) error {
	for {
		err := v.keep(ctx, e)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.logger.Warn("agreement not stored; trying again", "error", err)
		t := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			t.Stop()
		case <-t.C:
		}
	}
}

func (v *versions) keep(ctx context.Context, e *eventv1.Event) error {
	b := e.GetAgreementActivated()
	row := store.AgreementRow{
		Hash: b.GetHash(), ActiveFrom: event.Time(b.GetActiveFrom()), Text: b.GetText(), Actor: b.GetActor(), Signatures: b.GetSignatures(),
	}
	for _, s := range v.stores {
		if err := s.SaveAgreement(ctx, row); err != nil {
			return fmt.Errorf("store agreement %s: %w", row.Hash, err)
		}
	}
	v.add(row)
	return nil
}

// add compiles a version. One that this program cannot read is left out with an error in the log: what was decided under it
// waits until the program is upgraded.
func (v *versions) add(row store.AgreementRow) {
	v.mu.RLock()
	_, known := v.byHash[row.Hash]
	v.mu.RUnlock()
	if known {
		return
	}
	a, faults := agreement.Parse("agreement", row.Text)
	if len(faults) > 0 {
		v.logger.Error("agreement cannot be read by this program", "hash", row.Hash, "fault", faults[0].Error())
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.byHash[row.Hash]; known {
		return
	}
	v.byHash[row.Hash] = a
	v.order = append(v.order, activation{row.ActiveFrom, a})
	slices.SortStableFunc(v.order, func(x, y activation) int { return x.from.Compare(y.from) })
	v.logger.Info("agreement taken in", "hash", row.Hash, "active_from", row.ActiveFrom)
}

// At returns the version in force at t; false before the first.
func (v *versions) At(t time.Time) (*agreement.Agreement, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i := len(v.order) - 1; i >= 0; i-- {
		if !v.order[i].from.After(t) {
			return v.order[i].a, true
		}
	}
	return nil, false
}

// ByHash returns a version; false when this process has not heard of it.
func (v *versions) ByHash(hash string) (*agreement.Agreement, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	a, ok := v.byHash[hash]
	return a, ok
}
