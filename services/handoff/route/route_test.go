package route_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/handoff/route"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func rep(id string, weight int) route.Candidate {
	return route.Candidate{Rep: agreement.Rep{ID: id, Weight: weight, Capacity: 1}}
}

func away(c route.Candidate, from, to time.Time) route.Candidate {
	c.Rep.Absences = []agreement.Absence{{From: from, To: to}}
	return c
}

func full(c route.Candidate) route.Candidate     { c.Live = c.Rep.Capacity; return c }
func excluded(c route.Candidate) route.Candidate { c.Excluded = true; return c }
func hourless(c route.Candidate) route.Candidate { c.Hourless = true; return c }

func TestPickNamesItsReasons(t *testing.T) {
	t.Parallel()
	hour := noon.Add(time.Hour)
	ann, bob := rep("ann", 1), rep("bob", 1)
	for name, c := range map[string]struct {
		candidates []route.Candidate
		winner     string
		refusal    route.Refusal
		reasons    map[string]route.Reason
	}{
		"nobody":                    {nil, "", route.NoRep, map[string]route.Reason{}},
		"one":                       {[]route.Candidate{ann}, "ann", "", map[string]route.Reason{"ann": ""}},
		"tie goes by id":            {[]route.Candidate{bob, ann}, "ann", "", map[string]route.Reason{"ann": "", "bob": ""}},
		"absent":                    {[]route.Candidate{away(ann, noon, hour), bob}, "bob", "", map[string]route.Reason{"ann": route.Absent, "bob": ""}},
		"back at the end":           {[]route.Candidate{away(ann, noon.Add(-time.Hour), noon)}, "ann", "", map[string]route.Reason{"ann": ""}},
		"all absent":                {[]route.Candidate{away(ann, noon, hour), away(bob, noon, hour)}, "", route.AllAbsent, map[string]route.Reason{"ann": route.Absent, "bob": route.Absent}},
		"all full":                  {[]route.Candidate{full(ann), full(bob)}, "", route.AllFull, map[string]route.Reason{"ann": route.Full, "bob": route.Full}},
		"all excluded":              {[]route.Candidate{excluded(ann), excluded(full(bob))}, "", route.AllExcluded, map[string]route.Reason{"ann": route.Excluded, "bob": route.Excluded}},
		"full before absent":        {[]route.Candidate{full(bob), away(ann, noon, hour)}, "", route.AllFull, map[string]route.Reason{"ann": route.Absent, "bob": route.Full}},
		"absent before excluded":    {[]route.Candidate{excluded(bob), away(ann, noon, hour)}, "", route.AllAbsent, map[string]route.Reason{"ann": route.Absent, "bob": route.Excluded}},
		"no hours":                  {[]route.Candidate{hourless(ann), bob}, "bob", "", map[string]route.Reason{"ann": route.Hourless, "bob": ""}},
		"absent before no hours":    {[]route.Candidate{away(ann, noon, hour), hourless(bob)}, "", route.AllAbsent, map[string]route.Reason{"ann": route.Absent, "bob": route.Hourless}},
		"no hours before excluded":  {[]route.Candidate{hourless(ann), excluded(bob)}, "", route.NoHours, map[string]route.Reason{"ann": route.Hourless, "bob": route.Excluded}},
		"weight brings one forward": {[]route.Candidate{ann, rep("bob", 2)}, "bob", "", map[string]route.Reason{"ann": "", "bob": ""}},
	} {
		winner, after, decision := route.Pick(route.State{}, c.candidates, noon)
		reasons := map[string]route.Reason{}
		for _, v := range decision.Candidates {
			reasons[v.Rep] = v.Reason
		}
		if winner != c.winner || decision.Winner != c.winner || decision.Refusal != c.refusal || !cmp.Equal(reasons, c.reasons) {
			t.Errorf("%s: got %q, %+v", name, winner, decision)
		}
		if shut := c.refusal != "" && !slices.ContainsFunc(c.candidates, func(c route.Candidate) bool { return c.Excluded || c.Hourless }); decision.Shut() != shut {
			t.Errorf("%s: the pool is shut: %v", name, !shut)
		}
		if winner == "" && after.Encode() != nil {
			t.Errorf("%s: a refusal changed the balances to %s", name, after.Encode())
		}
	}
}

func TestAbsentAndFullAreNotOwed(t *testing.T) {
	t.Parallel()
	_, after, _ := route.Pick(route.State{}, []route.Candidate{rep("ann", 1), full(rep("bob", 1)), away(rep("cy", 1), noon, noon.Add(1)), rep("dee", 1)}, noon)
	if got, want := string(after.Encode()), `{"ann":-500000000000,"dee":500000000000}`; got != want {
		t.Errorf("balances are %s, want %s", got, want)
	}
}

func TestStateReadsWhatItWrote(t *testing.T) {
	t.Parallel()
	state := route.State{}
	for range 7 {
		_, state, _ = route.Pick(state, []route.Candidate{rep("b", 3), rep("a", 2), rep("c", 2)}, noon)
	}
	back, err := route.Decode(state.Encode())
	if err != nil || !bytes.Equal(back.Encode(), state.Encode()) || back.Balance("b") != state.Balance("b") {
		t.Errorf("%s came back as %s (%v)", state.Encode(), back.Encode(), err)
	}
	if _, err := route.Decode([]byte("no")); err == nil {
		t.Error("bytes that are no state were read")
	}
}

