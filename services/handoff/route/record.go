package route

import (
	"errors"
	"fmt"
	"slices"
)

// Record is one pick, told so that it can be decided again after the pick before it. Its size is a constant on average: what has
// changed in the set, and from time to time the whole of it.
type Record struct {
	// Pick is its number in the pool, from 1.
	Pick   int64  `json:"pick"`
	Winner string `json:"winner"`
	// Excluded and Hourless are the reps whom this lead alone passed over.
	Excluded []string `json:"excluded,omitempty"`
	Hourless []string `json:"no_hours,omitempty"`
	// Joined are the weights of those who came into the set since the pick before, or have another weight; Left are those who
	// are no longer of it: absent, full or gone from the pool.
	Joined map[string]int64 `json:"joined,omitempty"`
	Left   []string         `json:"left,omitempty"`
	// State, when it is there, is the encoded state before this pick with the set of this pick, instead of Joined and Left.
	State []byte `json:"state,omitempty"`
}

// Rerun decides a chain of one pool's picks again and returns the state after them. The chain is in order, without a gap, and begins
// with a record that holds the state. The error says which pick came out otherwise, or is not where it belongs.
func Rerun(chain []Record) (State, error) {
	if len(chain) == 0 || chain[0].State == nil {
		return State{}, errors.New("run picks again: the first record must be one that holds the whole state")
	}
	r := replay{}
	for i, record := range chain {
		var err error
		if i == 0 {
			err = r.open(chain)
		}
		if err == nil {
			err = r.again(record)
		}
		if err != nil {
			return State{}, fmt.Errorf("run pick %d again: %w", record.Pick, err)
		}
	}
	return r.state(), nil
}

// replay is a wheel with a seat for everybody who occurs in a chain.
type replay struct {
	wheel wheel
	ids   []string // of the seats, sorted
	picks int64
	kept  int64
}

// open takes everybody's seat, and the balances that the chain begins with.
func (r *replay) open(chain []Record) error {
	for _, record := range chain {
		for rep := range record.Joined {
			r.ids = append(r.ids, rep)
		}
		state, err := Decode(record.State)
		if err != nil {
			return err
		}
		for _, s := range state.shares {
			r.ids = append(r.ids, s.rep)
		}
	}
	slices.Sort(r.ids)
	r.ids = slices.Compact(r.ids)
	r.wheel = newWheel(len(r.ids))
	state, err := Decode(chain[0].State)
	if err != nil {
		return err
	}
	for i, rep := range r.ids {
		r.wheel.seats[i].base = state.Balance(rep)
	}
	r.wheel.carry, r.picks = state.carry(), state.picks
	return nil
}

// again makes one pick.
func (r *replay) again(record Record) error {
	if record.Pick != r.picks+1 {
		return fmt.Errorf("it stands after pick %d", r.picks)
	}
	if err := r.change(record); err != nil {
		return err
	}
	var out []int
	for _, rep := range slices.Concat(record.Excluded, record.Hourless) {
		if i, ok := slices.BinarySearch(r.ids, rep); ok && r.wheel.within(i) {
			r.wheel.leave(i)
			out = append(out, i)
		}
	}
	if r.wheel.total == 0 {
		return errors.New("nobody can take the lead")
	}
	if winner := r.ids[r.wheel.pick()]; winner != record.Winner {
		return fmt.Errorf("%q has the lead, and the record says %q", winner, record.Winner)
	}
	for _, i := range out {
		r.wheel.join(i)
	}
	r.picks++
	return nil
}

// change makes the set the record's.
func (r *replay) change(record Record) error {
	if record.State != nil {
		state, err := Decode(record.State)
		if err != nil {
			return err
		}
		weights := make(map[string]int64, len(state.shares))
		for _, s := range state.shares {
			weights[s.rep] = s.weight
		}
		for i, rep := range r.ids {
			if here, there := r.wheel.balance(i), state.Balance(rep); here != there {
				return fmt.Errorf("%q is owed %d Units here, and %d by the state in the record", rep, here, there)
			}
			r.seat(i, weights[rep])
		}
		r.kept = record.Pick
	}
	for _, rep := range record.Left {
		if i, ok := slices.BinarySearch(r.ids, rep); ok {
			r.seat(i, 0)
		}
	}
	for rep, weight := range record.Joined {
		if weight < 1 || weight > MaxWeight {
			return fmt.Errorf("%q joins with weight %d, which is none from 1 to %d", rep, weight, MaxWeight)
		}
		i, _ := slices.BinarySearch(r.ids, rep)
		r.seat(i, weight)
	}
	return nil
}

// seat gives a rep that weight in the set, or with 0 takes him out.
func (r *replay) seat(i int, weight int64) {
	if r.wheel.within(i) {
		r.wheel.leave(i)
	}
	if weight > 0 {
		r.wheel.seats[i].weight = weight
		r.wheel.join(i)
	}
}

func (r *replay) state() State {
	s := State{picks: r.picks, kept: r.kept}
	for i, rep := range r.ids {
		one := share{rep: rep, balance: r.wheel.balance(i)}
		if r.wheel.within(i) {
			one.weight = r.wheel.seats[i].weight
		}
		if one.balance != 0 || one.weight != 0 {
			s.shares = append(s.shares, one)
		}
	}
	return s
}
