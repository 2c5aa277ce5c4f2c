package route

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// State is a pool's rotation between two transactions: what the pool owes each rep, in Units, and the set of its last pick. The
// zero State is a pool's start. It is never changed in place.
type State struct {
	picks  int64   // so far
	kept   int64   // the pick whose record held the whole state last; 0 before there was one
	shares []share // in order of rep; those of whom there is something to say
}

type share struct {
	rep     string
	balance int64
	weight  int64 // in the set of the last pick; 0 when he was not of it
}

const (
	// format is the first byte of an encoded state. The JSON of earlier versions begins with a brace.
	format = 1
	// farthest bounds what a stored balance may be, so that nothing overflows.
	farthest = 1_000_000 * Unit
)

// Balance is what the pool owes the rep; 0 for one whom it does not know.
func (s State) Balance(rep string) int64 {
	i, ok := slices.BinarySearchFunc(s.shares, rep, func(s share, rep string) int { return cmp.Compare(s.rep, rep) })
	if !ok {
		return 0
	}
	return s.shares[i].balance
}

// Picks is how many picks led here.
func (s State) Picks() int64 { return s.picks }

// carry is what divisions have left of a lead so far: balances and it sum to zero.
func (s State) carry() int64 {
	var sum int64
	for _, one := range s.shares {
		sum += one.balance
	}
	return -sum
}

// Encode writes the state; equal states give equal bytes, and a pool's start gives none.
//
// A byte that names the format; then, as variable-length integers, the number of picks, the pick whose record held the whole state
// last, and the number of reps; then of each rep the length of the id, the id, the balance (signed) and the weight.
func (s State) Encode() []byte {
	if s.picks == 0 && len(s.shares) == 0 {
		return nil
	}
	size := 32
	for _, one := range s.shares {
		size += len(one.rep) + 12
	}
	data := append(make([]byte, 0, size), format)
	data = binary.AppendUvarint(data, uint64(s.picks))
	data = binary.AppendUvarint(data, uint64(s.kept))
	data = binary.AppendUvarint(data, uint64(len(s.shares)))
	for _, one := range s.shares {
		data = binary.AppendUvarint(data, uint64(len(one.rep)))
		data = append(data, one.rep...)
		data = binary.AppendVarint(data, one.balance)
		data = binary.AppendUvarint(data, uint64(one.weight))
	}
	return data
}

// Decode reads what Encode wrote, in this version or one that wrote JSON.
func Decode(data []byte) (State, error) {
	var s State
	var err error
	switch {
	case len(data) == 0:
		return s, nil
	case data[0] == '{':
		s, err = decodeJSON(data)
	case data[0] == format:
		s, err = decode(string(data[1:]))
	default:
		err = fmt.Errorf("format %d is not known to this program", data[0])
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return State{}, fmt.Errorf("read a pool's balances: %w", err)
	}
	return s, nil
}

// decodeJSON reads an object of balances by rep.
func decodeJSON(data []byte) (State, error) {
	var balances map[string]int64
	if err := json.Unmarshal(data, &balances); err != nil {
		return State{}, err
	}
	var s State
	for rep, balance := range balances {
		if balance != 0 {
			s.shares = append(s.shares, share{rep: rep, balance: balance})
		}
	}
	slices.SortFunc(s.shares, func(a, b share) int { return cmp.Compare(a.rep, b.rep) })
	return s, nil
}

var errShort = errors.New("the bytes end too soon or hold a number out of range")

// decode takes the bytes as a string, so that the ids are parts of it.
func decode(rest string) (State, error) {
	var s State
	fields := reader{rest: rest}
	s.picks, s.kept = fields.number(), fields.number()
	n := fields.number()
	if n > int64(len(rest)) { // a rep takes at least three bytes
		return State{}, errShort
	}
	s.shares = make([]share, n)
	for i := range s.shares {
		s.shares[i] = share{rep: fields.text(), balance: fields.signed(), weight: fields.number()}
	}
	if fields.bad || fields.rest != "" {
		return State{}, errShort
	}
	return s, nil
}

// check demands what every state that was written keeps.
func (s State) check() error {
	for i, one := range s.shares {
		switch {
		case i > 0 && s.shares[i-1].rep >= one.rep:
			return fmt.Errorf("rep %q stands after %q", one.rep, s.shares[i-1].rep)
		case one.balance > farthest || one.balance < -farthest:
			return fmt.Errorf("rep %q is owed %d Units, which no rotation reaches", one.rep, one.balance)
		case one.weight > MaxWeight:
			return fmt.Errorf("rep %q has weight %d, at most %d is possible", one.rep, one.weight, MaxWeight)
		case one.balance == 0 && one.weight == 0:
			return fmt.Errorf("rep %q stands there with nothing to say of him", one.rep)
		}
	}
	if s.kept > s.picks {
		return fmt.Errorf("pick %d is to be told of after %d picks", s.kept, s.picks)
	}
	if carry := s.carry(); carry < 0 || carry >= Unit {
		return fmt.Errorf("balances sum to %d Units, and must to zero but for the rest of a lead", -carry)
	}
	return nil
}

// reader takes fields from the front of a string; after a bad one all are zero.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) uvarint() uint64 {
	var x uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64-1; i++ { // nine bytes: 63 bits
		b := r.rest[i]
		x |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return x
		}
	}
	r.rest, r.bad = "", true
	return 0
}

func (r *reader) number() int64 { return int64(r.uvarint()) }

func (r *reader) signed() int64 {
	x := r.uvarint()
	return int64(x>>1) ^ -int64(x&1)
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.rest, r.bad = "", true
		return ""
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}
