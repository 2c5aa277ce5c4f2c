package river

import (
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/store/postgres/pgtest"
)

// Pipeline counts its own rows: what is missing or double is an error.
func TestPipeline(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0, 0.3, 1} {
		perSecond, err := Pipeline(t.Context(), pgtest.Database(t), 200, share)
		if err != nil || perSecond <= 0 {
			t.Errorf("share %v: %v leads a second, %v", share, perSecond, err)
		}
	}
}

// A second run in the same database cannot do its job, and must say so rather than wait.
func TestPipelineFails(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	if _, err := Pipeline(t.Context(), database, 10, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := Pipeline(t.Context(), database, 10, 1); err == nil || !strings.Contains(err.Error(), "make the pipeline's tables") {
		t.Errorf("a database in use gave %v", err)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	turns := []turn{{Rep: "a", Weight: 5, Capacity: 100}, {Rep: "b", Weight: 1, Capacity: 100}, {Rep: "c", Weight: 1, Capacity: 100}}
	for i, round := range []string{"aabacaa", "aabacaa", "aaacaa"} {
		if i == 2 {
			turns[1].Capacity = turns[1].Live // b is full
		}
		var got strings.Builder
		for range round {
			rep, err := next(turns)
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(rep)
		}
		if got.String() != round {
			t.Errorf("the turns were %s, and should have been %s", got.String(), round)
		}
	}
	for i := range turns {
		turns[i].Live = turns[i].Capacity
	}
	if rep, err := next(turns); err == nil {
		t.Errorf("%q has no room, and was given a lead", rep)
	}
}
