package route_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/handoff/route"
)

// history is a pool's life of many transactions: reps come, go, get other weights and capacities, are absent, fill and empty, and
// leads pass some over. It returns a record of each pick as it is stored, and the state after the last.
func history(t *rapid.T, picks int) ([]route.Record, route.State) {
	random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
	some := func(pool []agreement.Rep, share float64) (ids []string) {
		for _, c := range pool {
			if random.Float64() < share {
				ids = append(ids, c.ID)
			}
		}
		return ids
	}
	everybody := make([]agreement.Rep, 1+random.Intn(12))
	live := map[string]int{}
	for i := range everybody {
		everybody[i] = agreement.Rep{ID: fmt.Sprintf("r%02d", i), Weight: 1 + random.Intn(9), Capacity: 1 + random.Intn(4)}
	}
	var records []route.Record
	var state route.State
	for len(records) < picks {
		if random.Intn(4) == 0 {
			c := &everybody[random.Intn(len(everybody))]
			c.Weight, c.Capacity = 1+random.Intn(9), 1+random.Intn(4)
			c.Absences = nil
			if random.Intn(2) == 0 {
				c.Absences = []agreement.Absence{{From: noon, To: noon.Add(time.Hour)}}
			}
		}
		pool := slices.Clone(everybody)
		if random.Intn(5) == 0 {
			pool = pool[:random.Intn(len(pool)+1)]
		}
		random.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		state = reread(t, state)
		r := route.New(state, pool, func(rep string) int { return live[rep] }, noon)
		for range 1 + random.Intn(20) {
			if rep := everybody[random.Intn(len(everybody))].ID; live[rep] > 0 && random.Intn(3) > 0 {
				live[rep]--
				r.SetLive(rep, live[rep])
			}
			record, refusal := r.Pick(route.Lead{Excluded: some(pool, .1), Hourless: some(pool, .05)})
			if refusal != "" {
				continue
			}
			live[record.Winner]++
			r.SetLive(record.Winner, live[record.Winner])
			records = append(records, stored(t, record))
		}
		state = r.State()
	}
	return records, state
}

// reread is the state as the next transaction finds it.
func reread(t fataler, state route.State) route.State {
	back, err := route.Decode(state.Encode())
	if err != nil {
		t.Fatalf("%v", err)
	}
	return back
}

func stored(t fataler, record route.Record) (back route.Record) {
	if err := json.Unmarshal(asJSON(t, record), &back); err != nil {
		t.Fatalf("%v", err)
	}
	return back
}

func asJSON(t fataler, record route.Record) []byte {
	data, err := json.Marshal(record)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return data
}

// Every decision of a pool comes out the same again, from any record on that holds the state.
func TestPicksRunAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records, state := history(t, 150)
		whole := 0
		for i, record := range records {
			if record.Pick != int64(i+1) {
				t.Fatalf("pick %d is told as %d", i+1, record.Pick)
			}
			if record.State == nil {
				continue
			}
			whole++
			again, err := route.Rerun(records[i:])
			if err != nil {
				t.Fatalf("from pick %d: %v", record.Pick, err)
			}
			if !bytes.Equal(again.Encode(), state.Encode()) {
				t.Fatalf("from pick %d: %x, and again %x", record.Pick, state.Encode(), again.Encode())
			}
		}
		if whole < 2 {
			t.Fatalf("%d records hold the state", whole)
		}
	})
}

func TestForgedPicksAreFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records, _ := history(t, 60)
		at := rapid.IntRange(1, 58).Draw(t, "at") // neither the first nor the last
		for name, forge := range map[string]func(chain []route.Record) []route.Record{
			"another winner": func(chain []route.Record) []route.Record { chain[at].Winner += "x"; return chain },
			"a gap":          func(chain []route.Record) []route.Record { return slices.Delete(chain, at, at+1) },
			"a pick twice":   func(chain []route.Record) []route.Record { return slices.Insert(chain, at, chain[at]) },
			"no state":       func(chain []route.Record) []route.Record { chain[0].State = nil; return chain },
			"winner barred": func(chain []route.Record) []route.Record {
				chain[at].Excluded = append(slices.Clone(chain[at].Excluded), chain[at].Winner)
				return chain
			},
			"a weight of none": func(chain []route.Record) []route.Record {
				chain[at].Joined = map[string]int64{chain[at].Winner: 0}
				return chain
			},
			"a state that is none": func(chain []route.Record) []route.Record { chain[at].State = []byte("no"); return chain },
		} {
			if _, err := route.Rerun(forge(slices.Clone(records))); err == nil {
				t.Fatalf("%s at pick %d was not found", name, at+1)
			}
		}
	})
}

// A record's size does not grow with the pool.
func TestRecordsStaySmall(t *testing.T) {
	t.Parallel()
	mean := func(reps int) float64 {
		office, size := newOffice(reps), 0
		for range 4 * reps {
			record, ok := office.next()
			if !ok {
				t.Fatal("nobody has room")
			}
			size += len(asJSON(t, record))
		}
		return float64(size) / float64(4*reps)
	}
	small, large := mean(20), mean(2000)
	t.Logf("20 reps: %.0f bytes a pick, 2,000: %.0f", small, large)
	if large > 1.5*small {
		t.Errorf("a record has %.0f bytes with 20 reps and %.0f with 2,000", small, large)
	}
}

// The order of reps and the cut into transactions decide nothing.
func TestCutAndOrderDecideNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pool := drawPool(t)
		shuffled := slices.Clone(pool)
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		one := rotate(route.State{}, pool)
		var two route.State
		for range 100 {
			a, _ := one.Pick(route.Lead{})
			b, _, after := pick(reread(t, two), shuffled)
			if two = after; a.Winner != b.Winner {
				t.Fatalf("%s, and again %s", a.Winner, b.Winner)
			}
		}
		if !bytes.Equal(one.State().Encode(), two.Encode()) {
			t.Fatalf("%x, and again %x", one.State().Encode(), two.Encode())
		}
	})
}
