package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leadpact/leadpact/internal/store"
)

func activateTellsOnce(t *testing.T, o Opener) {
	ctx, pair, r := within(t), openPair(t, o.CompliancePair), random(t)
	row := filled[store.AgreementRow](r)
	var fresh atomic.Int32
	var group errgroup.Group
	for i := range 6 {
		group.Go(func() error {
			stored, err := pair[i%2].Activate(ctx, row, "", message("activated"))
			if stored {
				fresh.Add(1)
			}
			return err
		})
	}
	must(t, group.Wait())
	if n := fresh.Load(); n != 1 {
		t.Fatalf("one version, activated by six at once, was stored %d times", n)
	}
	same(t, "told", texted(relayAll(t, ctx, pair[0])), []string{"activated"})
	versions, err := pair[1].ListAgreements(ctx)
	must(t, err)
	same(t, "versions", versions, []store.AgreementRow{row})
}

// activateFollows: a version that was checked against one that is no longer the last is not stored, and nobody is told.
func activateFollows(t *testing.T, o Opener) {
	ctx, pair, r := within(t), openPair(t, o.CompliancePair), random(t)
	version := func(year int) store.AgreementRow {
		row := filled[store.AgreementRow](r)
		row.ActiveFrom = time.Date(year, 1, 1, 0, 0, 0, 1000, time.UTC)
		return row
	}
	first, third := version(2026), version(2028)
	for _, step := range []struct {
		what     string
		row      store.AgreementRow
		after    string
		stored   bool
		conflict bool
	}{
		{"one that follows none that is there", version(2025), "another", false, true},
		{"the first", first, "", true, false},
		{"a second first", version(2027), "", false, true},
		{"one that follows the first", third, first.Hash, true, false},
		{"the first again, after anything", first, "another", false, false},
		{"one that follows what is not last", version(2029), first.Hash, false, true},
	} {
		stored, err := pair[0].Activate(ctx, step.row, step.after, message(step.what))
		if stored != step.stored || errors.Is(err, store.ErrConflict) != step.conflict || err != nil && !step.conflict {
			t.Fatalf("%s: stored %v, %v", step.what, stored, err)
		}
	}
	versions, err := pair[1].ListAgreements(ctx)
	must(t, err)
	same(t, "versions", versions, []store.AgreementRow{first, third})
	same(t, "told", texted(relayAll(t, ctx, pair[0])), []string{"the first", "one that follows the first"})

	// Of many that follow one version, one does.
	var fresh, conflicts atomic.Int32
	var group errgroup.Group
	for i := range 6 {
		row := version(2030 + i)
		group.Go(func() error {
			stored, err := pair[i%2].Activate(ctx, row, third.Hash, nil)
			switch {
			case stored:
				fresh.Add(1)
			case errors.Is(err, store.ErrConflict):
				conflicts.Add(1)
			default:
				return fmt.Errorf("neither stored nor a conflict: %w", err)
			}
			return nil
		})
	}
	must(t, group.Wait())
	if fresh.Load() != 1 || conflicts.Load() != 5 {
		t.Fatalf("%d of six were stored, %d were overtaken", fresh.Load(), conflicts.Load())
	}
}

func acknowledgementsKeepTheFirst(t *testing.T, o Opener) {
	ctx, pair, r := within(t), openPair(t, o.CompliancePair), random(t)
	ann, bob := filled[store.Acknowledgement](r), filled[store.Acknowledgement](r)
	ann.Person, bob.Person, bob.Hash = "ann", "Bob", ann.Hash
	other := ann
	other.Hash, other.At = "another version", ann.At.Add(time.Hour)
	for _, row := range []store.Acknowledgement{ann, bob, other} {
		at, err := pair[0].Acknowledge(ctx, row)
		must(t, err)
		same(t, "the first time", at, row.At)
	}
	again := ann
	again.At = ann.At.Add(time.Minute)
	at, err := pair[1].Acknowledge(ctx, again)
	must(t, err)
	same(t, "the first time, said again", at, ann.At)
	for hash, want := range map[string][]store.Acknowledgement{ann.Hash: {bob, ann}, other.Hash: {other}, "unheard of": nil} {
		got, err := pair[1].Acknowledgements(ctx, hash)
		must(t, err)
		same(t, "acknowledgements of "+hash, got, want)
	}
}

