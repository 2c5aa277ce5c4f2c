package route

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// naive is the wheel's rule as the package says it: no heap, no lazy credit, every rep looked at for every lead.
type naive struct {
	weights, owed []int64
	in            []bool
	carry         int64
}

// class is 0 for who is owed nothing, 1 below a lead, and one more for each quarter from a lead on.
func class(owed int64) int64 {
	switch {
	case owed <= 0:
		return 0
	case owed < Unit:
		return 1
	}
	return min(2+(owed-Unit)/(Unit/4), 63)
}

// next tells whether what is owed has reached the class above that of owed.
func next(owed, then int64) bool {
	switch {
	case owed <= 0:
		return then > 0
	case owed < Unit:
		return then >= Unit
	}
	return then-Unit >= ((owed-Unit)/(Unit/4)+1)*(Unit/4)
}

// soon is the least credit by weight with which the seat reaches the next class, found by halving.
func (n *naive) soon(i int) int64 {
	low, high := int64(0), int64(1)<<60/n.weights[i] // a million leads
	for high-low > 1 {
		if mid := (low + high) / 2; next(n.owed[i], n.owed[i]+n.weights[i]*mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

func (n *naive) pick() int {
	var total int64
	for i, in := range n.in {
		if in {
			total += n.weights[i]
		}
	}
	credit := (Unit + n.carry) / total
	n.carry = (Unit + n.carry) % total
	best := -1
	for i, in := range n.in {
		if !in {
			continue
		}
		n.owed[i] += n.weights[i] * credit
	}
	for i, in := range n.in {
		if !in {
			continue
		}
		if best < 0 || class(n.owed[i]) > class(n.owed[best]) || class(n.owed[i]) == class(n.owed[best]) && n.soon(i) < n.soon(best) {
			best = i
		}
	}
	n.owed[best] -= Unit
	return best
}

// check demands that the wheel owes everybody the same, and that its rungs are heaps of those who belong there, each with the
// moment at which he will not.
func (n *naive) check(t *rapid.T, w *wheel) {
	seats := 0
	for i := range w.seats {
		s := w.seats[i]
		if w.within(i) != n.in[i] || w.balance(i) != n.owed[i] {
			t.Fatalf("seat %d is of the set %v and owed %d; want %v, %d", i, w.within(i), w.balance(i), n.in[i], n.owed[i])
		}
		if !n.in[i] {
			continue
		}
		seats++
		c := w.rungs[s.rung][s.place]
		if int(c.seat) != i || s.place > 0 && c.before(w.rungs[s.rung][(s.place-1)/2]) {
			t.Fatalf("seat %d is not where rung %d should have it", i, s.rung)
		}
		if class(n.owed[i]) != int64(s.rung) {
			t.Fatalf("seat %d is owed %d and stands on rung %d", i, n.owed[i], s.rung)
		}
		// At c.at and not before it he is owed more than fits the rung.
		if at, before := n.owed[i]+s.weight*(c.at-w.time), n.owed[i]+s.weight*(c.at-1-w.time); class(at) <= int64(s.rung) && s.rung < 63 || class(before) > int64(s.rung) {
			t.Fatalf("seat %d of rung %d is to climb when he is owed %d, a moment before it is %d", i, s.rung, at, before)
		}
	}
	for k, rung := range &w.rungs {
		if seats -= len(rung); (len(rung) > 0) != (w.used&(1<<k) != 0) {
			t.Fatalf("rung %d holds %d, and the wheel's bits are %b", k, len(rung), w.used)
		}
	}
	if seats != 0 {
		t.Fatalf("%d more of the set than on the rungs", seats)
	}
}

func TestWheelIsTheRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seats := rapid.IntRange(1, 12).Draw(t, "seats")
		n := &naive{weights: make([]int64, seats), owed: make([]int64, seats), in: make([]bool, seats)}
		w := newWheel(seats)
		span := rapid.Float64Range(0, 6).Draw(t, "span")
		var set []int
		for i := range seats {
			n.weights[i] = int64(math.Pow(10, span*rapid.Float64Range(0, 1).Draw(t, "weight")))
			n.owed[i] = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-3, 3), rapid.Int64Range(-40, 80)).Draw(t, "owed") * Unit / 4
			n.in[i] = rapid.Bool().Draw(t, "in")
			w.seats[i].weight, w.seats[i].base = n.weights[i], n.owed[i]
			if n.in[i] {
				set = append(set, i)
			}
		}
		w.start(set)
		n.check(t, &w)
		for range 100 {
			i := rapid.IntRange(-2*seats, seats-1).Draw(t, "do")
			switch {
			case i < 0 && w.total > 0:
				if got, want := w.pick(), n.pick(); got != want {
					t.Fatalf("seat %d was picked, and it is the turn of %d, owed %d and %d after it", got, want, n.owed[got], n.owed[want])
				}
			case i < 0:
			case n.in[i]:
				n.in[i] = false
				w.leave(i)
			default:
				n.in[i] = true
				w.join(i)
			}
			n.check(t, &w)
		}
	})
}

// Every pool of one to four reps with weights from 1 to 8, through two rounds: never a lead off, and even at the end of each.
func TestSmallPoolsStayBelowOne(t *testing.T) {
	t.Parallel()
	var pools [][]int64
	var grow func(pool []int64)
	grow = func(pool []int64) {
		if len(pool) > 0 {
			pools = append(pools, pool)
		}
		for weight := int64(1); len(pool) < 4 && weight <= 8; weight++ {
			grow(append(pool[:len(pool):len(pool)], weight))
		}
	}
	grow(nil)
	for _, pool := range pools {
		w := newWheel(len(pool))
		var set []int
		var round int64
		for i, weight := range pool {
			w.seats[i].weight = weight
			set, round = append(set, i), round+weight
		}
		w.start(set)
		got := make([]int64, len(pool))
		for lead := int64(1); lead <= 2*round; lead++ {
			got[w.pick()]++
			for i, weight := range pool {
				if off := weight*lead - got[i]*round; off >= round || off <= -round || lead%round == 0 && off != 0 {
					t.Fatalf("weights %v: after %d leads seat %d has %d", pool, lead, i, got[i])
				}
			}
		}
	}
	if len(pools) != 8+64+512+4096 {
		t.Fatal(fmt.Sprint(len(pools), " pools"))
	}
}
