package storetest

import (
	"context"
	"testing"

	"github.com/leadpact/leadpact/internal/store"
)

func exerciseHandoff(t *testing.T, o Opener) {
	cases{
		"PoolsAreMadeWhenLocked":            poolsAreMadeWhenLocked,
		"LoadsAreAdded":                     loadsAreAdded,
		"LoadsStayWithinCapacity":           loadsStayWithinCapacity,
		"ManyLoadsAreRead":                  manyLoadsAreRead,
		"PoolsLoseNoUpdate":                 poolsLoseNoUpdate,
		"LoadsLoseNoUpdate":                 loadsLoseNoUpdate,
		"LocksTakeOneOrder":                 locksTakeOneOrder,
		"LoadsAreRecounted":                 loadsAreRecounted,
		"RosterKeepsItsHistory":             rosterKeepsItsHistory,
		"HandoffsAreUnique":                 handoffsAreUnique,
		"HandoffsHaveVersions":              handoffsHaveVersions,
		"HandoffsComeBackWhole":             handoffsComeBackWhole,
		"HandoffsLockTheNewest":             handoffsLockTheNewest,
		"HandoffsWaitInOrder":               handoffsWaitInOrder,
		"AssignmentsHaveOneLive":            assignmentsHaveOneLive,
		"AssignmentsHaveOneLiveUnderRace":   assignmentsHaveOneLiveUnderRace,
		"AssignmentsAreUnique":              assignmentsAreUnique,
		"AssignmentsAreReadByHandoff":       assignmentsAreReadByHandoff,
		"AssignmentsSaveTheirEnd":           assignmentsSaveTheirEnd,
		"EachAssignmentIsOneSnapshot":       eachAssignmentIsOneSnapshot,
		"InboxShowsTheNearestFirst":         inboxShowsTheNearestFirst,
		"ClocksComeBackWhole":               clocksComeBackWhole,
		"ClocksAreWonOnce":                  clocksAreWonOnce,
		"ClocksAreWonOnceUnderRace":         clocksAreWonOnceUnderRace,
		"ClocksThatAreMetCannotBeBreached":  clocksThatAreMetCannotBeBreached,
		"ClocksLockLosesNoUpdate":           clocksLockLosesNoUpdate,
		"PromisesAreLocked":                 promisesAreLocked,
		"PromisesAreFiredAtOnce":            promisesAreFiredAtOnce,
		"PromisesAreFiredOnceUnderRace":     promisesAreFiredOnceUnderRace,
		"MissedPromisesAreRead":             missedPromisesAreRead,
		"ClocksAreCorrectedOnce":            clocksAreCorrectedOnce,
		"ClocksAreCorrectedOnceUnderRace":   clocksAreCorrectedOnceUnderRace,
		"BreachesAreUnique":                 breachesAreUnique,
		"WakesArePagedInOrder":              wakesArePagedInOrder,
		"OverdueClocksAreCounted":           overdueClocksAreCounted,
		"ActivitiesAreUnique":               activitiesAreUnique,
		"ActivitiesAreReadByHandoff":        activitiesAreReadByHandoff,
		"NoticesAreUniqueAndComeBackWhole":  noticesAreUniqueAndComeBackWhole,
		"NoticesAreHiddenWhileClaimed":      noticesAreHiddenWhileClaimed,
		"NoticesAreClaimedOnceUnderRace":    noticesAreClaimedOnceUnderRace,
		"NoticesThatAreSentOrDeadStayQuiet": noticesThatAreSentOrDeadStayQuiet,
	}.run(t, o)
}

// hand runs f in a transaction that must succeed.
func hand(t *testing.T, ctx context.Context, db store.Handoff, f func(ctx context.Context, tx store.HandoffTx) error) {
	t.Helper()
	must(t, db.Update(ctx, f))
}

// key names the first handoff of a lead.
func key(lead string) store.HandoffKey { return store.HandoffKey{Lead: lead, Cycle: 1} }

// insertHandoffs makes handoffs in version 1.
func insertHandoffs(t *testing.T, ctx context.Context, db store.Handoff, keys ...store.HandoffKey) {
	t.Helper()
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error {
		var rows []store.HandoffRow
		for _, k := range keys {
			rows = append(rows, store.HandoffRow{HandoffKey: k, Version: 1, State: store.HandoffAssigned})
		}
		_, err := tx.InsertHandoffs(ctx, rows)
		return err
	})
}

func insertAssignments(ctx context.Context, db store.Handoff, rows ...store.Assignment) error {
	return db.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertAssignments(ctx, rows) })
}

func insertClocks(t *testing.T, ctx context.Context, db store.Handoff, rows ...store.ClockRow) {
	t.Helper()
	hand(t, ctx, db, func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertClocks(ctx, rows) })
}
