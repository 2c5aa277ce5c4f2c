package route

import "math/bits"

const (
	// step parts the rungs of those who are owed a lead or more.
	step = Unit / 4
	// turns is where the wheel's time is taken back to zero: MaxWeight·2·turns is within an int64, and a lead moves time by less
	// than two Units.
	turns = 2 * Unit
	// beside is the rung of a seat that takes no part.
	beside = -1
)

// wheel is a set of reps who take turns. What one of the set is owed is base+weight·time, so that a lead credits them all by moving
// time.
//
// Rung 0 holds who is owed nothing, rung 1 who is owed less than a lead, and from there a rung each quarter of a lead; the last
// all above. In each the one who will reach the next soonest is on top, of equals the first seat. Who is picked stands on top of
// the highest.
type wheel struct {
	seats []seat
	total int64 // weight of the set
	time  int64
	carry int64 // what the last division left of a lead
	rungs [64][]climber
	used  uint64 // a bit for each rung that is not empty
}

type seat struct {
	weight int64
	base   int64 // the balance itself, for a seat beside the set
	rung   int32
	place  int32
}

// climber is a seat in its rung, and the time at which it belongs to a higher one.
type climber struct {
	at   int64
	seat int32
}

func (c climber) before(o climber) bool { return c.at < o.at || c.at == o.at && c.seat < o.seat }

// newWheel has n seats beside the set.
func newWheel(n int) wheel {
	w := wheel{seats: make([]seat, n)}
	for i := range w.seats {
		w.seats[i].rung = beside
	}
	return w
}

func (w *wheel) within(i int) bool { return w.seats[i].rung != beside }

func (w *wheel) balance(i int) int64 {
	s := &w.seats[i]
	if s.rung == beside {
		return s.base
	}
	return s.base + s.weight*w.time
}

// start makes the set of those seats; it was empty. It costs as many steps as they are.
func (w *wheel) start(set []int) {
	for _, i := range set {
		s := &w.seats[i]
		w.total += s.weight
		s.base -= s.weight * w.time
		k, c := w.rungOf(i)
		w.used |= 1 << k
		s.rung, s.place = int32(k), int32(len(w.rungs[k]))
		w.rungs[k] = append(w.rungs[k], c)
	}
	for used := w.used; used != 0; used &= used - 1 {
		k := bits.TrailingZeros64(used)
		for p := len(w.rungs[k])/2 - 1; p >= 0; p-- {
			w.sink(k, p)
		}
	}
}

// join takes a seat into the set.
func (w *wheel) join(i int) {
	s := &w.seats[i]
	w.total += s.weight
	s.base -= s.weight * w.time
	w.push(i)
}

// leave takes a seat out of the set; its balance stays as it is.
func (w *wheel) leave(i int) {
	s := &w.seats[i]
	w.total -= s.weight
	s.base += s.weight * w.time
	w.drop(i)
}

// pick credits the set with a lead and debits one of it, which it returns. The set is not empty.
func (w *wheel) pick() int {
	whole := Unit + w.carry
	w.time += whole / w.total
	w.carry = whole % w.total
	for used := w.used; used != 0; used &= used - 1 {
		k := bits.TrailingZeros64(used)
		for len(w.rungs[k]) > 0 && w.rungs[k][0].at <= w.time {
			i := int(w.rungs[k][0].seat)
			w.drop(i)
			w.push(i)
		}
	}
	i := int(w.rungs[bits.Len64(w.used)-1][0].seat)
	w.drop(i)
	w.seats[i].base -= Unit
	w.push(i)
	if w.time >= turns {
		w.rewind()
	}
	return i
}

// rewind takes time back to zero. All moments move by the same, so no order changes; it touches the whole set, once in more picks
// than the set has seats.
func (w *wheel) rewind() {
	for used := w.used; used != 0; used &= used - 1 {
		rung := w.rungs[bits.TrailingZeros64(used)]
		for p := range rung {
			s := &w.seats[rung[p].seat]
			s.base += s.weight * w.time
			rung[p].at -= w.time
		}
	}
	w.time = 0
}

// rungOf is where a seat of the set belongs now.
func (w *wheel) rungOf(i int) (int, climber) {
	s := &w.seats[i]
	owed := s.base + s.weight*w.time
	if owed <= 0 {
		return 0, climber{at: w.time - owed/s.weight + 1, seat: int32(i)}
	}
	k, next := 1, Unit
	if owed >= Unit {
		quarters := (owed - Unit) / step
		k, next = int(min(2+quarters, int64(len(w.rungs)-1))), Unit+(quarters+1)*step
	}
	return k, climber{at: w.time + (next-owed+s.weight-1)/s.weight, seat: int32(i)}
}

func (w *wheel) push(i int) {
	k, c := w.rungOf(i)
	w.seats[i].rung = int32(k)
	w.rungs[k] = append(w.rungs[k], c)
	w.used |= 1 << k
	w.rise(k, len(w.rungs[k])-1)
}

func (w *wheel) drop(i int) {
	s := &w.seats[i]
	k, p, last := int(s.rung), int(s.place), len(w.rungs[s.rung])-1
	s.rung = beside
	moved := w.rungs[k][last]
	w.rungs[k] = w.rungs[k][:last]
	if last == 0 {
		w.used &^= 1 << k
	}
	if p == last {
		return
	}
	w.rungs[k][p] = moved
	w.sink(k, p)
	w.rise(k, int(w.seats[moved.seat].place))
}

func (w *wheel) rise(k, p int) {
	rung := w.rungs[k]
	c := rung[p]
	for p > 0 {
		up := (p - 1) / 2
		if !c.before(rung[up]) {
			break
		}
		rung[p] = rung[up]
		w.seats[rung[p].seat].place = int32(p)
		p = up
	}
	rung[p] = c
	w.seats[c.seat].place = int32(p)
}

func (w *wheel) sink(k, p int) {
	rung := w.rungs[k]
	c := rung[p]
	for {
		down := 2*p + 1
		if down >= len(rung) {
			break
		}
		if down+1 < len(rung) && rung[down+1].before(rung[down]) {
			down++
		}
		if !rung[down].before(c) {
			break
		}
		rung[p] = rung[down]
		w.seats[rung[p].seat].place = int32(p)
		p = down
	}
	rung[p] = c
	w.seats[c.seat].place = int32(p)
}
