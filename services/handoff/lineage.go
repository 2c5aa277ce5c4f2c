package handoff

import (
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
)

// lineage is every version, in the order in which they come into force. It is immutable.
type lineage []descent

type descent struct {
	hash string
	from time.Time
	// moves is the version when it takes over clocks that run, else nil.
	moves *agreement.Agreement
}

// heirs are the versions that may take over, by now, what started then under the version of that hash.
func (l lineage) heirs(hash string, started, now time.Time) []descent {
	own := slices.IndexFunc(l, func(d descent) bool { return d.hash == hash })
	if own < 0 {
		return nil
	}
	var out []descent
	for _, d := range l[own+1:] {
		if d.moves != nil && d.from.After(started) && !d.from.After(now) {
			out = append(out, d)
		}
	}
	return out
}

// taking says whether a version that is not among the done is in force and takes clocks over, and which are done when the clocks
// have been looked at now.
func (l lineage) taking(now time.Time, done map[string]bool) (bool, map[string]bool) {
	taking, settled := false, make(map[string]bool)
	for _, d := range l {
		if d.moves == nil || d.from.After(now) {
			continue
		}
		taking = taking || !done[d.hash]
		settled[d.hash] = !d.from.After(now.Add(-settling))
	}
	return taking, settled
}
