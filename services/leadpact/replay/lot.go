package replay

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/leadpact/leadpact/services/leadpact/sender"
)

const (
	// batch and batchBytes bound one request; the door takes 256 KiB.
	batch      = 100
	batchBytes = 200 << 10
)

// lot is some rows on their way, and what became of them.
type lot struct {
	// number is its place among the lots of a run.
	number int
	rows   int
	// events are those that can be sent, with the line of each.
	events []json.RawMessage
	lines  []int
	bytes  int
	// end is the offset behind its last row.
	end int64

	ids     []string
	refused []Refused
	retries int
}

func (l *lot) add(event json.RawMessage, line int) {
	l.events, l.lines = append(l.events, event), append(l.lines, line)
	l.bytes += len(event)
	l.rows++
}

func (l *lot) refuse(r Refused) {
	l.refused = append(l.refused, r)
	l.rows++
}

// taken notes what the door said of the events [from, to).
func (l *lot) taken(answer sender.Answer, from, to int) error {
	for _, r := range answer.Refused {
		if r.Index < 0 || r.Index >= to-from {
			return fmt.Errorf("the door refused event %d of a batch of %d: is it a leadpact door?", r.Index, to-from)
		}
		l.refused = append(l.refused, refusal(l.lines[from+r.Index], r.ID, r.Detail))
	}
	l.ids = append(l.ids, answer.IDs...)
	return nil
}

// inOrder are the refused rows in the order of the file.
func (l *lot) inOrder() []Refused {
	slices.SortStableFunc(l.refused, func(a, b Refused) int { return cmp.Compare(a.Line, b.Line) })
	return l.refused
}
