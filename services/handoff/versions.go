package handoff

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// errVersion: an event names an agreement that has not come yet; it will, so this passes.
var errVersion = errors.New("the agreement is not here yet")

// versions are the agreements that were activated, compiled.
type versions struct {
	store store.Agreements
	// met is told of each version that is compiled.
	met    func(*agreement.Agreement)
	mu     sync.Mutex
	byHash map[string]*agreement.Agreement
}

// cached returns a compiled version without looking into the store, or nil.
func (v *versions) cached(hash string) *agreement.Agreement {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.byHash[hash]
}

// get returns a version; one that is not stored is errVersion.
func (v *versions) get(ctx context.Context, hash string) (*agreement.Agreement, error) {
	if a := v.cached(hash); a != nil {
		return a, nil
	}
	rows, err := v.store.ListAgreements(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the agreements: %w", err)
	}
	for _, row := range rows {
		if row.Hash == hash {
			return v.compile(row.Hash, row.Text)
		}
	}
	return nil, fmt.Errorf("agreement %s: %w", hash, errVersion)
}

// from returns the version in force, nil before the first, and those that are scheduled.
func (v *versions) from(ctx context.Context, now time.Time) (current *agreement.Agreement, coming []*agreement.Agreement, err error) {
	rows, err := v.store.ListAgreements(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read the agreements: %w", err)
	}
	present := -1
	for i, row := range rows {
		if !row.ActiveFrom.After(now) {
			present = i
		}
	}
	for i := max(present, 0); i < len(rows); i++ {
		a, err := v.get(ctx, rows[i].Hash)
		if err != nil {
			return nil, nil, err
		}
		if i == present {
			current = a
		} else {
			coming = append(coming, a)
		}
	}
	return current, coming, nil
}

// load makes sure that the versions are compiled.
func (v *versions) load(ctx context.Context, hashes []string) error {
	for _, hash := range hashes {
		if _, err := v.get(ctx, hash); err != nil {
			return err
		}
	}
	return nil
}

// add stores a version that was activated.
func (v *versions) add(ctx context.Context, a *eventv1.AgreementActivated) error {
	if _, err := v.compile(a.GetHash(), a.GetText()); err != nil {
		return bus.Permanent(err)
	}
	return v.store.SaveAgreement(ctx, store.AgreementRow{
		Hash: a.GetHash(), ActiveFrom: event.Time(a.GetActiveFrom()), Text: a.GetText(), Actor: a.GetActor(), Signatures: a.GetSignatures(),
	})
}

func (v *versions) compile(hash string, text []byte) (*agreement.Agreement, error) {
	a, faults := agreement.Parse("agreement "+hash, text)
	if len(faults) > 0 {
		return nil, fmt.Errorf("agreement %s cannot be read by this program: %w", hash, faults[0])
	}
	if a.Hash != hash {
		return nil, fmt.Errorf("agreement %s has the text of %s", hash, a.Hash)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byHash == nil {
		v.byHash = make(map[string]*agreement.Agreement)
	}
	v.byHash[hash] = a
	v.met(a)
	return a, nil
}
