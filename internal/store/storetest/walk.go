package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

func eachLeadIsOneSnapshotInOrder(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
		if err := saveLeads(ctx, tx, "c", "a", "B"); err != nil {
			return err
		}
		if _, err := tx.Bind(ctx, []store.Alias{{Identifier: "y", Lead: "a"}, {Identifier: "X", Lead: "a"}, {Identifier: "x", Lead: "a"}, {Identifier: "z", Lead: "c"}}); err != nil {
			return err
		}
		_, err := tx.InsertFacts(ctx, []store.FactRow{fact("t", "1", "a", ""), fact("s", "2", "a", ""), fact("s", "10", "a", ""), fact("s", "3", "B", "")})
		return err
	})
	type row struct {
		Lead        store.Lead
		Identifiers []string
		Facts       []store.FactRow
	}
	walk := func(visit func(n int)) (rows []row) {
		t.Helper()
		must(t, db.EachLead(ctx, func(l store.Lead, identifiers []string, facts []store.FactRow) error {
			visit(len(rows))
			rows = append(rows, row{l, identifiers, facts})
			return nil
		}))
		return rows
	}
	want := []row{
		{store.Lead{ID: "B", Version: 1}, nil, []store.FactRow{fact("s", "3", "B", "")}},
		{store.Lead{ID: "a", Version: 1}, []string{"X", "x", "y"}, []store.FactRow{fact("s", "10", "a", ""), fact("s", "2", "a", ""), fact("t", "1", "a", "")}},
		{store.Lead{ID: "c", Version: 1}, []string{"z"}, nil},
	}
	// What is written while the walk is under way belongs to the next one.
	same(t, "the first walk", walk(func(n int) {
		if n == 0 {
			score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
				if err := saveLeads(ctx, tx, "a", "d"); err != nil {
					return err
				}
				if _, err := tx.Bind(ctx, []store.Alias{{Identifier: "w", Lead: "c"}}); err != nil {
					return err
				}
				_, err := tx.InsertFacts(ctx, []store.FactRow{fact("t", "9", "c", "")})
				return err
			})
		}
	}), want)
	want[1].Lead.Version = 2
	want[2].Identifiers, want[2].Facts = []string{"w", "z"}, []store.FactRow{fact("t", "9", "c", "")}
	want = append(want, row{store.Lead{ID: "d", Version: 1}, nil, nil})
	same(t, "the second walk", walk(func(int) {}), want)
}

func eachLeadStopsAtAnError(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error { return saveLeads(ctx, tx, "a", "b", "c") })
	calls := 0
	err := db.EachLead(ctx, func(store.Lead, []string, []store.FactRow) error {
		if calls++; calls == 2 {
			return errRefused
		}
		return nil
	})
	if !errors.Is(err, errRefused) || calls != 2 {
		t.Fatalf("EachLead returned %v after %d calls", err, calls)
	}
}

func leadsComeInPages(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	ids := slices.Concat(texts()[1:], numbered("lead", 7)) // no id is empty
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
		if err := saveLeads(ctx, tx, ids...); err != nil {
			return err
		}
		_, err := tx.LockLeads(ctx, []string{"lead0x"}) // locked and never saved: no lead yet
		return err
	})
	want := slices.Sorted(slices.Values(ids))
	for limit := 1; limit <= len(ids)+1; limit++ {
		var got []string
		for last := ""; ; last = got[len(got)-1] {
			page, err := db.LeadsAfter(ctx, last, limit)
			must(t, err)
			for _, l := range page {
				same(t, "a lead of a page", l, store.Lead{ID: l.ID, Version: 1})
				got = append(got, l.ID)
			}
			if len(page) < limit {
				break
			}
		}
		same(t, "leads in pages", got, want)
	}
}

func textComparesByBytes(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	var rows []store.FactRow
	var aliases []store.Alias
	for _, text := range texts() {
		rows = append(rows, fact(text, "id", "l", text), fact("source", text, "l", text))
		aliases = append(aliases, store.Alias{Identifier: text, Lead: "lead of " + text})
	}
	for i, fresh := range insertFacts(t, ctx, db, rows...) {
		if !fresh {
			t.Errorf("fact (%q, %q) is taken for another one", rows[i].Source, rows[i].ID)
		}
	}
	for identifier, lead := range bind(t, ctx, db, aliases...) {
		if lead != "lead of "+identifier {
			t.Errorf("%q is taken for another identifier: %q", identifier, lead)
		}
	}
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error { return saveLeads(ctx, tx, texts()...) })

	order := slices.Sorted(slices.Values(texts()))
	var leads []string
	must(t, db.EachLead(ctx, func(l store.Lead, _ []string, _ []store.FactRow) error {
		leads = append(leads, l.ID)
		return nil
	}))
	same(t, "leads in order of bytes", leads, order)
	var sources []string
	for _, f := range factsOf(t, ctx, db, "l")["l"] {
		if f.Source != "source" {
			sources = append(sources, f.Source)
		}
	}
	same(t, "sources in order of bytes", sources, order)
}

func instantsKeepMicroseconds(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	east := time.FixedZone("east", 5*3600+1800)
	for _, at := range instants() {
		score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
			leads, err := tx.LockLeads(ctx, []string{"l"})
			if err != nil {
				return err
			}
			l := leads[0]
			l.Version++
			l.StagedAt, l.UpdatedAt = at, at
			if !at.IsZero() { // what is below a microsecond is cut, and the zone is not kept
				l.UpdatedAt = at.Add(999 * time.Nanosecond).In(east)
			}
			return tx.SaveLeads(ctx, []store.Lead{l})
		})
		l, err := db.Lead(ctx, "l")
		must(t, err)
		for _, read := range []time.Time{l.StagedAt, l.UpdatedAt} {
			if !read.Equal(at) || read.IsZero() != at.IsZero() || read.Location() != time.UTC {
				t.Errorf("%v came back as %v", at, read)
			}
		}
	}
}
