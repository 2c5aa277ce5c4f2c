package scoring

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

// batch is one transaction's work.
type batch struct {
	tx        store.ScoringTx
	now       time.Time
	agreement *agreement.Agreement
	terms     *score.Terms
	key       []byte

	// bound are the identifiers that were stored before, of is every identifier's lead with this batch.
	bound, of map[string]string
	leads     map[string]*known
	// pending are the fresh facts that are stored but not folded yet.
	pending map[store.FactKey]bool
	// hashes are the content hashes of the facts that were not fresh, as they are stored.
	hashes map[store.FactKey][]byte
	// stale are the facts, by their place in the batch, of which another run of the transaction found that they are not fresh.
	stale map[int]bool

	results     []result
	transitions []store.Transition
	events      []*eventv1.Event
}

// result is what became of one fact.
type result struct {
	source, tag string
	lead        string
	result      string
}

// known is one locked lead.
type known struct {
	row       store.Lead
	state     stage.State
	knowledge lead.Knowledge
	// loaded says that rows holds all facts that are stored, the pending ones included.
	loaded  bool
	rows    []store.FactRow
	changed bool
}

// apply takes the facts in, one by one in their order, so that the cut of a stream into batches makes no difference.
func (b *batch) apply(ctx context.Context, in []incoming) error {
	leads, bearers, err := b.identify(ctx, in)
	if err != nil {
		return err
	}
	// Leads, then facts, then identifiers, each in one call that goes in order of key: whoever inserts a fact holds its lead, so two
	// replicas with the same facts meet at the lead, and none can wait for another in a circle.
	locked, err := b.tx.LockLeads(ctx, slices.Compact(slices.Sorted(slices.Values(leads))))
	if err != nil {
		return err
	}
	rows := make([]store.FactRow, len(in))
	for i := range in {
		rows[i] = in[i].row
		rows[i].Lead = leads[i]
	}
	fresh, err := b.tx.InsertFacts(ctx, rows)
	if err != nil {
		return err
	}
	if err := b.review(bearers, fresh); err != nil {
		return err
	}
	if err := b.bind(ctx, in, fresh); err != nil {
		return err
	}
	if err := b.open(ctx, locked, rows, fresh); err != nil {
		return err
	}
	for i := range in {
		k := b.leads[leads[i]]
		if !fresh[i] {
			b.results = append(b.results, result{in[i].fact.Source, tag(in[i].fact), leads[i], repeated(b.hashes[rows[i].FactKey], rows[i])})
			continue
		}
		b.results = append(b.results, result{in[i].fact.Source, tag(in[i].fact), leads[i], applied})
		delete(b.pending, rows[i].FactKey)
		if err := b.take(ctx, k, in[i].fact); err != nil {
			return err
		}
	}
	return b.save(ctx)
}

// identify returns the lead of each fact: the one that its strongest known identifier names, else a new one. An identifier that
// is new belongs from then on to the lead of the fact that brought it, if that is fresh; bearers are the facts that brought one.
func (b *batch) identify(ctx context.Context, in []incoming) (leads []string, bearers []int, err error) {
	var all []string
	for _, one := range in {
		all = append(all, one.identifiers...)
	}
	slices.Sort(all)
	if b.bound, err = b.tx.Resolve(ctx, slices.Compact(all)); err != nil {
		return nil, nil, err
	}
	of := make(map[string]string, len(all))
	maps.Copy(of, b.bound)
	b.of = of
	leads = make([]string, len(in))
	for i, one := range in {
		leads[i] = one.row.Lead
		if len(one.identifiers) == 0 {
			continue
		}
		if known := slices.IndexFunc(one.identifiers, func(identifier string) bool { return of[identifier] != "" }); known >= 0 {
			leads[i] = of[one.identifiers[known]]
		} else {
			leads[i] = lead.ID(b.key, one.identifiers[0])
		}
		if b.stale[i] {
			continue
		}
		for _, identifier := range one.identifiers {
			if of[identifier] == "" {
				of[identifier] = leads[i]
				bearers = append(bearers, i)
			}
		}
	}
	return leads, slices.Compact(bearers), nil
}

// review sends the batch back to the start when a fact that is not fresh brought an identifier: it binds none, so that those
// after it may belong to other leads. Whether a fact is fresh shows only when it is inserted, and then its lead stands in it.
func (b *batch) review(bearers []int, fresh []bool) error {
	again := false
	for _, i := range bearers {
		if !fresh[i] {
			b.stale[i], again = true, true
		}
	}
	// A fact that was stored when it was marked, and has been removed since, brings its identifiers after all.
	for i := range b.stale {
		if fresh[i] {
			delete(b.stale, i)
			again = true
		}
	}
	if again {
		return fmt.Errorf("find the leads of a batch again without what repeated facts say: %w", store.ErrConflict)
	}
	return nil
}

// bind stores the identifiers that fresh facts brought. One that another transaction gave to another lead since identify looked
// sends the whole batch back to the start, where that lead is found.
func (b *batch) bind(ctx context.Context, in []incoming, fresh []bool) error {
	var aliases []store.Alias
	for i, one := range in {
		for _, identifier := range one.identifiers {
			if _, known := b.bound[identifier]; fresh[i] && !known {
				aliases = append(aliases, store.Alias{Identifier: identifier, Lead: b.of[identifier]})
			}
		}
	}
	if len(aliases) == 0 {
		return nil
	}
	bound, err := b.tx.Bind(ctx, aliases)
	if err != nil {
		return err
	}
	for _, a := range aliases {
		if bound[a.Identifier] != a.Lead {
			return fmt.Errorf("bind an identifier that another transaction has just bound: %w", store.ErrConflict)
		}
	}
	return nil
}

