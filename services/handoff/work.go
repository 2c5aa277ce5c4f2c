package handoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// need names the rows that a transaction locks, and the versions of the agreement that it reads.
type need struct {
	leads, pools, reps, versions []string
}

func (n *need) add(more need) {
	n.pools = append(n.pools, more.pools...)
	n.reps = append(n.reps, more.reps...)
	n.versions = append(n.versions, more.versions...)
}

// unmet says what a transaction found missing on its desk. Rows are locked in one order (pools, handoffs), so what turns
// out late to be needed cannot be added: the transaction is rolled back and begun again with it.
type unmet struct{ need }

func (u unmet) Error() string {
	return fmt.Sprintf("the transaction needs pools %q, reps %q, agreements %q too", u.pools, u.reps, u.versions)
}

// stuck marks the lead that a decision failed on, so that the others can go on without it.
type stuck struct {
	lead string
	error
}

func (s stuck) Unwrap() error { return s.error }

// each decides on every lead's handoff, in the order given, in one transaction. A lead whose decision fails is left as it is and logged, and the others
// are begun again without it. Errors: those of the store.
func (s *Service) each(ctx context.Context, now time.Time, leads []string, decide func(d *desk, f *file) error) error {
	for len(leads) > 0 {
		err := s.update(ctx, now, need{leads: leads}, func(_ context.Context, _ store.HandoffTx, d *desk) error {
			for _, lead := range leads {
				f := d.files[lead]
				if f == nil {
					continue
				}
				if err := decide(d, f); err != nil {
					return stuck{lead, err}
				}
			}
			return nil
		})
		var failed stuck
		if !errors.As(err, &failed) {
			return err
		}
		s.cfg.Log.ErrorContext(ctx, "a handoff could not be decided and stays as it is", "lead", failed.lead, "error", failed.error)
		leads = slices.DeleteFunc(leads, func(lead string) bool { return lead == failed.lead })
	}
	return nil
}

// rounds bounds how often a transaction is begun again. The second round has the versions of all files and the third all their
// owners and pools; more are for what others change meanwhile.
const rounds = 20

// update runs one transaction at a desk and, after its commit, wakes whoever waits for what it wrote. An f that returned an error
// has changed nothing.
func (s *Service) update(ctx context.Context, now time.Time, n need, f func(ctx context.Context, tx store.HandoffTx, d *desk) error) error {
	for range rounds {
		if err := s.versions.load(ctx, n.versions); err != nil {
			return err
		}
		var d *desk
		err := s.store.Update(ctx, func(ctx context.Context, tx store.HandoffTx) (err error) {
			if d, err = s.lay(ctx, tx, now, n); err != nil {
				return err
			}
			if err := f(ctx, tx, d); err != nil {
				return err
			}
			return d.save(ctx, tx, s.cfg.Partitions)
		})
		var more unmet
		if errors.As(err, &more) {
			n.add(more.need)
			n.add(d.all())
			continue
		}
		if err == nil {
			s.committed(ctx, d)
		}
		return err
	}
	return fmt.Errorf("a handoff's pool or owner changed %d times under the transaction: %w", rounds, store.ErrConflict)
}

// committed tells the others in this process what a transaction wrote, so that nothing waits for a poll.
func (s *Service) committed(ctx context.Context, d *desk) {
	for _, line := range d.audit {
		s.cfg.Log.InfoContext(ctx, "a running clock was computed anew", "audit", true, "clock", line)
	}
	wakes := make(map[int][]store.Wake)
	for _, f := range d.order {
		for _, c := range f.clocks {
			if c.dirty && c.State == store.ClockOpen {
				wakes[c.Shard] = append(wakes[c.Shard], store.Wake{At: c.WakeAt, ID: c.ID})
			}
		}
	}
	for shard, w := range wakes {
		s.cfg.Arm(shard, w...)
	}
	if len(d.events) > 0 {
		s.cfg.Queued()
	}
	if len(d.notices) > 0 {
		s.notices.Kick()
	}
	// Whoever waits was decided on by loads that were not locked: a rep may have got room meanwhile, and nobody saw the one who waits.
	if d.freed || d.waits {
		s.lookAgain()
	}
	for _, w := range d.words {
		if !w.turned {
			s.cfg.Log.Info("an outcome in time came after the breach, from a source that is no witness: the verdict stands",
				"clock", w.clock, "source", w.source)
		}
	}
	s.metrics.count(d)
}

// lay locks the rows and lays them out.
func (s *Service) lay(ctx context.Context, tx store.HandoffTx, now time.Time, n need) (*desk, error) {
	d := newDesk(s, now)
	pools, err := tx.LockPools(ctx, distinct(n.pools))
	if err != nil {
		return nil, err
	}
	for _, p := range pools {
		d.pools[p.Name] = &pool{Pool: p}
	}
	reps, err := tx.Loads(ctx, distinct(n.reps))
	if err != nil {
		return nil, err
	}
	d.reps = make(map[string]*load, len(reps)) // a pool may have thousands
	loads := make([]load, len(reps))
	for i, r := range reps {
		loads[i].RepLoad = r
		d.reps[r.Rep] = &loads[i]
	}
	leads := distinct(n.leads)
	handoffs, err := tx.LockHandoffs(ctx, leads)
	if err != nil {
		return nil, err
	}
	live, err := tx.LiveAssignments(ctx, leads)
	if err != nil {
		return nil, err
	}
	var keys []store.HandoffKey
	for _, h := range handoffs {
		f := &file{handoff: h}
		if a, ok := live[h.Lead]; ok {
			f.live = &hold{Assignment: a}
			f.holds = append(f.holds, f.live)
		}
		d.put(f)
		if h.State != store.HandoffClosed {
			keys = append(keys, h.HandoffKey)
		}
	}
	clocks, err := tx.OpenClocks(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, c := range clocks {
		f := d.files[c.Lead]
		f.clocks = append(f.clocks, &running{ClockRow: c})
	}
	return d, nil
}

// distinct is the set of names, sorted.
func distinct(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
