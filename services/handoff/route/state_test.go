package route_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/services/handoff/route"
)

func TestStateReadsWhatItWrote(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		_, state := history(t, 40)
		back := reread(t, state)
		if !bytes.Equal(back.Encode(), state.Encode()) || back.Picks() != state.Picks() {
			t.Fatalf("%x came back as %x", state.Encode(), back.Encode())
		}
		for i := range 12 {
			if id := fmt.Sprintf("r%02d", i); back.Balance(id) != state.Balance(id) {
				t.Fatalf("%s is owed %d, and %d after reading", id, state.Balance(id), back.Balance(id))
			}
		}
	})
}

// Who has left the pool keeps what he is owed until he is back.
func TestStateRemembersWhoIsGone(t *testing.T) {
	t.Parallel()
	_, _, state := pick(route.State{}, []candidate{rep("ann", 1), rep("bob", 1)})
	for range 10 {
		_, _, state = pick(reread(t, state), []candidate{rep("cy", 1), rep("dee", 3)})
	}
	if a, b := state.Balance("ann"), state.Balance("bob"); a != -route.Unit/2 || b != route.Unit/2 {
		t.Errorf("ann is owed %d and bob %d", a, b)
	}
	if record, _, _ := pick(reread(t, state), []candidate{rep("ann", 1), rep("bob", 1)}); record.Winner != "bob" {
		t.Errorf("%s came before bob", record.Winner)
	}
}

// What the version before wrote is read, and goes on where it was.
func TestStateReadsJSON(t *testing.T) {
	t.Parallel()
	state, err := route.Decode([]byte(`{"ann":-500000000000,"bob":500000000000,"cy":0}`))
	if err != nil || state.Balance("ann") != -route.Unit/2 || state.Balance("bob") != route.Unit/2 {
		t.Fatalf("ann is owed %d, bob %d (%v)", state.Balance("ann"), state.Balance("bob"), err)
	}
	record, _, after := pick(state, []candidate{rep("ann", 1), rep("bob", 1)})
	if record.Winner != "bob" || record.Pick != 1 || record.State == nil || after.Balance("bob") != 0 {
		t.Errorf("%+v, and then bob is owed %d", record, after.Balance("bob"))
	}
	if _, err := route.Rerun([]route.Record{record}); err != nil {
		t.Error(err)
	}
}

func TestBytesThatAreNoState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ data, says string }{
		"text":                 {"no", "format 110"},
		"half an object":       {`{"ann":1`, "JSON"},
		"a sum":                {`{"ann":1}`, "sum"},
		"a carry of a lead":    {`{"ann":-1000000000000}`, "sum"},
		"a sum too far":        {`{"ann":9000000000000000000,"bob":-9000000000000000000}`, "no rotation"},
		"nothing after format": {"\x01", "too soon"},
		"fewer reps":           {"\x01\x01\x01\x02\x01a\x00\x01", "too soon"},
		"many reps":            {"\x01\x01\x01\xff\xff\xff\x7f", "too soon"},
		"a long id":            {"\x01\x01\x01\x01\x09a\x00\x01", "too soon"},
		"a long number":        {"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x00", "too soon"},
		"more":                 {"\x01\x01\x01\x01\x01a\x00\x01z", "too soon"},
		"out of order":         {"\x01\x01\x01\x02\x01b\x00\x01\x01a\x00\x01", "stands after"},
		"twice":                {"\x01\x01\x01\x02\x01a\x00\x01\x01a\x00\x01", "stands after"},
		"nothing of somebody":  {"\x01\x01\x01\x01\x01a\x00\x00", "nothing to say"},
		"a great weight":       {"\x01\x01\x01\x01\x01a\x00\xff\xff\xff\x7f", "weight"},
		"told too late":        {"\x01\x01\x02\x00", "is to be told"},
	} {
		if _, err := route.Decode([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something of %q", name, err, c.says)
		}
	}
}

func FuzzDecode(f *testing.F) {
	_, _, state := pick(route.State{}, []candidate{rep("ann", 1), rep("bob", 2), rep("cy", 3)})
	f.Add(state.Encode())
	f.Add([]byte(`{"ann":-1,"bob":1}`))
	f.Add([]byte("\x01\x01\x01\x02\x01a\x00\x01\x01b\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := route.Decode(data)
		if err != nil {
			return
		}
		if back := reread(t, state); !bytes.Equal(back.Encode(), state.Encode()) {
			t.Fatalf("%x is %x, and read again %x", data, state.Encode(), back.Encode())
		}
		r := rotate(state, []candidate{rep("ann", 1), rep("bob", 2)})
		for range 5 {
			if record, refusal := r.Pick(route.Lead{}); record.Winner == "" {
				t.Fatalf("nobody: %s", refusal)
			}
		}
	})
}
