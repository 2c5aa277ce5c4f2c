package storetest

import (
	"context"
	"testing"

	"github.com/leadpact/leadpact/internal/store"
)

func exerciseCompliance(t *testing.T, o Opener) {
	cases{
		"ActivateTellsOnce":              activateTellsOnce,
		"ActivateFollows":                activateFollows,
		"AcknowledgementsKeepTheFirst":   acknowledgementsKeepTheFirst,
		"MembersAreTheNewest":            membersAreTheNewest,
		"LedgerIsUnique":                 ledgerIsUnique,
		"LedgerComesBackWhole":           ledgerComesBackWhole,
		"LedgerIsReadByTypeAndPage":      ledgerIsReadByTypeAndPage,
		"LedgerHeadsAreMadeWhenLocked":   ledgerHeadsAreMadeWhenLocked,
		"LedgerHasNoGapUnderConcurrency": ledgerHasNoGapUnderConcurrency,
		"LedgerLocksShardsInOneOrder":    ledgerLocksShardsInOneOrder,
		"TalliesAdd":                     talliesAdd,
		"TalliesAddUnderConcurrency":     talliesAddUnderConcurrency,
		"PendingClocks":                  pendingClocks,
	}.run(t, o)
}

// judge runs f in a transaction that must succeed.
func judge(t *testing.T, ctx context.Context, db store.Compliance, f func(ctx context.Context, tx store.ComplianceTx) error) {
	t.Helper()
	must(t, db.Update(ctx, f))
}
