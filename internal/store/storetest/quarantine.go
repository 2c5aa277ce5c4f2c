package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

func quarantineCountsAttempts(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	row := filled[store.Quarantined](r)
	row.Raw = []byte("{\"name\":\"\x00\"}\xff")
	row.Attempts = 3
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{row}))
	again := filled[store.Quarantined](r)
	again.Key, again.Attempts = row.Key, 70
	other := filled[store.Quarantined](r)
	other.At = row.At.Add(time.Second)
	// Twice in one call and once in another: a batch that is delivered again brings all of it again.
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{again, other, again}))
	must(t, db.SaveQuarantined(ctx, []store.Quarantined{again}))
	must(t, db.SaveQuarantined(ctx, nil))
	row.Attempts = 6
	read, err := db.ListQuarantined(ctx, 10)
	must(t, err)
	same(t, "quarantine", read, []store.Quarantined{row, other})
}

func quarantineListsTheOldest(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	var rows []store.Quarantined
	for i := range 6 {
		row := filled[store.Quarantined](r)
		row.Key, row.At = fmt.Sprint("key", i), time.Date(2026, 1, 1, 0, 0, i/2, 0, time.UTC)
		rows = append(rows, row)
	}
	must(t, db.SaveQuarantined(ctx, reversed(rows)))
	read, err := db.ListQuarantined(ctx, 5)
	must(t, err)
	same(t, "the oldest five", read, rows[:5])
}

func quarantineExpires(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	var rows []store.Quarantined
	for i := range 4 {
		row := filled[store.Quarantined](r)
		row.Key, row.At = fmt.Sprint("key", i), time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
		rows = append(rows, row)
	}
	must(t, db.SaveQuarantined(ctx, rows))
	gone, err := db.ExpireQuarantined(ctx, rows[2].At) // what stands at the very instant stays
	must(t, err)
	left, err := db.CountQuarantined(ctx)
	must(t, err)
	if gone != 2 || left != 2 {
		t.Errorf("%d are gone and %d left, want 2 and 2", gone, left)
	}
	read, err := db.ListQuarantined(ctx, 5)
	must(t, err)
	same(t, "what is left", read, rows[2:])
}
