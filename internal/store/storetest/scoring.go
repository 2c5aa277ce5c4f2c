package storetest

import (
	"context"
	"testing"

	"github.com/leadpact/leadpact/internal/store"
)

func exerciseScoring(t *testing.T, o Opener) {
	cases{
		"FactsAreUnique":                       factsAreUnique,
		"FactsAreUniqueAcrossWriters":          factsAreUniqueAcrossWriters,
		"FactsOfARolledBackTransactionAreGone": factsOfARolledBackTransactionAreGone,
		"FactsComeBackWhole":                   factsComeBackWhole,
		"FactHashesAreOfTheStored":             factHashesAreOfTheStored,
		"HasFactsCountsQuarantine":             hasFactsCountsQuarantine,
		"KeepStoresEachOnce":                   keepStoresEachOnce,
		"KeepHeedsItsBound":                    keepHeedsItsBound,
		"SettleIsPartOfItsTransaction":         settleIsPartOfItsTransaction,
		"IdentifiersKeepTheFirstLead":          identifiersKeepTheFirstLead,
		"IdentifiersAreBoundOnceByTwoWriters":  identifiersAreBoundOnceByTwoWriters,
		"LeadsAreMadeWhenLocked":               leadsAreMadeWhenLocked,
		"LeadsHaveVersions":                    leadsHaveVersions,
		"LeadsConflictWritesNothing":           leadsConflictWritesNothing,
		"LeadsComeBackWhole":                   leadsComeBackWhole,
		"LeadsUnderConcurrentWriters":          leadsUnderConcurrentWriters,
		"LeadsLockInOneOrder":                  leadsLockInOneOrder,
		"LeadsComeInPages":                     leadsComeInPages,
		"TransitionsAreUnique":                 transitionsAreUnique,
		"EachLeadIsOneSnapshotInOrder":         eachLeadIsOneSnapshotInOrder,
		"EachLeadStopsAtAnError":               eachLeadStopsAtAnError,
		"TextComparesByBytes":                  textComparesByBytes,
		"InstantsKeepMicroseconds":             instantsKeepMicroseconds,
	}.run(t, o)
}

// score runs f in a transaction that must succeed.
func score(t *testing.T, ctx context.Context, db store.Scoring, f func(ctx context.Context, tx store.ScoringTx) error) {
	t.Helper()
	must(t, db.Update(ctx, f))
}

// saveLeads makes leads in version 1.
func saveLeads(ctx context.Context, tx store.ScoringTx, ids ...string) error {
	leads, err := tx.LockLeads(ctx, ids)
	if err != nil {
		return err
	}
	for i := range leads {
		leads[i].Version++
	}
	return tx.SaveLeads(ctx, leads)
}
