package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// poison is a row with something in every field.
func poison(r *rand.Rand) store.Quarantined {
	row := filled[store.Quarantined](r)
	row.Size = int64(len(row.Raw))
	return row
}

// listed are rows as a list shows them.
func listed(rows ...store.Quarantined) []store.Quarantined {
	out := make([]store.Quarantined, 0, len(rows))
	for _, row := range rows {
		row.Raw, row.Hook = nil, nil
		out = append(out, row)
	}
	return out
}

func quarantineCountsAttempts(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	row := poison(r)
	row.Raw = []byte("{\"name\":\"\x00\"}\xff")
	row.Size, row.Attempts = int64(len(row.Raw)), 3
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{row}))
	again := poison(r)
	again.Key, again.Attempts = row.Key, 70
	other := poison(r)
	other.At, other.TriedAt = row.At.Add(time.Second), time.Time{}
	// Twice in one call and once in another: a batch that is delivered again brings all of it again.
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{again, other, again}))
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{again}))
	must(t, db.SaveQuarantined(ctx, nil))
	row.Attempts = 6
	read, err := db.ListQuarantined(ctx, store.Search{Limit: 10})
	must(t, err)
	same(t, "quarantine", read, listed(row, other))
	for _, want := range []store.Quarantined{row, other} {
		whole, err := db.Quarantined(ctx, want.Key)
		must(t, err)
		same(t, "a row of its own", whole, want)
	}
	if _, err := db.Quarantined(ctx, "another"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a row that nobody stored is read with %v", err)
	}
}

func quarantineListsTheOldest(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	var rows, odd []store.Quarantined
	for i := range 6 {
		row := poison(r)
		row.Key, row.At, row.Source = fmt.Sprint("key", i), time.Date(2026, 1, 1, 0, 0, i/2, 0, time.UTC), fmt.Sprint("source", i%2)
		rows = append(rows, row)
		if i%2 == 1 {
			odd = append(odd, row)
		}
	}
	must(t, db.SaveQuarantined(ctx, reversed(rows)))
	read, err := db.ListQuarantined(ctx, store.Search{Limit: 5})
	must(t, err)
	same(t, "the oldest five", read, listed(rows[:5]...))
	var paged []store.Quarantined
	for s := (store.Search{Limit: 2}); ; {
		page, err := db.ListQuarantined(ctx, s)
		must(t, err)
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
		last := page[len(page)-1]
		s.After = store.QuarantinePlace{At: last.At, Key: last.Key}
	}
	same(t, "page by page", paged, listed(rows...))
	read, err = db.ListQuarantined(ctx, store.Search{Source: "source1", After: store.QuarantinePlace{At: rows[1].At, Key: rows[1].Key}, Limit: 9})
	must(t, err)
	same(t, "of one source, after the first", read, listed(odd[1:]...))
	for _, s := range []store.Search{{Source: "source", Limit: 9}, {Limit: 0}} {
		read, err = db.ListQuarantined(ctx, s)
		must(t, err)
		same(t, "nothing", read, []store.Quarantined{})
	}
}

func quarantineSettles(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	gone, stays, other := poison(r), poison(r), poison(r)
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{gone, stays, other}))
	settle := func(key string, s store.Settlement, want bool) {
		t.Helper()
		there, err := db.SettleQuarantined(ctx, key, s)
		must(t, err)
		if there != want {
			t.Errorf("settled %t, want %t", there, want)
		}
	}
	settle(gone.Key, store.Settlement{Applied: true}, true)
	settle(gone.Key, store.Settlement{Applied: true}, false)
	settle(gone.Key, store.Settlement{Reason: "again"}, false)
	if _, err := db.Quarantined(ctx, gone.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was applied is read with %v", err)
	}
	at := time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC)
	settle(stays.Key, store.Settlement{Reason: "still no\x00 text", TriedAt: at}, true)
	read, err := db.Quarantined(ctx, stays.Key)
	must(t, err)
	want := stays
	want.Attempts, want.Reason, want.TriedAt = stays.Attempts+1, read.Reason, at
	same(t, "what stays", read, want)
	settle(stays.Key, store.Settlement{Reason: "half", TriedAt: at.Add(time.Second), Hook: []byte{0, 1, 0xff}}, true)
	read, err = db.Quarantined(ctx, stays.Key)
	must(t, err)
	want.Attempts, want.Reason, want.TriedAt, want.Hook = stays.Attempts+2, "half", at.Add(time.Second), []byte{0, 1, 0xff}
	same(t, "what stays with another event", read, want)
	read, err = db.Quarantined(ctx, other.Key)
	must(t, err)
	same(t, "its neighbour", read, other)
}

// quarantineSettlesOnce: of many who settle one row at the same time, one finds it.
func quarantineSettlesOnce(t *testing.T, s service) {
	ctx, pair, r := within(t), s.pair(t), random(t)
	row := poison(r)
	must(t, pair[0].SaveQuarantined(ctx, []store.Quarantined{row}))
	var all sync.WaitGroup
	var mu sync.Mutex
	found := 0
	for i := range 8 {
		all.Go(func() {
			there, err := pair[i%2].SettleQuarantined(ctx, row.Key, store.Settlement{Applied: true})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if there {
				found++
			}
		})
	}
	all.Wait()
	if found != 1 {
		t.Errorf("%d settled it", found)
	}
}

