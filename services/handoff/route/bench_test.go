package route_test

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/handoff/route"
)

// office is a pool in the middle of its day: weights from 1 to 100, capacities from 1 to 20, and two thirds of the leads that it
// has room for in somebody's hands. With each new lead an old one ends.
type office struct {
	reps     []agreement.Rep
	rotation *route.Rotation
	live     map[string]int
	ring     []string // who got what, in the order in which leads end
	at       int
}

func newOffice(reps int) *office {
	random := rand.New(rand.NewSource(int64(reps)))
	o := &office{live: make(map[string]int)}
	room := 0
	for i := range reps {
		one := agreement.Rep{ID: fmt.Sprintf("rep%04d", i), Weight: 1 + random.Intn(100), Capacity: 1 + random.Intn(20)}
		o.reps = append(o.reps, one)
		room += one.Capacity
	}
	o.ring = make([]string, room*2/3)
	o.begin(route.State{})
	for range o.ring {
		o.next()
	}
	return o
}

func (o *office) begin(state route.State) {
	o.rotation = route.New(state, o.reps, func(rep string) int { return o.live[rep] }, noon)
}

func (o *office) next() (route.Record, bool) {
	if rep := o.ring[o.at]; rep != "" {
		o.live[rep]--
		o.rotation.SetLive(rep, o.live[rep])
	}
	record, refusal := o.rotation.Pick(route.Lead{})
	o.live[record.Winner]++
	o.rotation.SetLive(record.Winner, o.live[record.Winner])
	o.ring[o.at] = record.Winner
	o.at = (o.at + 1) % len(o.ring)
	return record, refusal == ""
}

var sizes = []int{20, 200, 2000}

// BenchmarkPick is one lead in a transaction that is under way: a pick and its record, one rep who holds a lead more and one who
// holds a lead less.
func BenchmarkPick(b *testing.B) {
	for _, reps := range sizes {
		b.Run(fmt.Sprint(reps), func(b *testing.B) {
			o := newOffice(reps)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := o.next(); !ok {
					b.Fatal("nobody has room")
				}
			}
		})
	}
}

// BenchmarkPickPassingOver is the same for a lead that two reps have had.
func BenchmarkPickPassingOver(b *testing.B) {
	for _, reps := range sizes {
		b.Run(fmt.Sprint(reps), func(b *testing.B) {
			o := newOffice(reps)
			lead := route.Lead{Excluded: []string{o.reps[reps/3].ID, o.reps[reps/2].ID}}
			b.ReportAllocs()
			for b.Loop() {
				if _, refusal := o.rotation.Pick(lead); refusal != "" {
					b.Fatal(refusal)
				}
			}
		})
	}
}

// BenchmarkDecode reads a pool's state.
func BenchmarkDecode(b *testing.B) {
	for _, reps := range sizes {
		b.Run(fmt.Sprint(reps), func(b *testing.B) {
			data := newOffice(reps).rotation.State().Encode()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := route.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTransaction is what a transaction costs beside its picks: the state is read, the rotation made, the state written.
func BenchmarkTransaction(b *testing.B) {
	for _, reps := range sizes {
		b.Run(fmt.Sprint(reps), func(b *testing.B) {
			o := newOffice(reps)
			data := o.rotation.State().Encode()
			b.ReportAllocs()
			for b.Loop() {
				state, err := route.Decode(data)
				if err != nil {
					b.Fatal(err)
				}
				o.begin(state)
				data = o.rotation.State().Encode()
			}
		})
	}
}
