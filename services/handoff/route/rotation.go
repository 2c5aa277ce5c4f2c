package route

import (
	"cmp"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
)

// Rotation is a pool at work: made once for a transaction, in as many steps as the pool has reps, it then picks one lead after
// the other. It is no place for two goroutines.
type Rotation struct {
	wheel   wheel
	ids     []string // of the seats: the pool's reps and all to whom or from whom it is owed, sorted
	members []member // of the seats
	picks   int64
	kept    int64 // the pick whose record held the whole state last

	standing [standings]int // the pool's reps, by how they stand
	touched  []int
	barred   []int // members whom the lead in hand passes over
}

// member is how a seat's rep stands.
type member struct {
	capacity, live int
	told           int64    // his weight in the set of the last record; 0 when he was not of it
	stands         standing // whatever the lead
	bar            standing // excluded or hourless while such a lead is in hand
	touched        bool     // told may be old
}

// standing is a Reason in a byte: the members of a great pool are many, and made anew for each transaction.
type standing uint8

const (
	outside standing = iota
	eligible
	full
	absent
	hourless
	excluded
	standings
)

func (s standing) reason() Reason {
	return [standings]Reason{outside: Outside, full: Full, absent: Absent, hourless: Hourless, excluded: Excluded}[s]
}

// New makes a pool's rotation of its state and its reps as they are now; live is how many live assignments a rep holds. The order
// of reps does not matter, but is best theirs by id; each may stand in it once.
func New(state State, reps []agreement.Rep, live func(rep string) int, now time.Time) *Rotation {
	byID := func(a, b agreement.Rep) int { return cmp.Compare(a.ID, b.ID) }
	if !slices.IsSortedFunc(reps, byID) {
		reps = slices.SortedFunc(slices.Values(reps), byID)
	}
	r := &Rotation{picks: state.picks, kept: state.kept}
	r.ids = union(state, reps)
	r.wheel, r.members = newWheel(len(r.ids)), make([]member, len(r.ids))
	r.wheel.carry = state.carry()
	set := make([]int, 0, len(reps))
	known := state.shares
	for i, id := range r.ids {
		s, m := &r.wheel.seats[i], &r.members[i]
		if len(known) > 0 && known[0].rep == id {
			s.base, m.told = known[0].balance, known[0].weight
			known = known[1:]
		}
		if len(reps) > 0 && reps[0].ID == id {
			rep := &reps[0]
			reps = reps[1:]
			s.weight = int64(min(max(rep.Weight, 1), MaxWeight))
			m.capacity, m.live = rep.Capacity, live(id)
			switch {
			case rep.Absent(now):
				m.stands = absent
			case m.live >= m.capacity:
				m.stands = full
			default:
				m.stands = eligible
				set = append(set, i)
			}
			r.standing[m.stands]++
		}
		if m.told != r.weight(i) {
			r.touch(i)
		}
	}
	r.wheel.start(set)
	return r
}

// union is the ids of both, sorted as both are.
func union(state State, reps []agreement.Rep) []string {
	ids := make([]string, 0, len(reps)+len(state.shares)/8)
	known := state.shares
	for i := range reps {
		for len(known) > 0 && known[0].rep < reps[i].ID {
			ids = append(ids, known[0].rep)
			known = known[1:]
		}
		if len(known) > 0 && known[0].rep == reps[i].ID {
			known = known[1:]
		}
		ids = append(ids, reps[i].ID)
	}
	for _, s := range known {
		ids = append(ids, s.rep)
	}
	return ids
}

// SetLive says how many live assignments a rep holds from now on. One who is not of the pool changes nothing.
func (r *Rotation) SetLive(rep string, live int) {
	i, ok := r.find(rep)
	if !ok {
		return
	}
	m := &r.members[i]
	m.live = live
	before := m.stands
	switch {
	case before == eligible && m.live >= m.capacity:
		m.stands = full
		r.wheel.leave(i)
	case before == full && m.live < m.capacity:
		m.stands = eligible
		r.wheel.join(i)
	default:
		return
	}
	r.standing[before]--
	r.standing[m.stands]++
	r.touch(i)
}