func quarantineRemembersWhatWasDropped(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	row, other := poison(r), poison(r)
	row.At, other.At = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{row, other}))
	for _, want := range []bool{true, false} {
		there, err := db.DropQuarantined(ctx, row.Key)
		must(t, err)
		if there != want {
			t.Errorf("dropped %t, want %t", there, want)
		}
	}
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{row})) // its sender does not give up
	if _, err := db.Quarantined(ctx, row.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was dropped is read with %v", err)
	}
	if there, err := db.SettleQuarantined(ctx, row.Key, store.Settlement{Applied: true}); there || err != nil {
		t.Errorf("what was dropped is settled: %t, %v", there, err)
	}
	read, err := db.ListQuarantined(ctx, store.Search{Limit: 9})
	must(t, err)
	same(t, "what waits", read, listed(other))
	counts, err := db.CountQuarantined(ctx)
	must(t, err)
	same(t, "counts", counts, map[store.Kind]int{other.Kind: 1})
	gone, err := db.ExpireQuarantined(ctx, other.At)
	must(t, err)
	if gone != 1 {
		t.Errorf("%d are gone, want the one that was dropped", gone)
	}
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{row}))
	if _, err := db.Quarantined(ctx, row.Key); err != nil {
		t.Errorf("after it expired it cannot come again: %v", err)
	}
}

func quarantineCountsByKind(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	counts, err := db.CountQuarantined(ctx)
	must(t, err)
	same(t, "counts of nothing", counts, map[store.Kind]int{})
	var rows []store.Quarantined
	for _, kind := range []store.Kind{store.PoisonEvent, store.RefusedHook, store.RefusedHook} {
		row := poison(r)
		row.Kind = kind
		rows = append(rows, row)
	}
	must(t, db.SaveQuarantined(ctx, rows))
	counts, err = db.CountQuarantined(ctx)
	must(t, err)
	same(t, "counts", counts, map[store.Kind]int{store.PoisonEvent: 1, store.RefusedHook: 2})
}

func quarantineExpires(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	var rows []store.Quarantined
	for i := range 4 {
		row := poison(r)
		row.Key, row.At = fmt.Sprint("key", i), time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
		rows = append(rows, row)
	}
	must(t, db.SaveQuarantined(ctx, rows))
	gone, err := db.ExpireQuarantined(ctx, rows[2].At) // what stands at the very instant stays
	must(t, err)
	if gone != 2 {
		t.Errorf("%d are gone, want 2", gone)
	}
	read, err := db.ListQuarantined(ctx, store.Search{Limit: 5})
	must(t, err)
	same(t, "what is left", read, listed(rows[2:]...))
}

// roomy is a bound that nothing here reaches.
func roomy() store.Bound { return store.Bound{Rows: 1000, Bytes: 1 << 20} }

// hook is a webhook of a source with a body of some bytes.
func hook(key, source string, bytes int) store.Quarantined {
	return store.Quarantined{
		Key: key, Kind: store.RefusedHook, Source: source, EventID: "id of " + key, Raw: make([]byte, bytes), Hook: []byte("h"), Agreement: "a",
		Reason: "no", Attempts: 1, At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Size: int64(bytes),
	}
}

func keep(t *testing.T, ctx context.Context, db store.Scoring, bound store.Bound, rows ...store.Quarantined) (kept []bool) {
	t.Helper()
	score(t, ctx, db, func(ctx context.Context, tx store.ScoringTx) (err error) {
		kept, err = tx.Keep(ctx, rows, bound)
		return err
	})
	return kept
}

func keepStoresEachOnce(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	a, b := hook("a", "s", 10), hook("b", "s", 0)
	same(t, "kept", keep(t, ctx, db, roomy(), a, b, a), []bool{true, true, true})
	same(t, "kept again", keep(t, ctx, db, roomy(), a), []bool{true})
	same(t, "nothing kept", keep(t, ctx, db, roomy()), []bool{})
	a.Attempts = 3
	read, err := db.ListQuarantined(ctx, store.Search{Limit: 9})
	must(t, err)
	same(t, "quarantine", read, listed(a, b))
	if _, err := db.DropQuarantined(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	same(t, "known although dropped", keep(t, ctx, db, store.Bound{}, a), []bool{true})
	read, err = db.ListQuarantined(ctx, store.Search{Limit: 9})
	must(t, err)
	same(t, "quarantine without what was dropped", read, listed(b))
}

func keepHeedsItsBound(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	// Poison takes no room, and neither does another source or what was dropped.
	p := hook("p", "s", 1000)
	p.Kind = store.PoisonEvent
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{p}))
	bound := store.Bound{Rows: 3, Bytes: 100}
	same(t, "bytes", keep(t, ctx, db, bound, hook("1", "s", 60), hook("2", "s", 41), hook("3", "t", 100), hook("4", "s", 40), hook("5", "s", 1)),
		[]bool{true, false, true, true, false})
	same(t, "known", keep(t, ctx, db, bound, hook("1", "s", 60)), []bool{true})
	same(t, "rows", keep(t, ctx, db, bound, hook("6", "s", 0), hook("7", "s", 0)), []bool{true, false})
	if _, err := db.DropQuarantined(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	same(t, "room again", keep(t, ctx, db, bound, hook("8", "s", 61), hook("9", "s", 60)), []bool{false, true})
	same(t, "no room at all", keep(t, ctx, db, store.Bound{}, hook("10", "u", 0)), []bool{false})
}

func settleIsPartOfItsTransaction(t *testing.T, o Opener) {
	ctx, db := within(t), open(t, o.Scoring)
	row := hook("a", "s", 10)
	keep(t, ctx, db, roomy(), row)
	undone := errors.New("undone")
	err := db.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
		if there, err := tx.Settle(ctx, "a", store.Settlement{Applied: true}); !there || err != nil {
			t.Errorf("settled %t, %v", there, err)
		}
		if there, err := tx.Settle(ctx, "a", store.Settlement{Applied: true}); there || err != nil {
			t.Errorf("settled twice: %t, %v", there, err)
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	read, err := db.Quarantined(ctx, "a")
	must(t, err)
	same(t, "after the transaction was undone", read, row)
}