func membersAreTheNewest(t *testing.T, o Opener) {
	ctx, pair := within(t), openPair(t, o.CompliancePair)
	save := func(db store.Compliance, m store.Members) error {
		return db.Update(ctx, func(ctx context.Context, tx store.ComplianceTx) error { return tx.SaveMembers(ctx, m) })
	}
	look := func(want store.Members) {
		t.Helper()
		got, err := pair[1].Members(ctx)
		must(t, err)
		same(t, "members", got, want)
	}
	look(store.Members{})
	two := store.Members{Roster: 2, People: []string{"ann", "bob"}}
	must(t, save(pair[0], two))
	look(two)
	must(t, save(pair[0], store.Members{Roster: 1, People: []string{"zoe"}})) // it comes late
	look(two)
	must(t, save(pair[0], store.Members{Roster: 2, People: []string{"zoe"}})) // and again
	look(two)
	must(t, save(pair[0], store.Members{Roster: 3}))
	look(store.Members{Roster: 3})
	var group errgroup.Group
	for i := range 8 {
		group.Go(func() error {
			return save(pair[i%2], store.Members{Roster: int64(10 + i), People: []string{fmt.Sprint(i)}})
		})
	}
	must(t, group.Wait())
	look(store.Members{Roster: 17, People: []string{"7"}})
}

func entry(shard int, seq int64, id string) store.Entry {
	return store.Entry{Shard: shard, Seq: seq, Source: "s", EventID: id, Type: "t"}
}

func appendEntries(ctx context.Context, db store.Compliance, entries ...store.Entry) error {
	return db.Update(ctx, func(ctx context.Context, tx store.ComplianceTx) error { return tx.Append(ctx, entries) })
}

func ledgerIsUnique(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Compliance)
	must(t, appendEntries(ctx, db, entry(1, 1, "a"), entry(1, 2, "b"), entry(2, 1, "A")))
	for what, entries := range map[string][]store.Entry{
		"event":             {entry(1, 3, "c"), entry(2, 2, "a")},
		"number":            {entry(1, 3, "c"), entry(1, 2, "d")},
		"event in one call": {entry(1, 3, "c"), entry(2, 2, "c")},
	} {
		if err := appendEntries(ctx, db, entries...); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a second entry of one %s: %v: want ErrConflict", what, err)
		}
	}
	judge(t, ctx, db, func(ctx context.Context, tx store.ComplianceTx) error {
		known, err := tx.Known(ctx, []store.FactKey{{Source: "s", ID: "c"}, {Source: "s", ID: "a"}, {Source: "S", ID: "a"}, {Source: "s", ID: "A"}, {Source: "s", ID: "a"}})
		for key, there := range known {
			if !there {
				delete(known, key)
			}
		}
		same(t, "known", known, map[store.FactKey]bool{{Source: "s", ID: "a"}: true, {Source: "s", ID: "A"}: true})
		return err
	})
}

func ledgerComesBackWhole(t *testing.T, o Opener) {
	ctx, db, r := within(t), open(t, o.Compliance), random(t)
	var rows []store.Entry
	for seq := range int64(20) {
		e := filled[store.Entry](r)
		e.Shard, e.Seq = 3, seq+1
		rows = append(rows, e)
	}
	must(t, appendEntries(ctx, db, reversed(rows)...))
	read, err := db.Entries(ctx, 3, 0, "", 100)
	must(t, err)
	same(t, "entries", read, rows)
}

func ledgerIsReadByTypeAndPage(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Compliance)
	var all, breaches []store.Entry
	for seq := int64(1); seq <= 30; seq++ {
		e := entry(1, seq, fmt.Sprint(seq))
		e.Type = []string{"clock.breached", "clock.met", "Clock.breached"}[seq%3]
		all = append(all, e)
		if seq%3 == 0 {
			breaches = append(breaches, e)
		}
	}
	must(t, appendEntries(ctx, db, append(slices.Clone(all), entry(2, 1, "elsewhere"))...))
	for typ, want := range map[string][]store.Entry{"": all, "clock.breached": breaches, "none": nil} {
		for _, limit := range []int{1, 4, 100} {
			var read []store.Entry
			for after := int64(0); ; {
				page, err := db.Entries(ctx, 1, after, typ, limit)
				must(t, err)
				if len(page) == 0 {
					break
				}
				if len(page) > limit {
					t.Fatalf("%d entries of at most %d", len(page), limit)
				}
				read = append(read, page...)
				after = page[len(page)-1].Seq
			}
			same(t, fmt.Sprintf("entries of type %q in pages of %d", typ, limit), read, want)
		}
	}
}

func ledgerHeadsAreMadeWhenLocked(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Compliance)
	judge(t, ctx, db, func(ctx context.Context, tx store.ComplianceTx) error {
		heads, err := tx.LockShards(ctx, []int{10, 2, 10, 0})
		same(t, "locked", heads, []store.Head{{Shard: 0}, {Shard: 2}, {Shard: 10}})
		if err != nil {
			return err
		}
		return tx.SaveHeads(ctx, []store.Head{{Shard: 10, Seq: 5, Hash: []byte{0, 255}}, {Shard: 2, Seq: 1, Hash: []byte{1}}})
	})
	heads, err := db.Heads(ctx)
	must(t, err)
	slices.SortFunc(heads, func(a, b store.Head) int { return a.Shard - b.Shard })
	same(t, "heads", heads, []store.Head{{Shard: 0}, {Shard: 2, Seq: 1, Hash: []byte{1}}, {Shard: 10, Seq: 5, Hash: []byte{0, 255}}})
}

