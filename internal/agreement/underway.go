package agreement

// UnderWay is what becomes of clocks that run under an earlier version when this one comes into force.
type UnderWay string

// The answers.
const (
	// Stay leaves them under the version that their lead was handed off under.
	Stay UnderWay = "stay"
	// Move computes them anew under this version's promise of the same name, from their own start.
	Move UnderWay = "move"
)

func (b *builder) readUnderWay(n *node) {
	b.a.UnderWay = Stay
	if n != nil {
		b.a.UnderWay = UnderWay(b.oneOf(n, "answer for leads under way", string(Stay), string(Move)))
	}
}

func (u UnderWay) say() Clause {
	words := string(u)
	switch u {
	case Stay:
		words = "stay under their version"
	case Move:
		words = "move to this one"
	}
	return Clause{Key: "under_way", Subject: "leads under way", Facts: []Fact{{"their clocks", words}}}
}
