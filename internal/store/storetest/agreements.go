package storetest

import (
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

func agreementsKeepTheFirst(t *testing.T, s service) {
	ctx, db, r := within(t), s.open(t), random(t)
	none, err := db.ListAgreements(ctx)
	must(t, err)
	same(t, "no versions", none, []store.AgreementRow{})

	var rows []store.AgreementRow
	for i := range 4 { // stored the newest first; two of one moment go by hash
		row := filled[store.AgreementRow](r)
		row.ActiveFrom = time.Date(2026, 1, 10-i/2, 0, 0, 0, 1000, time.UTC)
		row.Hash = string(rune('d' - i))
		rows = append(rows, row)
		must(t, db.SaveAgreement(ctx, row))
	}
	again := rows[0]
	again.Text, again.Actor, again.ActiveFrom = []byte("another text"), "another", again.ActiveFrom.AddDate(-1, 0, 0)
	must(t, db.SaveAgreement(ctx, again))
	read, err := db.ListAgreements(ctx)
	must(t, err)
	same(t, "versions, the oldest first, as they were stored first", read, reversed(rows))
	count, err := db.CountAgreements(ctx)
	must(t, err)
	same(t, "how many they are", count, len(rows))
}
