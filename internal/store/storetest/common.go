package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
)

// common is what the three services' stores share, in one shape, so that each is put through the same cases.
type common struct {
	store.Base
	// update runs f in a transaction; lock locks a row, named by key, of whatever kind the store has.
	update func(ctx context.Context, f func(ctx context.Context, tx commonTx) error) error
}

type commonTx struct {
	store.OutboxTx
	lock func(ctx context.Context, key string) error
}

func ofScoring(s store.Scoring) common {
	return common{s, func(ctx context.Context, f func(ctx context.Context, tx commonTx) error) error {
		return s.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
			return f(ctx, commonTx{tx, func(ctx context.Context, key string) error {
				_, err := tx.LockLeads(ctx, []string{key})
				return err
			}})
		})
	}}
}

func ofHandoff(s store.Handoff) common {
	return common{s, func(ctx context.Context, f func(ctx context.Context, tx commonTx) error) error {
		return s.Update(ctx, func(ctx context.Context, tx store.HandoffTx) error {
			return f(ctx, commonTx{tx, func(ctx context.Context, key string) error {
				_, err := tx.LockPools(ctx, []string{key})
				return err
			}})
		})
	}}
}

func ofCompliance(s store.Compliance) common {
	return common{s, func(ctx context.Context, f func(ctx context.Context, tx commonTx) error) error {
		return s.Update(ctx, func(ctx context.Context, tx store.ComplianceTx) error {
			return f(ctx, commonTx{tx, func(ctx context.Context, key string) error {
				shard := 0
				for _, b := range []byte(key) {
					shard = shard*31 + int(b)
				}
				_, err := tx.LockShards(ctx, []int{shard & 0xffff})
				return err
			}})
		})
	}}
}

// service opens one service's store as a common one.
type service struct {
	open func(t *testing.T) common
	pair func(t *testing.T) [2]common
	// concurrent is Opener.ConcurrentWriters.
	concurrent bool
}

func exerciseCommon(t *testing.T, o Opener) {
	services := map[string]service{
		"Scoring": {
			open: func(t *testing.T) common { return ofScoring(open(t, o.Scoring)) },
			pair: func(t *testing.T) [2]common {
				p := openPair(t, o.ScoringPair)
				return [2]common{ofScoring(p[0]), ofScoring(p[1])}
			},
		},
		"Handoff": {
			open: func(t *testing.T) common { return ofHandoff(open(t, o.Handoff)) },
			pair: func(t *testing.T) [2]common {
				p := openPair(t, o.HandoffPair)
				return [2]common{ofHandoff(p[0]), ofHandoff(p[1])}
			},
		},
		"Compliance": {
			open: func(t *testing.T) common { return ofCompliance(open(t, o.Compliance)) },
			pair: func(t *testing.T) [2]common {
				p := openPair(t, o.CompliancePair)
				return [2]common{ofCompliance(p[0]), ofCompliance(p[1])}
			},
		},
	}
	cases := map[string]func(t *testing.T, s service){
		"Now":                                 now,
		"UpdateRollsBackOnError":              updateRollsBackOnError,
		"UpdateRollsBackOnPanic":              updateRollsBackOnPanic,
		"UpdateRetriesConflicts":              updateRetriesConflicts,
		"UpdateGivesUpOnLastingConflict":      updateGivesUpOnLastingConflict,
		"UpdateHeedsCancelBeforeCommit":       updateHeedsCancelBeforeCommit,
		"UpdateHeedsCancelWhileWaiting":       updateHeedsCancelWhileWaiting,
		"OutboxForgetsNothingButTheAccepted":  outboxForgetsNothingButTheAccepted,
		"OutboxHidesWhatIsNotCommitted":       outboxHidesWhatIsNotCommitted,
		"OutboxNeverReusesAnID":               outboxNeverReusesAnID,
		"OutboxFindsWhatCommitsLate":          outboxFindsWhatCommitsLate,
		"RelayHoldsUpNobody":                  relayHoldsUpNobody,
		"RelayIsOneAtATime":                   relayIsOneAtATime,
		"RelayIsFreeAfterCancelAndPanic":      relayIsFreeAfterCancelAndPanic,
		"RelayUnderLoad":                      relayUnderLoad,
		"AgreementsKeepTheFirst":              agreementsKeepTheFirst,
		"QuarantineCountsAttempts":            quarantineCountsAttempts,
		"QuarantineListsTheOldest":            quarantineListsTheOldest,
		"QuarantineSettles":                   quarantineSettles,
		"QuarantineSettlesOnce":               quarantineSettlesOnce,
		"QuarantineRemembersWhatWasDropped":   quarantineRemembersWhatWasDropped,
		"QuarantineCountsByKind":              quarantineCountsByKind,
		"QuarantineExpires":                   quarantineExpires,
		"LeaseHasOneOwner":                    leaseHasOneOwner,
		"LeaseEndsByTheStoresClock":           leaseEndsByTheStoresClock,
		"LeaseIsTakenOnceByManyAtTheSameTime": leaseIsTakenOnceByManyAtTheSameTime,
	}
	for name, s := range services {
		s.concurrent = o.ConcurrentWriters
		t.Run(name, func(t *testing.T) {
			for name, test := range cases {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, s)
				})
			}
		})
	}
}

func now(t *testing.T, s service) {
	ctx, db := within(t), s.open(t)
	must(t, db.Ping(ctx))
	a, err := db.Now(ctx)
	must(t, err)
	b, err := db.Now(ctx)
	must(t, err)
	if a.Location() != time.UTC || !a.Equal(a.Truncate(time.Microsecond)) {
		t.Fatalf("Now is %v: want UTC, cut to microseconds", a)
	}
	if b.Before(a) {
		t.Fatalf("Now went from %v back to %v", a, b)
	}
	if away := time.Since(a).Abs(); away > time.Hour {
		t.Fatalf("Now is %v away from this machine's clock", away)
	}
}