// Pick chooses the rep for one lead. The record names him and says how to choose again; who has him hold the lead then tells
// SetLive. When nobody can take it the record is empty, nothing changed, and the refusal says why.
func (r *Rotation) Pick(lead Lead) (Record, Refusal) {
	timeless := r.bar(lead)
	defer r.unbar()
	if r.wheel.total == 0 {
		return Record{}, r.refusal()
	}
	record := r.note(lead, timeless)
	record.Winner = r.ids[r.wheel.pick()]
	r.picks++
	return record, ""
}

// Shut says that nobody can take any lead at all: a refusal holds for every lead.
func (r *Rotation) Shut() bool { return r.standing[eligible] == 0 }

// Why says what keeps a rep from a lead.
func (r *Rotation) Why(rep string, lead Lead) Reason {
	r.bar(lead)
	defer r.unbar()
	i, ok := r.find(rep)
	switch {
	case !ok:
		return Outside
	case r.members[i].bar != 0:
		return r.members[i].bar.reason()
	}
	return r.members[i].stands.reason()
}

// State is the rotation after the last pick.
func (r *Rotation) State() State {
	s := State{picks: r.picks, kept: r.kept, shares: make([]share, 0, len(r.ids))}
	for i, id := range r.ids {
		if balance, told := r.wheel.balance(i), r.members[i].told; balance != 0 || told != 0 {
			s.shares = append(s.shares, share{rep: id, balance: balance, weight: told})
		}
	}
	return s
}

// bar takes those whom the lead passes over out of the set, and returns the eligible ones who have no hours for it.
func (r *Rotation) bar(lead Lead) (timeless []string) {
	for _, rep := range lead.Excluded {
		r.passOver(rep, excluded)
	}
	for _, rep := range lead.Hourless {
		if r.passOver(rep, hourless) {
			timeless = append(timeless, rep)
		}
	}
	return timeless
}

// passOver returns whether the rep would have been eligible.
func (r *Rotation) passOver(rep string, why standing) bool {
	i, ok := r.find(rep)
	if !ok || r.members[i].bar != 0 {
		return false
	}
	m := &r.members[i]
	m.bar = why
	r.barred = append(r.barred, i)
	if m.stands == eligible {
		r.wheel.leave(i)
	}
	return m.stands == eligible
}

func (r *Rotation) unbar() {
	for _, i := range r.barred {
		m := &r.members[i]
		m.bar = 0
		if m.stands == eligible {
			r.wheel.join(i)
		}
	}
	r.barred = r.barred[:0]
}

// refusal is why nobody is left, with the barred out of the set.
func (r *Rotation) refusal() Refusal {
	left, why := r.standing, NoRep
	for _, i := range r.barred {
		left[r.members[i].stands]--
		if r.members[i].bar == hourless {
			why = NoHours
		} else if why == NoRep {
			why = AllExcluded
		}
	}
	switch {
	case left[full] > 0:
		return AllFull
	case left[absent] > 0:
		return AllAbsent
	}
	return why
}

// note begins the record of a pick: what changed in the set since the one before, or the whole state when as many picks as it has
// reps were made since it was written last, so that a record's size does not grow with the pool.
func (r *Rotation) note(lead Lead, timeless []string) Record {
	record := Record{Pick: r.picks + 1, Excluded: lead.Excluded, Hourless: timeless}
	whole := r.kept == 0 || record.Pick-r.kept >= int64(len(r.ids))
	for _, i := range r.touched {
		m := &r.members[i]
		m.touched = false
		now := r.weight(i)
		switch {
		case whole || now == m.told:
		case now == 0:
			record.Left = append(record.Left, r.ids[i])
		default:
			if record.Joined == nil {
				record.Joined = make(map[string]int64)
			}
			record.Joined[r.ids[i]] = now
		}
		m.told = now
	}
	r.touched = r.touched[:0]
	if whole {
		record.State = r.State().Encode()
		r.kept = record.Pick
	}
	return record
}

// weight is a seat's weight in the set, lead by lead reasons aside; 0 when its rep is not of it.
func (r *Rotation) weight(i int) int64 {
	if r.members[i].stands == eligible {
		return r.wheel.seats[i].weight
	}
	return 0
}

func (r *Rotation) touch(i int) {
	if !r.members[i].touched {
		r.members[i].touched = true
		r.touched = append(r.touched, i)
	}
}

// find is the seat of one of the pool's reps.
func (r *Rotation) find(rep string) (int, bool) {
	i, ok := slices.BinarySearch(r.ids, rep)
	return i, ok && r.members[i].stands != outside
}
