package handoff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/internal/store"
)

// roster is one version of it, with ways to look things up. What it says is immutable.
type roster struct {
	*agreement.Roster
	version  int64
	at       time.Time // since when it applies
	reps     map[string]agreement.Rep
	managers map[string]string // by team
	shared   []string          // endpoints that no rep has for himself

	mu     sync.Mutex
	crews  map[door]*crew   // looked up so far
	joined map[string]*crew // the same, by teams: most agreements do not change a pool's
}

// crew is the reps of some teams, of one roster: there is one for the same teams. It is immutable.
type crew struct {
	reps []agreement.Rep // in order of id
	ids  []string
	// keeping is their ids by the name of their hours: what is asked of one's hours is answered for all.
	keeping map[string][]string
}

// people holds the newest roster.
type people struct {
	store  store.Handoff
	mu     sync.Mutex
	newest *roster
}

// now is the roster that was read last; before the first it has nobody.
func (p *people) now() *roster {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest == nil {
		p.newest = newRoster(&agreement.Roster{}, store.RosterRow{})
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
		p.newest = newRoster(parsed, row)
	}
	return nil
}

func newRoster(parsed *agreement.Roster, row store.RosterRow) *roster {
	r := &roster{
		Roster: parsed, version: row.Version, at: row.At, reps: make(map[string]agreement.Rep), managers: make(map[string]string),
		crews: make(map[door]*crew), joined: make(map[string]*crew),
	}
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

// crew is the reps of a pool's teams.
func (r *roster) crew(a *agreement.Agreement, pool string) *crew {
	at := door{pool: pool, agreement: a.Hash}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.crews[at]; ok {
		return c
	}
	of := a.TeamsOf(pool)
	key := strings.Join(slices.Sorted(slices.Values(of)), "\x00")
	c, ok := r.joined[key]
	if !ok {
		c = newCrew(r.Reps, of)
		r.joined[key] = c
	}
	r.crews[at] = c
	return c
}

func newCrew(reps []agreement.Rep, teams []string) *crew {
	c := &crew{keeping: make(map[string][]string)}
	for _, rep := range reps {
		if slices.Contains(teams, rep.Team) {
			c.reps = append(c.reps, rep)
		}
	}
	slices.SortFunc(c.reps, func(a, b agreement.Rep) int { return cmp.Compare(a.ID, b.ID) })
	for _, rep := range c.reps {
		c.ids = append(c.ids, rep.ID)
		c.keeping[rep.Calendar] = append(c.keeping[rep.Calendar], rep.ID)
	}
	return c
}

func (r *roster) team(rep string) string { return r.reps[rep].Team }

// addresses are the endpoints that tell a person: his own, else all that are nobody's own.
func (r *roster) addresses(person string) []string {
	if rep, ok := r.reps[person]; ok && rep.Notice != "" {
		return []string{rep.Notice}
	}
	return slices.Clone(r.shared)
}

// spec is the hours that a promise to or by a rep runs on, and the hash of the file that says so.
func (r *roster) spec(version *agreement.Agreement, promise agreement.Clock, rep string) (spec calendar.Spec, owner string) {
	return version.HoursOf(promise, r.Roster, r.reps[rep].Calendar)
}
