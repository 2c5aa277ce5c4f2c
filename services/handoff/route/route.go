// Package route decides which rep of a pool gets the next lead. It is pure.
//
// Each lead credits every eligible rep with his share of it, his weight over the weight of all who are eligible, and debits the
// chosen one by a whole. A rep's balance is what the pool owes him. The rule is earliest deadline first within windows: a rep
// whose credited balance is above zero may be chosen; his deadline is the lead at which it reaches one; of those who may, the one
// with the soonest deadline is chosen, ties in order of rep. While the set is fixed every balance stays below one lead, from the
// pool's start on, exactly and whatever the weights; smooth weighted round robin does not keep that.
//
// Why: let V be the credit per unit of weight, all of it in whole numbers. A rep's k-th lead has a window that opens when
// weight·V is above k-1 leads and closes when it reaches k. The windows that lie inside any stretch of leads hold, for each rep,
// no more leads than his credit grew by in it, so together no more than their number: the remainder that a division leaves is less
// than a lead and is carried on, so it adds none. Jobs of one slot each whose windows never ask for more slots than there are
// all keep them under earliest deadline first. And as balances and carry sum to zero, with a lead to hand out somebody's
// credited balance is above zero.
//
// When the set changes, balances carry over: who leaves keeps his, untouched, until he is back. Two things can happen then that a
// fixed set never meets. Nobody may be above zero: he who will be soonest is chosen. Several may be owed a lead or more: he who
// is owed most is chosen, compared in quarters of a lead, in one quarter the one who reaches the next soonest. Under changes
// that nobody plots balances then stay below two, but for one random pool in some ten thousand whose reps are full after each
// lead. That is no law: whoever could choose at each lead which two of sixteen equal reps are there would drive any rule that
// does not know the future to two, because of two who are owed the same one must be chosen.
//
// All three orders are orders of moments in V that do not move while V grows. So a Rotation keeps each rep in one of a ladder of
// heaps by what he is owed, ordered by when he will climb to the next, and a pick costs the logarithm of the pool's size; how
// many are eligible is in none of the orders, so one who comes or goes costs no more. V starts at zero in each Rotation and is
// taken back to it before it is great: nothing overflows for weights up to MaxWeight, any number of picks, and pools of up to a
// million reps.
//
// Balances are whole numbers, so that a decision made again gives the same answer on every machine. All balances of a pool and
// the carry of its last division sum to zero for ever. A Record of each pick says what changed since the pick before, and now and
// then the whole state: Rerun decides a chain of them again.
package route

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

// Reason says what keeps one rep from a lead; empty when nothing does.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	Excluded Reason = "excluded" // had this lead and lost it or gave it back
	Hourless Reason = "no_hours" // his hours do not hold what the agreement promises
	Absent   Reason = "absent"
	Full     Reason = "full"
	Outside  Reason = "not_in_pool"
)

// Lead is what keeps reps from one lead alone. Names that are not of the pool count for nothing.
type Lead struct {
	// Excluded had this lead.
	Excluded []string
	// Hourless are those in whose hours a promise that would start now has no end.
	Hourless []string
}