// chain is the rule that the test's ledger keeps.
func chain(before []byte, e store.Entry) []byte {
	sum := sha256.Sum256(fmt.Appendf(slices.Clone(before), "|%d|%d|%s", e.Shard, e.Seq, e.EventID))
	return sum[:]
}

// ledgerHasNoGapUnderConcurrency: writers over two replicas, some of whose transactions fail, and readers who follow each shard by
// its numbers. A reader that saw n+1 before n would never see n.
func ledgerHasNoGapUnderConcurrency(t *testing.T, o Opener) {
	const writers, rounds, shards = 6, 12, 2
	ctx, pair, start := within(t), openPair(t, o.CompliancePair), seed(t)
	var written atomic.Bool
	var reading, writing errgroup.Group
	for i, db := range pair {
		reading.Go(func() error {
			var at [shards]int64
			for last := false; ; {
				for shard := range shards {
					page, err := db.Entries(ctx, shard, at[shard], "", 3)
					if err != nil {
						return err
					}
					for _, e := range page {
						if e.Seq != at[shard]+1 {
							return fmt.Errorf("reader %d: shard %d shows %d after %d", i, shard, e.Seq, at[shard])
						}
						at[shard] = e.Seq
					}
				}
				if last {
					return nil
				}
				last = written.Load()
			}
		})
	}
	for w := range writers {
		writing.Go(func() error {
			r := rand.New(rand.NewPCG(start, uint64(w)))
			for round := range rounds {
				wanted, fails := []int{0, 1}[:1+r.IntN(2)], r.IntN(4) == 0
				if r.IntN(2) == 0 {
					wanted = []int{1, 0}
				}
				err := pair[w%2].Update(ctx, func(ctx context.Context, tx store.ComplianceTx) error {
					heads, err := tx.LockShards(ctx, wanted)
					if err != nil {
						return err
					}
					var entries []store.Entry
					for i := range heads {
						for n := range 2 {
							h := &heads[i]
							h.Seq++
							e := entry(h.Shard, h.Seq, fmt.Sprintf("%d-%d-%d-%d", w, round, h.Shard, n))
							h.Hash = chain(h.Hash, e)
							e.Hash = h.Hash
							entries = append(entries, e)
						}
					}
					if err := tx.Append(ctx, entries); err != nil {
						return err
					}
					if err := tx.SaveHeads(ctx, heads); err != nil {
						return err
					}
					if fails {
						return errRefused
					}
					return nil
				})
				if err != nil && !errors.Is(err, errRefused) {
					return err
				}
			}
			return nil
		})
	}
	err := writing.Wait()
	written.Store(true)
	must(t, errors.Join(err, reading.Wait()))

	heads, err := pair[1].Heads(ctx)
	must(t, err)
	if len(heads) != shards {
		t.Fatalf("%d heads", len(heads))
	}
	for _, h := range heads {
		entries, err := pair[0].Entries(ctx, h.Shard, 0, "", 10_000)
		must(t, err)
		var hash []byte
		for i, e := range entries {
			if hash = chain(hash, e); e.Seq != int64(i+1) || !bytes.Equal(hash, e.Hash) {
				t.Fatalf("shard %d: entry %d has number %d, chained: %v", h.Shard, i+1, e.Seq, bytes.Equal(hash, e.Hash))
			}
		}
		if h.Seq != int64(len(entries)) || !bytes.Equal(h.Hash, hash) {
			t.Fatalf("shard %d: the head says %d, the ledger has %d", h.Shard, h.Seq, len(entries))
		}
	}
}

// ledgerLocksShardsInOneOrder: see leadsLockInOneOrder.
func ledgerLocksShardsInOneOrder(t *testing.T, o Opener) {
	const rounds = 25
	ctx, pair := within(t), openPair(t, o.CompliancePair)
	orders := [2][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}}
	var runs atomic.Int64
	var group errgroup.Group
	for i, db := range pair {
		group.Go(func() error {
			for range rounds {
				err := db.Update(ctx, func(ctx context.Context, tx store.ComplianceTx) error {
					runs.Add(1)
					heads, err := tx.LockShards(ctx, orders[i])
					if err != nil {
						return err
					}
					for j := range heads {
						heads[j].Seq++
					}
					return tx.SaveHeads(ctx, heads)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	if n := runs.Load(); n != 2*rounds {
		t.Fatalf("%d transactions ran %d times: some met in a circle", 2*rounds, n)
	}
	heads, err := pair[0].Heads(ctx)
	must(t, err)
	for _, h := range heads {
		if h.Seq != 2*rounds {
			t.Errorf("shard %d: %d of %d", h.Shard, h.Seq, 2*rounds)
		}
	}
}
