package lead

import (
	"cmp"
	"slices"
	"time"
)

// Remembered is how many deeds of one kind a lead's knowledge keeps: the newest. Did counts up to it.
const Remembered = 32

// Deed is one outcome or activity: what sales did.
type Deed struct {
	At     time.Time `json:"at"`
	Source string    `json:"source"`
	ID     string    `json:"id"`
	Rep    string    `json:"rep,omitempty"`
	// Cycle of an activity; 0 for an outside outcome, which belongs to the cycle that its instant falls into.
	Cycle uint32 `json:"cycle,omitempty"`
	// Recycles is set on a rejection whose reason sends the lead back to marketing.
	Recycles bool `json:"recycles,omitempty"`
}

// Compare orders deeds by when they happened, then by source and id.
func (d Deed) Compare(o Deed) int {
	return cmp.Or(d.At.Compare(o.At), cmp.Compare(d.Source, o.Source), cmp.Compare(d.ID, o.ID))
}

// In says whether the deed belongs to a cycle that began at since; zero since is the first cycle, which takes outcomes that
// happened before the first touch too.
func (d Deed) In(cycle uint32, since time.Time) bool {
	if d.Cycle != 0 {
		return d.Cycle == cycle
	}
	return !d.At.Before(since)
}

// addDeeds unites two sets of deeds, both ascending, and keeps the newest.
//
// The law: the union of disjoint sets is commutative and associative, and the greatest n of (the greatest n of A) + B are the
// greatest n of A + B, because whatever has n greater deeds in A has them in A + B too.
func addDeeds(a, b []Deed) []Deed {
	out := slices.Concat(a, b)
	slices.SortFunc(out, Deed.Compare)
	if extra := len(out) - Remembered; extra > 0 {
		out = slices.Delete(out, 0, extra)
	}
	return out
}

// Did counts the deeds of a cycle by kind, for reading. Each count stops at Remembered.
func (k Knowledge) Did(cycle uint32, since time.Time) map[string]int64 {
	if len(k.Deeds) == 0 {
		return nil
	}
	out := make(map[string]int64, len(k.Deeds))
	for kind, deeds := range k.Deeds {
		for _, d := range deeds {
			if d.In(cycle, since) {
				out[kind]++
			}
		}
	}
	return out
}