// rule is one way to rotate: it takes one lead and returns what each rep is owed then, in leads.
type rule func(pool []route.Candidate) []float64

func chairman() rule {
	var state route.State
	return func(pool []route.Candidate) []float64 {
		_, state, _ = route.Pick(state, pool, noon)
		owed := make([]float64, len(pool))
		for i, c := range pool {
			owed[i] = float64(state.Balance(c.Rep.ID)) / float64(route.Unit)
		}
		return owed
	}
}

// smooth is smooth weighted round robin, the rule of most load balancers.
func smooth() rule {
	current := map[string]int{}
	return func(pool []route.Candidate) []float64 {
		total, best := 0, 0
		for i, c := range pool {
			current[c.Rep.ID] += c.Rep.Weight
			total += c.Rep.Weight
			if current[c.Rep.ID] > current[pool[best].Rep.ID] {
				best = i
			}
		}
		current[pool[best].Rep.ID] -= total
		owed := make([]float64, len(pool))
		for i, c := range pool {
			owed[i] = float64(current[c.Rep.ID]) / float64(total)
		}
		return owed
	}
}

// worst runs a rule over a fixed pool and returns the farthest that any balance was from zero.
func worst(r rule, pool []route.Candidate, leads int) float64 {
	far := 0.0
	for range leads {
		for _, b := range r(pool) {
			far = max(far, b, -b)
		}
	}
	return far
}

func drawPool(t *rapid.T) []route.Candidate {
	return mixed(rand.New(rand.NewSource(rapid.Int64().Draw(t, "pool"))))
}

// mixed is a pool of 2 to 16 reps whose weights differ by up to three orders of magnitude, which is where rules part.
func mixed(random *rand.Rand) []route.Candidate {
	pool := make([]route.Candidate, 2+random.Intn(15))
	for i := range pool {
		pool[i] = rep(fmt.Sprintf("rep%02d", i), int(math.Pow(10, 3*random.Float64())))
	}
	return pool
}

func TestFixedSetStaysBelowOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pool := drawPool(t)
		if far, bound := worst(chairman(), pool, 600), 1-1/float64(2*len(pool)-2)+1e-6; far > bound {
			t.Fatalf("a balance reached %.4f, the bound is %.4f", far, bound)
		}
	})
}

// The bound is worth something: the usual rule breaks it in the same harness.
func TestSmoothRoundRobinBreaksTheBound(t *testing.T) {
	t.Parallel()
	const seed = 1
	random := rand.New(rand.NewSource(seed))
	far := 0.0
	for range 200 {
		far = max(far, worst(smooth(), mixed(random), 600))
	}
	if far < 1 {
		t.Fatalf("seed %d: smooth weighted round robin stayed below one (%.3f): the harness does not bite", seed, far)
	}
	t.Logf("seed %d: smooth weighted round robin was %.3f leads off", seed, far)
}

func TestChangingSetStaysBelowTwo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		churned(t, drawPool(t), rapid.Float64Range(0, 1).Draw(t, "churn"), rapid.Int64().Draw(t, "seed"))
	})
}

// These changes bring the rule for fixed sets, left alone, to 2.02.
func TestChangesThatTheFixedRuleLoses(t *testing.T) {
	t.Parallel()
	churned(t, mixed(rand.New(rand.NewSource(740650))), 0.9375, -8247)
}

// churned hands out 400 leads while reps come and go, and demands that balances stay below two and sum to zero.
func churned(t interface{ Fatalf(string, ...any) }, pool []route.Candidate, churn float64, seed int64) {
	random := rand.New(rand.NewSource(seed))
	var state route.State
	for lead := range 400 {
		if random.Float64() < churn {
			c := &pool[random.Intn(len(pool))]
			c.Live = 1 - c.Live
		}
		var sum int64
		_, state, _ = route.Pick(state, pool, noon)
		for _, c := range pool {
			b := state.Balance(c.Rep.ID)
			if sum += b; max(b, -b) >= 2*route.Unit {
				t.Fatalf("after lead %d %s is owed %d of %d", lead, c.Rep.ID, b, route.Unit)
			}
		}
		if sum != 0 {
			t.Fatalf("after lead %d the balances sum to %d", lead, sum)
		}
	}
}

// What the package says of its limit: the pairs of equals that drive sixteen reps to two.
func TestAPlotterReachesTwo(t *testing.T) {
	t.Parallel()
	var state route.State
	group := make([]route.Candidate, 16)
	for i := range group {
		group[i] = rep(fmt.Sprintf("rep%02d", i), 1)
	}
	for len(group) > 1 {
		var losers []route.Candidate
		for i := 0; i < len(group); i += 2 {
			winner, after, _ := route.Pick(state, group[i:i+2], noon)
			state = after
			for _, c := range group[i : i+2] {
				if c.Rep.ID != winner {
					losers = append(losers, c)
				}
			}
		}
		group = losers
	}
	if b := state.Balance(group[0].Rep.ID); b != 2*route.Unit {
		t.Fatalf("the last is owed %d", b)
	}
}

// The same history decides the same again, from any point at which the state was written and read.
func TestDecisionsRunAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pool := drawPool(t)
		shuffled := append([]route.Candidate(nil), pool...)
		rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed"))).Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		var one, two route.State
		for range 50 {
			var a, b string
			a, one, _ = route.Pick(one, pool, noon)
			read, err := route.Decode(two.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if b, two, _ = route.Pick(read, shuffled, noon); a != b {
				t.Fatalf("%s, and again %s", a, b)
			}
		}
	})
}
