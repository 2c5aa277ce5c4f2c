package replay

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

const (
	// shown bounds the refused rows that a report names, and kinds the reasons that it tells apart: files have no bound.
	shown = 20
	kinds = 100
	// others is the reason under which all further ones are counted.
	others = "other reasons"
)

// Refused is a row that was not taken. It names no person: what the row says stays in the file.
type Refused struct {
	Line   int    `json:"line"`
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
}

// refusal is a refused row. An id that is an address, or has one in it, is left out.
func refusal(line int, id, reason string) Refused {
	if strings.Contains(id, "@") {
		id = ""
	}
	return Refused{Line: line, ID: id, Reason: reason}
}

// Report is what became of the rows, those of interrupted runs before included.
type Report struct {
	// Resumed is how many of the rows earlier runs did.
	Resumed  int `json:"resumed"`
	Rows     int `json:"rows"`
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`
	Retries  int `json:"retries"`
	// Reasons counts refused rows by reason, a hundred and "other reasons" at most.
	Reasons map[string]int `json:"reasons"`
	// Examples are the first refused rows, twenty at most.
	Examples []Refused `json:"examples"`
}

func newReport() Report { return Report{Reasons: map[string]int{}, Examples: []Refused{}} }

// refuse counts a refused row.
func (r *Report) refuse(one Refused) {
	r.Refused++
	reason := one.Reason
	if r.Reasons[reason] == 0 && len(r.Reasons) >= kinds {
		reason = others
	}
	r.Reasons[reason]++
	if len(r.Examples) < shown {
		r.Examples = append(r.Examples, one)
	}
}

// ByNumber are the reasons, the most frequent first.
func (r *Report) ByNumber() []string {
	return slices.SortedFunc(maps.Keys(r.Reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Reasons[b], r.Reasons[a]), cmp.Compare(a, b))
	})
}
