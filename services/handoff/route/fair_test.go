package route_test

import (
	"fmt"
	"math"
	"math/rand"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/services/handoff/route"
)

// fataler is what testing's and rapid's tests have in common.
type fataler interface {
	Fatalf(format string, args ...any)
}

// rule is one way to rotate: it takes one lead and returns what each rep is owed then, in leads.
type rule func(pool []candidate) []float64

// smooth is smooth weighted round robin, the rule of most load balancers.
func smooth() rule {
	current := map[string]int{}
	return func(pool []candidate) []float64 {
		total, best := 0, 0
		for i, c := range pool {
			current[c.ID] += c.Weight
			total += c.Weight
			if current[c.ID] > current[pool[best].ID] {
				best = i
			}
		}
		current[pool[best].ID] -= total
		owed := make([]float64, len(pool))
		for i, c := range pool {
			owed[i] = float64(current[c.ID]) / float64(total)
		}
		return owed
	}
}

// ours rotates in one transaction.
func ours() rule {
	var r *route.Rotation
	return func(pool []candidate) []float64 {
		if r == nil {
			r = rotate(route.State{}, pool)
		}
		r.Pick(route.Lead{})
		state := r.State()
		owed := make([]float64, len(pool))
		for i, c := range pool {
			owed[i] = float64(state.Balance(c.ID)) / float64(route.Unit)
		}
		return owed
	}
}

// worst runs a rule over a fixed pool and returns the farthest that any balance was from zero.
func worst(r rule, pool []candidate, leads int) float64 {
	far := 0.0
	for range leads {
		for _, b := range r(pool) {
			far = max(far, b, -b)
		}
	}
	return far
}

func drawPool(t *rapid.T) []candidate {
	return mixed(rand.New(rand.NewSource(rapid.Int64().Draw(t, "pool"))))
}

// mixed is a pool of 2 to 16 reps whose weights differ by up to three orders of magnitude, which is where rules part.
func mixed(random *rand.Rand) []candidate {
	pool := make([]candidate, 2+random.Intn(15))
	for i := range pool {
		pool[i] = rep(fmt.Sprintf("rep%02d", i), int(math.Pow(10, 3*random.Float64())))
	}
	return pool
}

// owed demands that nobody is owed limit Units or more, or that much too little, and that the balances sum to zero but for less
// than the weight that divided last.
func owed(t fataler, when string, state route.State, pool []candidate, limit int64) {
	var sum, weight int64
	for _, c := range pool {
		b := state.Balance(c.ID)
		sum += b
		weight += int64(min(max(c.Weight, 1), route.MaxWeight))
		if max(b, -b) >= limit {
			t.Fatalf("%s %s is owed %d of %d", when, c.ID, b, route.Unit)
		}
	}
	if sum > 0 || sum <= -weight {
		t.Fatalf("%s the balances sum to %d, of weights that sum to %d", when, sum, weight)
	}
}

// Below one, exactly: in one transaction or in many, with weights from 1 to beyond the greatest.
func TestFixedSetStaysBelowOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "pool")))
		span := rapid.Float64Range(0, 6.1).Draw(t, "span")
		pool := make([]candidate, rapid.IntRange(1, 40).Draw(t, "reps"))
		for i := range pool {
			pool[i] = rep(fmt.Sprintf("rep%02d", i), int(math.Pow(10, span*random.Float64())))
		}
		transaction := rapid.IntRange(1, 100).Draw(t, "transaction")
		var state route.State
		for lead := 0; lead < 600; lead += transaction {
			r := rotate(state, pool)
			for i := range transaction {
				r.Pick(route.Lead{})
				state = r.State()
				owed(t, fmt.Sprintf("after lead %d", lead+i), state, pool, route.Unit)
			}
		}
	})
}

// The bound is worth something: the usual rule breaks it in the same harness.
func TestSmoothRoundRobinBreaksTheBound(t *testing.T) {
	t.Parallel()
	const seed = 1
	random := rand.New(rand.NewSource(seed))
	far, far2 := 0.0, 0.0
	for range 200 {
		pool := mixed(random)
		far, far2 = max(far, worst(smooth(), pool, 600)), max(far2, worst(ours(), pool, 600))
	}
	if far < 1 || far2 >= 1 {
		t.Fatalf("seed %d: smooth weighted round robin was %.3f leads off and ours %.3f: the harness does not bite", seed, far, far2)
	}
	t.Logf("seed %d: smooth weighted round robin was %.3f leads off, ours %.3f", seed, far, far2)
}

// Time is taken back to zero many times in a long transaction, and nobody notices; shares are exact in the end.
func TestLongTransaction(t *testing.T) {
	t.Parallel()
	pool := []candidate{rep("a", route.MaxWeight), rep("b", 1), rep("c", route.MaxWeight-1), rep("d", 999)}
	const leads = 2_001_000 // the sum of the weights: one round
	r, got := rotate(route.State{}, pool), map[string]int{}
	for lead := range leads {
		record, _ := r.Pick(route.Lead{})
		got[record.Winner]++
		if lead%10_007 == 0 {
			owed(t, fmt.Sprintf("after lead %d", lead), r.State(), pool, route.Unit)
		}
	}
	// Whole numbers round down: a rep may be short of the last by a millionth.
	for i, c := range pool {
		if d := got[c.ID] - c.Weight; d < -1 || d > 1 {
			t.Errorf("%s got %d of %d leads with weight %d", c.ID, got[c.ID], leads, pool[i].Weight)
		}
	}
	owed(t, "at the end", r.State(), pool, route.Unit)
}

func TestChangingSetStaysBelowTwo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		churned(t, drawPool(t), rapid.Float64Range(0, 1).Draw(t, "churn"), rapid.Int64().Draw(t, "seed"))
	})
}

// These changes bring the rule for fixed sets, left alone, to 2.17.
func TestChangesThatTheFixedRuleLoses(t *testing.T) {
	t.Parallel()
	churned(t, mixed(rand.New(rand.NewSource(10327))), 0.9, 10327)
}

// churned hands out 400 leads while reps come and go, each in a transaction of its own, and demands that balances stay below two.
func churned(t fataler, pool []candidate, churn float64, seed int64) {
	random := rand.New(rand.NewSource(seed))
	var state route.State
	for lead := range 400 {
		if random.Float64() < churn {
			c := &pool[random.Intn(len(pool))]
			c.live = 1 - c.live
		}
		_, _, state = pick(state, pool)
		owed(t, fmt.Sprintf("after lead %d", lead), state, pool, 2*route.Unit)
	}
}

// What the package says of its limit: the pairs of equals that drive sixteen reps to two.
func TestAPlotterReachesTwo(t *testing.T) {
	t.Parallel()
	var state route.State
	group := make([]candidate, 16)
	for i := range group {
		group[i] = rep(fmt.Sprintf("rep%02d", i), 1)
	}
	for len(group) > 1 {
		var losers []candidate
		for i := 0; i < len(group); i += 2 {
			var record route.Record
			record, _, state = pick(state, group[i:i+2])
			for _, c := range group[i : i+2] {
				if c.ID != record.Winner {
					losers = append(losers, c)
				}
			}
		}
		group = losers
	}
	if b := state.Balance(group[0].ID); b != 2*route.Unit {
		t.Fatalf("the last is owed %d", b)
	}
}
