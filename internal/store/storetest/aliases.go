package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func bind(t *testing.T, ctx context.Context, db store.Scoring, aliases ...store.Alias) (leads map[string]string) {
	t.Helper()
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) (err error) {
		leads, err = tx.Bind(ctx, aliases)
		return err
	})
	return leads
}

func identifiersKeepTheFirstLead(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	same(t, "bound", bind(t, ctx, db, store.Alias{Identifier: "a", Lead: "1"}, store.Alias{Identifier: "a", Lead: "2"}, store.Alias{Identifier: "A", Lead: "3"}),
		map[string]string{"a": "1", "A": "3"})
	same(t, "bound", bind(t, ctx, db, store.Alias{Identifier: "b", Lead: "2"}, store.Alias{Identifier: "a", Lead: "2"}), map[string]string{"a": "1", "b": "2"})
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) error {
		leads, err := tx.Resolve(ctx, []string{"b", "a", "unknown", "a", "B"})
		same(t, "resolved", leads, map[string]string{"a": "1", "b": "2"})
		return err
	})
	lead, err := db.FindLead(ctx, "A")
	if lead != "3" || err != nil {
		t.Fatalf("FindLead: %q, %v", lead, err)
	}
	if _, err := db.FindLead(ctx, "unknown"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("FindLead of an unknown identifier: %v: want ErrNotFound", err)
	}
}

// identifiersAreBoundOnceByTwoWriters: two events of one new person at two replicas; both must speak of one lead.
func identifiersAreBoundOnceByTwoWriters(t *testing.T, o Opener) {
	ctx, pair := within(t), openPair(t, o.ScoringPair)
	for round := range 10 {
		var answers [2]map[string]string
		var group errgroup.Group
		for i, db := range pair {
			var aliases []store.Alias
			for _, identifier := range numbered(fmt.Sprint("id-", round), 20) {
				aliases = append(aliases, store.Alias{Identifier: identifier, Lead: fmt.Sprintf("%s of %d", identifier, i)})
			}
			if i == 1 {
				aliases = reversed(aliases)
			}
			group.Go(func() error {
				return db.Update(ctx, func(ctx context.Context, tx store.ScoringTx) (err error) {
					answers[i], err = tx.Bind(ctx, aliases)
					return err
				})
			})
		}
		must(t, group.Wait())
		same(t, "the two answers", answers[1], answers[0])
		if len(answers[0]) != 20 {
			t.Fatalf("Bind answered for %d of 20", len(answers[0]))
		}
	}
}
