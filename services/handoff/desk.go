package handoff

import (
	"context"
	"fmt"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/handoff/route"
)

// desk is what one transaction works on: locked rows, changed in memory, and what will be told of it.
type desk struct {
	now      time.Time
	roster   *roster
	hours    *hours
	versions *versions
	shards   int

	pools map[string]*pool
	reps  map[string]*load
	files map[string]*file // the newest of each lead
	order []*file          // all that were touched

	events   []*eventv1.Event
	breaches []store.Breach
	notices  []store.Notice
	late     []time.Duration // how late each wake-up was looked at
	words    []word          // outcomes that came after the breach
	made     []made
	freed    bool          // a rep has room again
	waits    bool          // a lead has begun to wait
	shut     map[door]bool // doors at which no lead at all gets through
	hourless map[hourlessKey][]string
	line     lineage
	light    bool     // there are clocks on it and nothing else
	audit    []string // which clocks were computed anew
}

// pool is a pool's row and, once a lead was to be handed to it, its rotation among the crew that it has in the lead's agreement.
type pool struct {
	store.Pool
	rotation *route.Rotation
	crew     *crew
	dirty    bool
}

// load is how many leads a rep holds as far as this transaction knows. It is not locked: another may change it until the commit, and
// then what was decided here stands if it still fits.
type load struct {
	store.RepLoad
	more int // than before this transaction
}

// file is one handoff with its assignments and clocks.
type file struct {
	handoff    store.HandoffRow
	new, dirty bool
	live       *hold
	holds      []*hold
	clocks     []*running
	// quiet says that nobody is told of its end: only history tells of it.
	quiet    bool
	searched bool // its missed clocks are among clocks
}

type hold struct {
	store.Assignment
	new, dirty bool
}

type running struct {
	store.ClockRow
	new, dirty bool
	missed     bool // read as breached: all that can happen to it is its correction
}

// made is one assignment, for the counters.
type made struct {
	pool  string
	again bool
}

func newDesk(s *Service, now time.Time) *desk {
	return &desk{
		now: now, roster: s.people.now(), hours: &s.hours, versions: &s.versions, shards: s.cfg.Shards,
		pools: make(map[string]*pool), reps: make(map[string]*load), files: make(map[string]*file),
		shut: make(map[door]bool), hourless: make(map[hourlessKey][]string), line: s.versions.descends(),
	}
}

// put makes f its lead's file.
func (d *desk) put(f *file) {
	d.files[f.handoff.Lead] = f
	d.order = append(d.order, f)
}

// version is the agreement that a handoff is pinned to.
func (d *desk) version(hash string) (*agreement.Agreement, error) {
	if a := d.versions.cached(hash); a != nil {
		return a, nil
	}
	return nil, unmet{need{versions: []string{hash}}}
}

// load is what a rep holds, with what this transaction changes of it.
func (d *desk) load(rep string) (*load, error) {
	if l, ok := d.reps[rep]; ok {
		return l, nil
	}
	return nil, unmet{need{reps: []string{rep}}}
}

// rotate returns a pool, locked, at work among its crew.
func (d *desk) rotate(a *agreement.Agreement, name string) (*pool, error) {
	crew := d.roster.crew(a, name)
	p, ok := d.pools[name]
	if ok && p.crew == crew {
		return p, nil
	}
	missing := need{}
	if !ok {
		missing.pools = []string{name}
	}
	for _, rep := range crew.ids {
		if d.reps[rep] == nil {
			missing.reps = append(missing.reps, rep)
		}
	}
	if len(missing.pools)+len(missing.reps) > 0 {
		return nil, unmet{missing}
	}
	state, err := p.state()
	if err != nil {
		return nil, err
	}
	p.rotation, p.crew = route.New(state, crew.reps, func(rep string) int { return d.reps[rep].Live }, d.now), crew
	return p, nil
}

// state is the rotation's, or as it was stored.
func (p *pool) state() (route.State, error) {
	if p.rotation != nil {
		return p.rotation.State(), nil
	}
	state, err := route.Decode(p.Balances)
	if err != nil {
		return route.State{}, fmt.Errorf("pool %q: %w", p.Name, err)
	}
	return state, nil
}

// carries changes how many leads a rep holds, and tells every rotation that may turn on it.
func (d *desk) carries(l *load, more int) {
	l.Live, l.more = l.Live+more, l.more+more
	for _, p := range d.pools {
		if p.rotation != nil {
			p.rotation.SetLive(l.Rep, l.Live)
		}
	}
}

// all is what the files on the desk may come to need: of one that is not closed its owner, its pool and the pool's members.
func (d *desk) all() need {
	var n need
	seen := make(map[door]bool)
	for _, f := range d.order {
		if f.handoff.State == store.HandoffClosed {
			continue
		}
		if f.live != nil {
			n.reps = append(n.reps, f.live.Rep)
		}
		version := d.versions.cached(f.handoff.Agreement)
		if version == nil {
			n.versions = append(n.versions, f.handoff.Agreement)
			continue
		}
		if !seen[f.door()] {
			seen[f.door()] = true
			n.pools = append(n.pools, f.handoff.Pool)
			n.reps = append(n.reps, d.roster.crew(version, f.handoff.Pool).ids...)
		}
	}
	return n
}

