package route

import (
	"encoding/json"
	"fmt"
	"maps"
)

// State is a pool's rotation: what the pool owes each rep, in Units. The zero State is a pool's start. It is never changed in
// place.
type State struct {
	balances map[string]int64
}

// Balance is what the pool owes the rep; 0 for one whom it does not know.
func (s State) Balance(rep string) int64 { return s.balances[rep] }

// Encode writes the state; equal states give equal bytes, and a pool's start gives none.
func (s State) Encode() []byte {
	if len(s.balances) == 0 {
		return nil
	}
	data, err := json.Marshal(s.balances) // sorted by key
	if err != nil {
		panic(fmt.Sprintf("encode a pool's balances: %v", err)) // a map of whole numbers always has a JSON form
	}
	return data
}

// Decode reads what Encode wrote.
func Decode(data []byte) (State, error) {
	var s State
	if len(data) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(data, &s.balances); err != nil {
		return State{}, fmt.Errorf("read a pool's balances: %w", err)
	}
	return s, nil
}

func (s State) clone() State {
	c := maps.Clone(s.balances)
	if c == nil {
		c = make(map[string]int64)
	}
	return State{balances: c}
}
