// Package storetest is the contract of the store as tests: every engine passes the same suite.
//
// What chance decides in it comes from a seed, which a failing case prints; LEADPACT_TEST_SEED runs that one again.
package storetest

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadpact/leadpact/internal/store"
)

// Opener opens an engine's stores for the suite.
//
// Each call gives a fresh, empty database with the schema in it; a pair is two replicas, with connections of their own, on one
// fresh database. The suite closes every store that it was given; the opener's own cleanups run after that.
type Opener struct {
	Scoring    func(t testing.TB) store.Scoring
	Handoff    func(t testing.TB) store.Handoff
	Compliance func(t testing.TB) store.Compliance

	ScoringPair    func(t testing.TB) (store.Scoring, store.Scoring)
	HandoffPair    func(t testing.TB) (store.Handoff, store.Handoff)
	CompliancePair func(t testing.TB) (store.Compliance, store.Compliance)

	// ConcurrentWriters says that two transactions on different rows may be open at once. An engine without it makes the second
	// wait for the first: the suite checks that it does.
	ConcurrentWriters bool
}

// Exercise runs the whole suite.
func Exercise(t *testing.T, o Opener) {
	t.Run("Common", func(t *testing.T) { exerciseCommon(t, o) })
	t.Run("Scoring", func(t *testing.T) { exerciseScoring(t, o) })
	t.Run("Handoff", func(t *testing.T) { exerciseHandoff(t, o) })
	t.Run("Compliance", func(t *testing.T) { exerciseCompliance(t, o) })
}

// cases runs tests of one kind of store, each on a database of its own, beside each other.
type cases map[string]func(t *testing.T, o Opener)

func (c cases) run(t *testing.T, o Opener) {
	for name, test := range c {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, o)
		})
	}
}

// patience bounds a case: one that takes longer waits for something that never comes.
const patience = time.Minute

// within is the context of a case.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// open opens one store and closes it when the case ends.
func open[S store.Base](t *testing.T, opener func(t testing.TB) S) S {
	s := opener(t)
	closing(t, s)
	return s
}

// openPair opens two replicas.
func openPair[S store.Base](t *testing.T, opener func(t testing.TB) (S, S)) [2]S {
	a, b := opener(t)
	closing(t, a)
	closing(t, b)
	return [2]S{a, b}
}

func closing(t *testing.T, s store.Base) {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same compares what was read with what was written; no bytes and none are the same, and so are no rows and none.
func same(t *testing.T, what string, read, want any) {
	t.Helper()
	if diff := cmp.Diff(want, read, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +read):\n%s", what, diff)
	}
}

// seed returns the seed of a case.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if text := os.Getenv("LEADPACT_TEST_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("LEADPACT_TEST_SEED: %v", err)
		}
	}
	t.Logf("LEADPACT_TEST_SEED=%d", s)
	return s
}