// say queues an event of this handoff; its id, body and cause are given.
func (d *desk) say(f *file, at time.Time, e *eventv1.Event) {
	e.Source = event.Handoff
	e.Lead = f.handoff.Lead
	e.OccurredAt = event.Micros(at)
	e.RecordedAt = event.Micros(d.now)
	e.Mode = eventv1.Mode_MODE_LIVE
	e.Agreement = f.handoff.Agreement
	d.events = append(d.events, e)
}

// save writes what changed, and queues what is to be told.
func (d *desk) save(ctx context.Context, tx store.HandoffTx, partitions int) error {
	for _, write := range []func(context.Context, store.HandoffTx) error{
		d.savePools, d.saveHandoffs, d.saveAssignments, d.saveClocks, d.saveNews,
	} {
		if err := write(ctx, tx); err != nil {
			return err
		}
	}
	packed, err := event.Pack(d.events, partitions)
	if err != nil || len(packed) == 0 {
		return err
	}
	messages := make([]store.Message, len(packed))
	for i, m := range packed {
		messages[i] = store.Message{Partition: m.Partition, Data: m.Data}
	}
	return tx.Enqueue(ctx, messages)
}

func (d *desk) savePools(ctx context.Context, tx store.HandoffTx) error {
	var pools []store.Pool
	for _, p := range d.pools {
		if p.dirty {
			p.Version++
			p.Balances = p.rotation.State().Encode()
			pools = append(pools, p.Pool)
		}
	}
	var loads []store.LoadChange
	for _, l := range d.reps {
		if l.more != 0 {
			loads = append(loads, store.LoadChange{Rep: l.Rep, Delta: l.more, Capacity: d.roster.reps[l.Rep].Capacity})
		}
	}
	if len(pools) > 0 {
		if err := tx.SavePools(ctx, pools); err != nil {
			return err
		}
	}
	if len(loads) > 0 {
		return tx.AddLoads(ctx, loads)
	}
	return nil
}

func (d *desk) saveHandoffs(ctx context.Context, tx store.HandoffTx) error {
	var fresh, changed []store.HandoffRow
	for _, f := range d.order {
		switch {
		case f.new:
			f.handoff.Version = 1
			fresh = append(fresh, f.handoff)
		case f.dirty:
			f.handoff.Version++
			changed = append(changed, f.handoff)
		}
	}
	if len(changed) > 0 {
		if err := tx.SaveHandoffs(ctx, changed); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	stored, err := tx.InsertHandoffs(ctx, fresh)
	if err != nil {
		return err
	}
	for i, ok := range stored {
		// Another transaction began the same handoff between our look and now; seen again, it is not new.
		if !ok {
			return fmt.Errorf("begin handoff %s: %w", keyOf(fresh[i].HandoffKey), store.ErrConflict)
		}
	}
	return nil
}

// saveAssignments ends before it begins: a lead has one live assignment at most, at every statement.
func (d *desk) saveAssignments(ctx context.Context, tx store.HandoffTx) error {
	var fresh, changed []store.Assignment
	for _, f := range d.order {
		for _, h := range f.holds {
			switch {
			case h.new:
				h.Version = 1
				fresh = append(fresh, h.Assignment)
			case h.dirty:
				h.Version++
				changed = append(changed, h.Assignment)
			}
		}
	}
	if len(changed) > 0 {
		if err := tx.SaveAssignments(ctx, changed); err != nil {
			return err
		}
	}
	if len(fresh) > 0 {
		return tx.InsertAssignments(ctx, fresh)
	}
	return nil
}

func (d *desk) saveClocks(ctx context.Context, tx store.HandoffTx) error {
	var fresh, changed, corrected []store.ClockRow
	for _, f := range d.order {
		for _, c := range f.clocks {
			switch {
			case c.new:
				c.Version = 1
				fresh = append(fresh, c.ClockRow)
			case c.dirty && c.missed:
				c.Version++
				corrected = append(corrected, c.ClockRow)
			case c.dirty:
				c.Version++
				changed = append(changed, c.ClockRow)
			}
		}
	}
	if len(fresh) > 0 {
		if err := tx.InsertClocks(ctx, fresh); err != nil {
			return err
		}
	}
	if len(corrected) > 0 {
		if err := tx.CorrectClocks(ctx, corrected); err != nil {
			return err
		}
	}
	if len(changed) == 0 {
		return nil
	}
	won, err := tx.SaveClocks(ctx, changed)
	if err != nil {
		return err
	}
	for i, ok := range won {
		// Somebody else moved this clock: all that was decided here rests on an old state of it.
		if !ok {
			return fmt.Errorf("save clock %s: %w", changed[i].ID, store.ErrConflict)
		}
	}
	return nil
}

func (d *desk) saveNews(ctx context.Context, tx store.HandoffTx) error {
	if len(d.breaches) > 0 {
		if err := tx.InsertBreaches(ctx, d.breaches); err != nil {
			return err
		}
	}
	if len(d.notices) > 0 {
		return tx.InsertNotices(ctx, d.notices)
	}
	return nil
}
