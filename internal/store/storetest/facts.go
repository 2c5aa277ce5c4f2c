package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func fact(source, id, lead, data string) store.FactRow {
	return store.FactRow{FactKey: store.FactKey{Source: source, ID: id}, Lead: lead, Data: []byte(data)}
}

func insertFacts(t *testing.T, ctx context.Context, db store.Scoring, rows ...store.FactRow) (fresh []bool) {
	t.Helper()
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) (err error) {
		fresh, err = tx.InsertFacts(ctx, rows)
		return err
	})
	return fresh
}

func factsOf(t *testing.T, ctx context.Context, db store.Scoring, leads ...string) (facts map[string][]store.FactRow) {
	t.Helper()
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) (err error) {
		facts, err = tx.Facts(ctx, leads)
		return err
	})
	return facts
}

func factsAreUnique(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	fresh := insertFacts(t, ctx, db,
		fact("s", "1", "l", "first"), fact("s", "2", "l", "a"), fact("s", "1", "l", "second"), fact("S", "1", "l", "other source"), fact("s", "1 ", "l", "other id"))
	same(t, "fresh", fresh, []bool{true, true, false, true, true})
	fresh = insertFacts(t, ctx, db, fact("s", "2", "another lead", "b"), fact("s", "3", "l", "c"), fact("s", "1", "l", "third"))
	same(t, "fresh", fresh, []bool{false, true, false})
	same(t, "fresh of none", insertFacts(t, ctx, db), []bool{})
	facts := factsOf(t, ctx, db, "l", "another lead", "l")
	same(t, "facts", facts["l"], []store.FactRow{
		fact("S", "1", "l", "other source"), fact("s", "1", "l", "first"), fact("s", "1 ", "l", "other id"), fact("s", "2", "l", "a"), fact("s", "3", "l", "c"),
	})
	same(t, "facts of a lead that has none", facts["another lead"], []store.FactRow{})
}

// factsAreUniqueAcrossWriters: the same batch from two replicas at once, in opposite orders.
func factsAreUniqueAcrossWriters(t *testing.T, o Opener) {
	const n, rounds = 60, 5
	ctx, pair := within(t), openPair(t, o.ScoringPair)
	for round := range rounds {
		var rows []store.FactRow
		for _, id := range numbered(fmt.Sprint("fact-", round), n) {
			rows = append(rows, fact("s", id, "l", id))
		}
		batches := [2][]store.FactRow{rows, reversed(rows)}
		var won [2][]bool
		var group errgroup.Group
		for i, db := range pair {
			group.Go(func() error {
				return db.Update(ctx, func(ctx context.Context, tx store.ScoringTx) (err error) {
					won[i], err = tx.InsertFacts(ctx, batches[i])
					return err
				})
			})
		}
		must(t, group.Wait())
		slices.Reverse(won[1])
		for i := range rows {
			if won[0][i] == won[1][i] {
				t.Fatalf("fact %s: fresh for the one: %v, for the other: %v", rows[i].ID, won[0][i], won[1][i])
			}
		}
	}
	if facts := factsOf(t, ctx, pair[0], "l")["l"]; len(facts) != n*rounds {
		t.Fatalf("%d facts are stored: want %d", len(facts), n*rounds)
	}
}

func factsOfARolledBackTransactionAreGone(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	err := db.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
		if _, err := tx.InsertFacts(ctx, []store.FactRow{fact("s", "1", "l", "")}); err != nil {
			return err
		}
		facts, err := tx.Facts(ctx, []string{"l"})
		must(t, err)
		same(t, "facts that the transaction itself sees", facts["l"], []store.FactRow{fact("s", "1", "l", "")})
		return errRefused
	})
	if !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	same(t, "fresh, the second time", insertFacts(t, ctx, db, fact("s", "1", "l", "")), []bool{true})
}

func factsComeBackWhole(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Scoring), random(t)
	want := map[string][]store.FactRow{}
	var rows []store.FactRow
	for i := range 60 {
		row := filled[store.FactRow](r)
		row.Lead = fmt.Sprint("lead", i%3)
		rows = append(rows, row)
		want[row.Lead] = append(want[row.Lead], row)
	}
	for _, facts := range want {
		slices.SortFunc(facts, func(a, b store.FactRow) int { return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID)) })
	}
	insertFacts(t, ctx, db, rows...)
	same(t, "facts", factsOf(t, ctx, db, "lead0", "lead1", "lead2", "lead3"), want)
}

func factHashesAreOfTheStored(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	hashed := func(source, id, hash string) store.FactRow {
		row := fact(source, id, "l", "")
		row.ContentHash = []byte(hash)
		return row
	}
	insertFacts(t, ctx, db, hashed("s", "1", "first"), hashed("s", "1", "second"), hashed("S", "1", "other source"), hashed("s", "9", "not asked for"))
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{{Key: "poison", Source: "s", EventID: "3", Raw: []byte("?")}}))
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
		if _, err := tx.InsertFacts(ctx, []store.FactRow{hashed("s", "1", "third"), hashed("s", "2", "own")}); err != nil {
			return err
		}
		one, two, other := store.FactKey{Source: "s", ID: "1"}, store.FactKey{Source: "s", ID: "2"}, store.FactKey{Source: "S", ID: "1"}
		hashes, err := tx.FactHashes(ctx, []store.FactKey{two, one, {Source: "s", ID: "3"}, {Source: "1", ID: "s"}, other, one})
		same(t, "hashes", hashes, map[store.FactKey][]byte{one: []byte("first"), two: []byte("own"), other: []byte("other source")})
		return err
	})
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
		hashes, err := tx.FactHashes(ctx, nil)
		same(t, "hashes of none", hashes, map[store.FactKey][]byte{})
		return err
	})
}

func hasFactsCountsQuarantine(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	insertFacts(t, ctx, db, fact("s", "1", "l", ""))
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{{Key: "poison", Source: "s", EventID: "2", Raw: []byte("?")}}))
	one, two := store.FactKey{Source: "s", ID: "1"}, store.FactKey{Source: "s", ID: "2"}
	has, err := db.HasFacts(ctx, []store.FactKey{two, one, {Source: "s", ID: "3"}, {Source: "S", ID: "1"}, {Source: "1", ID: "s"}, one})
	must(t, err)
	for key, there := range has {
		if !there {
			delete(has, key)
		}
	}
	same(t, "has", has, map[store.FactKey]bool{one: true, two: true})
	if _, err := db.DropQuarantined(ctx, "poison"); err != nil {
		t.Fatal(err)
	}
	has, err = db.HasFacts(ctx, []store.FactKey{two})
	must(t, err)
	if !has[two] {
		t.Error("what was given up is not remembered")
	}
}
