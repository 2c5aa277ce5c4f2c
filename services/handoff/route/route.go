// Package route decides which rep of a pool gets the next lead. It is pure.
//
// The rule is Tijdeman's for the chairman assignment problem. Each assignment credits every eligible rep with his share of it,
// his weight over the weight of all who are eligible, and debits the chosen one by a whole. A rep's balance is what the pool
// owes him. Of those whose credited balance is at least 1/(2n-2), the one whose balance would soonest reach its ceiling of
// 1-1/(2n-2) is chosen. While the set is fixed every balance stays below one lead, from the pool's start on; smooth weighted
// round robin does not keep that.
//
// When the set changes, balances carry over, and the greatest one is chosen in the two cases that a fixed set never meets: nobody
// has reached 1/(2n-2), or two are above the ceiling. Under changes that nobody plots balances then stay below two. That is no
// law: whoever could choose at each lead which two of sixteen equal reps are there would drive any rule that does not know the
// future to two, because of two who are owed the same one must be chosen.
//
// Balances are whole numbers, so that a decision made again gives the same answer on every machine, and all balances of a pool
// sum to zero for ever.
package route

import (
	"sort"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
)

// Unit is one lead in the counting of balances.
const Unit int64 = 1_000_000_000_000

// MaxWeight bounds a rep's weight; a greater one counts as this, one below 1 as 1.
const MaxWeight = 1_000_000

// Refusal says why nobody of a pool can take a lead; empty when somebody can.
type Refusal string

// The refusals. A pool whose reps are out for several reasons is named by the one that passes soonest: full before absent
// before no hours before excluded.
const (
	NoRep       Refusal = "no_rep"
	AllAbsent   Refusal = "all_absent"
	AllFull     Refusal = "all_full"
	NoHours     Refusal = "no_hours"
	AllExcluded Refusal = "all_excluded"
)

// Reason says what keeps one candidate from a lead; empty when nothing does.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	Excluded Reason = "excluded" // had this lead and lost it or gave it back
	Hourless Reason = "no_hours" // his hours do not hold what the agreement promises
	Absent   Reason = "absent"
	Full     Reason = "full"
)

// Candidate is one rep of the pool as he stands now.
type Candidate struct {
	Rep agreement.Rep
	// Live assignments in his hands.
	Live int
	// Excluded: he had this lead.
	Excluded bool
	// Hourless: a promise that would start now has no end in his hours.
	Hourless bool
}

// Verdict is what was found of one candidate.
type Verdict struct {
	Rep    string
	Reason Reason
	// Share of this lead that he was credited with and Balance after that, in Units; zero for one who was not eligible.
	Share, Balance int64
}

// Decision is the outcome with the reasons for and against each candidate, in order of rep.
type Decision struct {
	Winner     string
	Refusal    Refusal
	Candidates []Verdict
}

// Shut says that the refusal holds for every lead of the pool: nobody is out for this lead alone.
func (d Decision) Shut() bool {
	for _, v := range d.Candidates {
		if v.Reason != Absent && v.Reason != Full {
			return false
		}
	}
	return true
}

// Pick chooses the rep for one lead and returns the pool's state after it. When nobody is eligible the winner is empty, the
// state is unchanged and the decision names the refusal. The order of candidates does not matter; each rep may stand in it once.
func Pick(pool State, candidates []Candidate, now time.Time) (winner string, after State, decision Decision) {
	sorted := append([]Candidate(nil), candidates...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Rep.ID < sorted[j].Rep.ID })
	decision.Candidates = make([]Verdict, len(sorted))
	var eligible []int
	for i, c := range sorted {
		decision.Candidates[i] = Verdict{Rep: c.Rep.ID, Reason: obstacle(c, now)}
		if decision.Candidates[i].Reason == "" {
			eligible = append(eligible, i)
		}
	}
	if len(eligible) == 0 {
		decision.Refusal = refusal(decision.Candidates)
		return "", pool, decision
	}
	shares := shares(sorted, eligible)
	after = pool.clone()
	for k, i := range eligible {
		v := &decision.Candidates[i]
		v.Share = shares[k]
		v.Balance = pool.Balance(v.Rep) + v.Share
		after.balances[v.Rep] = v.Balance
	}
	best := choose(sorted, decision.Candidates, eligible)
	winner = decision.Candidates[best].Rep
	after.balances[winner] -= Unit
	decision.Winner = winner
	return winner, after, decision
}

// obstacle is the first thing that keeps a candidate from the lead.
func obstacle(c Candidate, now time.Time) Reason {
	switch {
	case c.Excluded:
		return Excluded
	case c.Hourless:
		return Hourless
	case c.Rep.Absent(now):
		return Absent
	case c.Live >= c.Rep.Capacity:
		return Full
	}
	return ""
}

func refusal(found []Verdict) Refusal {
	why := NoRep
	for _, v := range found {
		switch {
		case v.Reason == Full:
			return AllFull
		case v.Reason == Absent:
			why = AllAbsent
		case v.Reason == Hourless && why != AllAbsent:
			why = NoHours
		case why == NoRep:
			why = AllExcluded
		}
	}
	return why
}

// shares splits one Unit by weight: rounded down, and what is left goes one by one to the greatest remainders, ties in order of
// rep, so that the whole is handed out.
func shares(candidates []Candidate, eligible []int) []int64 {
	var total int64
	for _, i := range eligible {
		total += weight(candidates[i])
	}
	parts, rest := make([]int64, len(eligible)), make([]int64, len(eligible))
	order := make([]int, len(eligible))
	left := Unit
	for k, i := range eligible {
		w := weight(candidates[i])
		parts[k], rest[k], order[k] = w*Unit/total, w*Unit%total, k
		left -= parts[k]
	}
	sort.SliceStable(order, func(a, b int) bool { return rest[order[a]] > rest[order[b]] })
	for _, k := range order[:left] {
		parts[k]++
	}
	return parts
}

// choose returns the one of the eligible, which are in order of rep, that gets the lead; of equals the first.
func choose(candidates []Candidate, found []Verdict, eligible []int) int {
	best := eligible[0]
	if len(eligible) == 1 {
		return best
	}
	floor := Unit / int64(2*len(eligible)-2)
	ceiling := Unit - floor
	ready, over := 0, 0
	for _, i := range eligible {
		if found[i].Balance >= floor {
			ready++
		}
		if found[i].Balance > ceiling {
			over++
		}
	}
	greatest := ready == 0 || over > 1
	// (ceiling-balance)/weight is the number of leads, but for a common factor, until the balance reaches the ceiling.
	sooner := func(a, b int) bool {
		if due := found[a].Balance >= floor; due != (found[b].Balance >= floor) {
			return due
		}
		return (ceiling-found[a].Balance)*weight(candidates[b]) < (ceiling-found[b].Balance)*weight(candidates[a])
	}
	for _, i := range eligible[1:] {
		if greatest && found[i].Balance > found[best].Balance || !greatest && sooner(i, best) {
			best = i
		}
	}
	return best
}

func weight(c Candidate) int64 { return int64(min(max(c.Rep.Weight, 1), MaxWeight)) }
