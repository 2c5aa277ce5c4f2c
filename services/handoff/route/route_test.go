package route_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/handoff/route"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// candidate is a rep of a test's pool with what keeps him from a lead.
type candidate struct {
	agreement.Rep
	live               int
	excluded, hourless bool
}

func rep(id string, weight int) candidate {
	return candidate{Rep: agreement.Rep{ID: id, Weight: weight, Capacity: 1}}
}

func away(c candidate, from, to time.Time) candidate {
	c.Absences = []agreement.Absence{{From: from, To: to}}
	return c
}

func full(c candidate) candidate     { c.live = c.Capacity; return c }
func excluded(c candidate) candidate { c.excluded = true; return c }
func hourless(c candidate) candidate { c.hourless = true; return c }

// rotate makes a rotation of the pool.
func rotate(state route.State, pool []candidate) *route.Rotation {
	reps, live := make([]agreement.Rep, len(pool)), make(map[string]int, len(pool))
	for i, c := range pool {
		reps[i], live[c.ID] = c.Rep, c.live
	}
	return route.New(state, reps, func(rep string) int { return live[rep] }, noon)
}

// leadFor is a lead of which those are kept whom the pool says.
func leadFor(pool []candidate) (lead route.Lead) {
	for _, c := range pool {
		if c.excluded {
			lead.Excluded = append(lead.Excluded, c.ID)
		}
		if c.hourless {
			lead.Hourless = append(lead.Hourless, c.ID)
		}
	}
	return lead
}

// pick is one pick in a transaction of its own.
func pick(state route.State, pool []candidate) (route.Record, route.Refusal, route.State) {
	r := rotate(state, pool)
	record, refusal := r.Pick(leadFor(pool))
	return record, refusal, r.State()
}

func TestPickNamesItsReasons(t *testing.T) {
	t.Parallel()
	hour := noon.Add(time.Hour)
	ann, bob := rep("ann", 1), rep("bob", 1)
	for name, c := range map[string]struct {
		pool    []candidate
		winner  string
		refusal route.Refusal
		shut    bool
		reasons map[string]route.Reason
	}{
		"nobody":                    {nil, "", route.NoRep, true, map[string]route.Reason{}},
		"one":                       {[]candidate{ann}, "ann", "", false, map[string]route.Reason{"ann": ""}},
		"tie goes by id":            {[]candidate{bob, ann}, "ann", "", false, map[string]route.Reason{"ann": "", "bob": ""}},
		"absent":                    {[]candidate{away(ann, noon, hour), bob}, "bob", "", false, map[string]route.Reason{"ann": route.Absent, "bob": ""}},
		"back at the end":           {[]candidate{away(ann, noon.Add(-time.Hour), noon)}, "ann", "", false, map[string]route.Reason{"ann": ""}},
		"all absent":                {[]candidate{away(ann, noon, hour), away(bob, noon, hour)}, "", route.AllAbsent, true, map[string]route.Reason{"ann": route.Absent, "bob": route.Absent}},
		"all full":                  {[]candidate{full(ann), full(bob)}, "", route.AllFull, true, map[string]route.Reason{"ann": route.Full, "bob": route.Full}},
		"absent though full":        {[]candidate{full(away(ann, noon, hour))}, "", route.AllAbsent, true, map[string]route.Reason{"ann": route.Absent}},
		"all excluded":              {[]candidate{excluded(ann), excluded(full(bob))}, "", route.AllExcluded, false, map[string]route.Reason{"ann": route.Excluded, "bob": route.Excluded}},
		"excluded and full":         {[]candidate{excluded(full(ann))}, "", route.AllExcluded, true, map[string]route.Reason{"ann": route.Excluded}},
		"full before absent":        {[]candidate{full(bob), away(ann, noon, hour)}, "", route.AllFull, true, map[string]route.Reason{"ann": route.Absent, "bob": route.Full}},
		"absent before excluded":    {[]candidate{excluded(bob), away(ann, noon, hour)}, "", route.AllAbsent, false, map[string]route.Reason{"ann": route.Absent, "bob": route.Excluded}},
		"no hours":                  {[]candidate{hourless(ann), bob}, "bob", "", false, map[string]route.Reason{"ann": route.Hourless, "bob": ""}},
		"excluded before no hours":  {[]candidate{excluded(hourless(ann))}, "", route.AllExcluded, false, map[string]route.Reason{"ann": route.Excluded}},
		"absent before no hours":    {[]candidate{away(ann, noon, hour), hourless(bob)}, "", route.AllAbsent, false, map[string]route.Reason{"ann": route.Absent, "bob": route.Hourless}},
		"no hours before excluded":  {[]candidate{hourless(ann), excluded(bob)}, "", route.NoHours, false, map[string]route.Reason{"ann": route.Hourless, "bob": route.Excluded}},
		"weight brings one forward": {[]candidate{ann, rep("bob", 2)}, "bob", "", false, map[string]route.Reason{"ann": "", "bob": ""}},
	} {
		r, lead := rotate(route.State{}, c.pool), leadFor(c.pool)
		reasons := map[string]route.Reason{}
		for _, one := range c.pool {
			reasons[one.ID] = r.Why(one.ID, lead)
		}
		shut := r.Shut()
		record, refusal := r.Pick(lead)
		if record.Winner != c.winner || refusal != c.refusal || shut != c.shut || !cmp.Equal(reasons, c.reasons) {
			t.Errorf("%s: got %q, refused %q, shut %v, %v", name, record.Winner, refusal, shut, reasons)
		}
		if c.winner == "" && r.State().Encode() != nil {
			t.Errorf("%s: a refusal changed the balances to %x", name, r.State().Encode())
		}
	}
	if why := rotate(route.State{}, nil).Why("ann", route.Lead{}); why != route.Outside {
		t.Errorf("one of another pool is out because he is %q", why)
	}
}

