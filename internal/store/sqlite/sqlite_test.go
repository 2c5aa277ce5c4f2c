package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	"github.com/leadpact/leadpact/internal/store/storetest"
)

func TestMain(m *testing.M) {
	for variable, work := range map[string]func(path string) error{reading: read, relaying: relay} {
		if path := os.Getenv(variable); path != "" {
			if err := work(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, storetest.Opener{
		Scoring:        fresh(sqlite.OpenScoring),
		Handoff:        fresh(sqlite.OpenHandoff),
		Compliance:     fresh(sqlite.OpenCompliance),
		ScoringPair:    pair(sqlite.OpenScoring),
		HandoffPair:    pair(sqlite.OpenHandoff),
		CompliancePair: pair(sqlite.OpenCompliance),
	})
}

type opener[S store.Base] func(ctx context.Context, path string, o sqlite.Options) (S, error)

func fresh[S store.Base](open opener[S]) func(t testing.TB) S {
	return func(t testing.TB) S {
		return must(t, open, filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	}
}

func pair[S store.Base](open opener[S]) func(t testing.TB) (S, S) {
	return func(t testing.TB) (S, S) {
		path := filepath.Join(t.TempDir(), "store.db")
		return must(t, open, path, sqlite.Options{}), must(t, open, path, sqlite.Options{})
	}
}

func must[S store.Base](t testing.TB, open opener[S], path string, o sqlite.Options) S {
	s, err := open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
