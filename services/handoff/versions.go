package handoff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	log   *slog.Logger
	// met is told of each version that is compiled.
	met    func(*agreement.Agreement)
	mu     sync.Mutex
	byHash map[string]*agreement.Agreement
	line   lineage // nil until it was read
}

// descends is the lineage as it was read last.
func (v *versions) descends() lineage {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.line
}

// refresh reads the lineage when there is another version. One that this program cannot read takes no clock over.
func (v *versions) refresh(ctx context.Context) error {
	count, err := v.store.CountAgreements(ctx)
	if err != nil {
		return fmt.Errorf("count the agreements: %w", err)
	}
	if known := v.descends(); known != nil && len(known) == count {
		return nil
	}
	rows, err := v.store.ListAgreements(ctx)
	if err != nil {
		return fmt.Errorf("read the agreements: %w", err)
	}
	line := make(lineage, len(rows))
	for i, row := range rows {
		line[i] = descent{hash: row.Hash, from: row.ActiveFrom}
		a := v.cached(row.Hash)
		if a == nil {
			if a, err = v.compile(row.Hash, row.Text); err != nil {
				v.log.ErrorContext(ctx, "a version takes over no clock that runs", "error", err)
				continue
			}
		}
		if a.UnderWay == agreement.Move {
			line[i].moves = a
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(line) >= len(v.line) { // two may read at once: the newer stays
		v.line = line
	}
	return nil
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

// load makes sure that the lineage is read and the versions are compiled.
func (v *versions) load(ctx context.Context, hashes []string) error {
	if v.descends() == nil {
		if err := v.refresh(ctx); err != nil {
			return err
		}
	}
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
	err := v.store.SaveAgreement(ctx, store.AgreementRow{
		Hash: a.GetHash(), ActiveFrom: event.Time(a.GetActiveFrom()), Text: a.GetText(), Actor: a.GetActor(), Signatures: a.GetSignatures(),
	})
	if err != nil {
		return err
	}
	return v.refresh(ctx)
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