// open reads the locked leads, and folds again those whose knowledge was folded under another agreement.
func (b *batch) open(ctx context.Context, locked []store.Lead, rows []store.FactRow, fresh []bool) error {
	var whole []string // leads whose facts are needed
	refold := map[string]bool{}
	for _, row := range locked {
		state, knowledge, readable, err := remember(row)
		if err != nil {
			return err
		}
		b.leads[row.ID] = &known{row: row, state: state, knowledge: knowledge}
		if row.Version > 0 && (!readable || row.Agreement != b.agreement.Hash) {
			refold[row.ID] = true
			whole = append(whole, row.ID)
		}
	}
	var known []store.FactKey
	for i, row := range rows {
		if fresh[i] {
			b.pending[row.FactKey] = true
		} else {
			known = append(known, row.FactKey)
		}
	}
	if len(known) > 0 {
		var err error
		if b.hashes, err = b.tx.FactHashes(ctx, known); err != nil { // to tell a duplicate from a conflict
			return err
		}
	}
	if err := b.load(ctx, whole...); err != nil {
		return err
	}
	for id := range refold {
		facts, err := b.told(ctx, b.leads[id])
		if err != nil {
			return err
		}
		b.leads[id].knowledge = lead.Fold(b.terms, lead.Knowledge{}, facts...)
		b.leads[id].changed = true
	}
	return nil
}

// take folds one fresh fact and says what follows from it.
func (b *batch) take(ctx context.Context, k *known, f lead.Fact) error {
	before := k.state
	after, knowledge, changes := stage.Advance(b.agreement, b.terms, before, k.knowledge, f)
	if stage.OutOfOrder(before, k.knowledge, f) {
		facts, err := b.told(ctx, k)
		if err != nil {
			return err
		}
		if s, told, ok := stage.Late(b.agreement, b.terms, before, facts); ok {
			after, changes = s, told
		}
	}
	k.state, k.knowledge = after, knowledge
	k.row.Facts++
	k.changed = true
	for _, c := range changes {
		if err := b.change(k, c, f, ""); err != nil {
			return err
		}
	}
	if before.Stage == "" && k.state.Stage != "" {
		return b.release(ctx, k)
	}
	if f.Kind == lead.Outcome && before.Stage != "" {
		b.events = append(b.events, b.outcome(k, before, f))
	}
	return nil
}

// change notes a change of stage that f led to; actor is who asked for it, "" for nobody.
func (b *batch) change(k *known, c stage.Change, f lead.Fact, actor string) error {
	staged := b.staged(k, c, f)
	staged.GetLeadStaged().Actor = actor
	t, err := transition(staged, c)
	if err != nil {
		return err
	}
	b.transitions = append(b.transitions, t)
	b.events = append(b.events, staged)
	return nil
}

// release passes on the outcomes that waited for the lead's first touch.
func (b *batch) release(ctx context.Context, k *known) error {
	if len(k.knowledge.Deeds) == 0 {
		return nil
	}
	facts, err := b.told(ctx, k)
	if err != nil {
		return err
	}
	slices.SortStableFunc(facts, func(x, y lead.Fact) int { return x.OccurredAt.Compare(y.OccurredAt) })
	for _, f := range facts {
		if f.Kind == lead.Outcome {
			b.events = append(b.events, b.outcome(k, stage.State{Cycle: 1}, f))
		}
	}
	return nil
}

// told returns the lead's facts that are folded, or about to be.
func (b *batch) told(ctx context.Context, k *known) ([]lead.Fact, error) {
	if !k.loaded {
		if err := b.load(ctx, k.row.ID); err != nil {
			return nil, err
		}
	}
	rows := make([]store.FactRow, 0, len(k.rows))
	for _, row := range k.rows {
		if !b.pending[row.FactKey] {
			rows = append(rows, row)
		}
	}
	return stored(rows)
}

// load reads all facts of leads in one go.
func (b *batch) load(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	rows, err := b.tx.Facts(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		b.leads[id].rows, b.leads[id].loaded = rows[id], true
	}
	return nil
}

func (b *batch) save(ctx context.Context) error {
	var rows []store.Lead
	for _, id := range slices.Sorted(maps.Keys(b.leads)) {
		k := b.leads[id]
		if !k.changed {
			continue
		}
		row, err := memorize(k.row, k.state, k.knowledge)
		if err != nil {
			return err
		}
		row.Version++
		row.Agreement, row.UpdatedAt = b.agreement.Hash, b.now
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		if err := b.tx.SaveLeads(ctx, rows); err != nil {
			return fmt.Errorf("save %d leads: %w", len(rows), err)
		}
	}
	if len(b.transitions) > 0 {
		if err := b.tx.InsertTransitions(ctx, b.transitions); err != nil {
			return fmt.Errorf("save %d changes of stage: %w", len(b.transitions), err)
		}
	}
	return nil
}

// repeated says whether a fact that was not fresh is the one that is stored, or another that bears its id.
func repeated(stored []byte, row store.FactRow) string {
	if bytes.Equal(stored, row.ContentHash) {
		return duplicate
	}
	return conflict
}