func TestAbsentAndFullAreNotOwed(t *testing.T) {
	t.Parallel()
	_, _, after := pick(route.State{}, []candidate{rep("ann", 1), full(rep("bob", 1)), away(rep("cy", 1), noon, noon.Add(1)), rep("dee", 1)})
	for id, want := range map[string]int64{"ann": -route.Unit / 2, "bob": 0, "cy": 0, "dee": route.Unit / 2} {
		if got := after.Balance(id); got != want {
			t.Errorf("%s is owed %d, want %d", id, got, want)
		}
	}
}

// Who becomes full leaves the set between two picks of one rotation, and who gets room comes back to it.
func TestLiveChangesTheSet(t *testing.T) {
	t.Parallel()
	r := rotate(route.State{}, []candidate{rep("ann", 1), away(rep("bob", 1), noon, noon.Add(1))})
	want := func(winner string, refusal route.Refusal) {
		t.Helper()
		if record, why := r.Pick(route.Lead{}); record.Winner != winner || why != refusal {
			t.Fatalf("%q, refused %q; want %q, %q", record.Winner, why, winner, refusal)
		}
	}
	want("ann", "")
	r.SetLive("ann", 1)
	r.SetLive("bob", 1)
	r.SetLive("stranger", 1)
	want("", route.AllFull)
	r.SetLive("bob", 0)
	want("", route.AllFull)
	r.SetLive("ann", 0)
	want("ann", "")
}

// Who is passed over for one lead is neither credited nor forgotten.
func TestOneLeadPassesOver(t *testing.T) {
	t.Parallel()
	r := rotate(route.State{}, []candidate{rep("ann", 1), rep("bob", 1), rep("cy", 1)})
	// Once for each reason, twice the same, and one of another pool.
	record, _ := r.Pick(route.Lead{Excluded: []string{"ann", "", "ann"}, Hourless: []string{"ann", "cy", "zoe"}})
	if record.Winner != "bob" || !cmp.Equal(record.Hourless, []string{"cy"}) {
		t.Fatalf("%+v", record)
	}
	for _, id := range []string{"ann", "bob", "cy"} {
		if owed := r.State().Balance(id); owed != 0 {
			t.Errorf("%s is owed %d", id, owed)
		}
	}
	if record, _ = r.Pick(route.Lead{}); record.Winner != "ann" || record.Left != nil || record.Joined != nil {
		t.Fatalf("then %+v", record)
	}
}
