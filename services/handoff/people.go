package handoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/store"
)

// roster is one version of it, with ways to look things up. It is immutable.
type roster struct {
	*agreement.Roster
	version  int64
	reps     map[string]agreement.Rep
	managers map[string]string // by team
	shared   []string          // endpoints that no rep has for himself
}

// people holds the newest roster.
type people struct {
	store  store.Handoff
	mu     sync.Mutex
	newest *roster
}

// SetRoster stores a new version of the roster with its history, and applies it; one that is the newest already changes nothing.
// It must fit the agreements that are here.
func (s *Service) SetRoster(ctx context.Context, text []byte, actor string) error {
	r, faults := agreement.ParseRoster("roster", text)
	if len(faults) > 0 {
		return fmt.Errorf("take up the roster: %w", join(faults))
	}
	rows, err := s.store.ListAgreements(ctx)
	if err != nil {
		return fmt.Errorf("take up the roster: %w", err)
	}
	if len(rows) > 0 {
		newest, err := s.versions.get(ctx, rows[len(rows)-1].Hash)
		if err != nil {
			return fmt.Errorf("take up the roster: %w", err)
		}
		if faults := newest.CheckRoster(r); len(faults) > 0 {
			return fmt.Errorf("take up the roster: %w", join(faults))
		}
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	stored, err := s.store.SaveRoster(ctx, store.RosterRow{Hash: r.Hash, Text: text, At: now, Actor: actor})
	if err != nil {
		return fmt.Errorf("store the roster: %w", err)
	}
	if stored {
		s.cfg.Log.InfoContext(ctx, "a new roster applies", "roster", r.Hash, "actor", actor)
	}
	if err := s.people.refresh(ctx); err != nil {
		return err
	}
	s.lookAgain()
	return nil
}

func join(faults []agreement.Fault) error {
	var all []error
	for _, f := range faults {
		all = append(all, f)
	}
	return errors.Join(all...)
}

// now is the roster that was read last; before the first it has nobody.
func (p *people) now() *roster {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest == nil {
		p.newest = newRoster(&agreement.Roster{}, 0)
	}
	return p.newest
}

// refresh reads the newest roster when it is another than the one known: people always apply as of now.
func (p *people) refresh(ctx context.Context) error {
	row, err := p.store.LatestRoster(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the roster: %w", err)
	}
	if row.Version == p.now().version {
		return nil
	}
	parsed, faults := agreement.ParseRoster("roster "+row.Hash, row.Text)
	if len(faults) > 0 {
		return fmt.Errorf("the stored roster %d cannot be read by this program: %w", row.Version, faults[0])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest == nil || row.Version > p.newest.version { // two may read at once: the newer stays
		p.newest = newRoster(parsed, row.Version)
	}
	return nil
}

func newRoster(parsed *agreement.Roster, version int64) *roster {
	r := &roster{Roster: parsed, version: version, reps: make(map[string]agreement.Rep), managers: make(map[string]string)}
	own := make(map[string]bool)
	for _, rep := range parsed.Reps {
		r.reps[rep.ID] = rep
		own[rep.Notice] = true
	}
	for _, t := range parsed.Teams {
		r.managers[t.Name] = t.Manager
	}
	for _, e := range parsed.Notices {
		if !own[e.Name] {
			r.shared = append(r.shared, e.Name)
		}
	}
	return r
}

// members are the reps of a pool's teams.
func (r *roster) members(a *agreement.Agreement, pool string) []agreement.Rep {
	var out []agreement.Rep
	for _, rep := range r.Reps {
		if slices.Contains(teams(a, pool), rep.Team) {
			out = append(out, rep)
		}
	}
	return out
}

func teams(a *agreement.Agreement, pool string) []string {
	for _, p := range a.Pools {
		if p.Name == pool {
			return p.Teams
		}
	}
	return nil
}

func (r *roster) team(rep string) string { return r.reps[rep].Team }

// addresses are the endpoints that tell a person: his own, else all that are nobody's own.
func (r *roster) addresses(person string) []string {
	if rep, ok := r.reps[person]; ok && rep.Notice != "" {
		return []string{rep.Notice}
	}
	return slices.Clone(r.shared)
}

// spec is the hours that a promise to or by a rep runs on, and the hash of the file that says so. A rep without hours of his own,
// or no longer in the roster, works round the clock.
func (r *roster) spec(version *agreement.Agreement, promise agreement.Clock, rep string) (spec calendar.Spec, owner string) {
	name := promise.Calendar
	if name == agreement.RepHours {
		name = r.reps[rep].Calendar
		for _, c := range r.Calendars {
			if c.Name == name {
				return c, r.Hash
			}
		}
	}
	if c, ok := version.Calendar(name); ok {
		return c, version.Hash
	}
	return calendar.Spec{Name: agreement.Always, Zone: "UTC", Always: true}, ""
}
