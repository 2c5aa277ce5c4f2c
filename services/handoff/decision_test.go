package handoff_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/handoff/route"
)

// decision is what is kept with an assignment.
type decision struct {
	At        time.Time `json:"at"`
	Agreement string    `json:"agreement"`
	Roster    string    `json:"roster"`
	Pool      string    `json:"pool"`
	route.Record
}

// decisions are those of every assignment, by pool and in order.
func (w *world) decisions() map[string][]decision {
	w.t.Helper()
	out := make(map[string][]decision)
	err := w.store.EachAssignment(w.t.Context(), func(a store.Assignment, _ []store.ClockRow) error {
		var d decision
		if err := json.Unmarshal(a.Decision, &d); err != nil {
			return err
		}
		if d.Winner != a.Rep || d.Pool != a.Pool || !d.At.Equal(a.StartedAt) {
			w.t.Errorf("%s went to %s of %s: %s", a.ID, a.Rep, a.Pool, a.Decision)
		}
		out[d.Pool] = append(out[d.Pool], d)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, all := range out {
		slices.SortFunc(all, func(a, b decision) int { return cmp.Compare(a.Pick, b.Pick) })
	}
	return out
}

// runAgain demands that every pool's decisions come out the same again, from each one on that holds the state.
func (w *world) runAgain() {
	w.t.Helper()
	for pool, all := range w.decisions() {
		var chain []route.Record
		for _, d := range all {
			chain = append(chain, d.Record)
		}
		whole := 0
		for i, record := range chain {
			if record.Pick != int64(i+1) {
				w.t.Fatalf("pool %s: pick %d is kept as %d", pool, i+1, record.Pick)
			}
			if record.State == nil {
				continue
			}
			whole++
			if _, err := route.Rerun(chain[i:]); err != nil {
				w.t.Errorf("pool %s: %v", pool, err)
			}
		}
		w.t.Logf("pool %s: %d picks, %d with the whole state", pool, len(chain), whole)
	}
}

// Days on which the roster changes, and leads of two agreements that give a pool different teams meet in one batch.
func TestDecisionsRunAgain(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		const seed = 7
		random := rand.New(rand.NewSource(seed))
		first := w.hash
		w.agree(strings.Replace(document, "pools: {sales: {teams: [sales]}", "pools: {sales: {teams: [sales, big]}", 1))
		second := w.hash
		if first == second {
			t.Fatal("the agreements are the same")
		}
		n := 0
		for day := range 12 {
			absence := ""
			if day%3 == 1 {
				absence = fmt.Sprintf(", absences: [{from: %s, to: %s}]", w.now().Format(time.RFC3339), w.now().Add(time.Hour).Format(time.RFC3339))
			}
			w.people(fmt.Sprintf("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: %d%s}, bob: {team: sales, capacity: 4, weight: %d}, cy: {team: %s, capacity: 3}, max: {team: big, capacity: 5}}",
				1+random.Intn(4), absence, 1+random.Intn(3), []string{"sales", "big"}[day%2]))
			var batch []*eventv1.Event
			for range 1 + random.Intn(8) {
				w.hash = []string{first, second}[random.Intn(2)]
				batch = append(batch, w.staged(leadName(n), []float64{10, 10, 200, 2000}[random.Intn(4)]))
				n++
			}
			w.apply(batch...)
			for i := range n {
				lead := leadName(i)
				if owner := w.owner(lead); owner != "" && random.Intn(3) == 0 {
					request := fmt.Sprint(day)
					var err error
					if random.Intn(2) == 0 {
						_, err = w.CloseWon(as(t, owner), &leadpactv1.CloseWonRequest{Lead: lead, RequestId: request})
					} else {
						_, err = w.Reject(as(t, owner), &leadpactv1.RejectRequest{Lead: lead, RequestId: request, Reason: "no_time"})
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			w.pass(2 * time.Hour)
			w.fire()
		}
		if made := w.count("handoff.assigned"); made < 40 {
			t.Fatalf("seed %d: only %d assignments", seed, made)
		}
		w.runAgain()
		w.balanced(5)
	})
}
