package lead

import (
	"cmp"
	"time"
)

// Contact is the purpose that everybody allows until he withdraws it; from then on nobody may contact him. An agreement declares the
// others, and those count as allowed only once they are granted.
const Contact = "contact"

// Consent is a person's word on one purpose, as a fact brings it.
type Consent struct {
	Purpose string
	Granted bool
}

// Word is the word on one purpose that holds: a grant or a withdrawal, with the fact that brought it.
type Word struct {
	Granted bool      `json:"granted"`
	At      time.Time `json:"at"`
	Source  string    `json:"source"`
	ID      string    `json:"id"`
}

// Compare returns +1 when w holds over o: by the newer instant, then the withdrawal over the grant, then the greater source and id. No
// source's word outranks another's: whoever reports that a person has changed his mind is heard.
//
// The law: words that compare equal are equal, for a fact that says two things of one purpose has a grant and a withdrawal; so a
// maximum by Compare is one in any order, and of a word that comes again it is the same.
func (w Word) Compare(o Word) int {
	withdrawal := 0
	if w.Granted != o.Granted {
		withdrawal = 1
		if w.Granted {
			withdrawal = -1
		}
	}
	return cmp.Or(w.At.Compare(o.At), withdrawal, cmp.Compare(w.Source, o.Source), cmp.Compare(w.ID, o.ID))
}

// Granted says whether the person allows the purpose now, and has said so.
func (k Knowledge) Granted(purpose string) bool { return k.Consents[purpose].Granted }

// Withdrawn says whether the person's last word on the purpose forbids it.
func (k Knowledge) Withdrawn(purpose string) bool {
	word, said := k.Consents[purpose]
	return said && !word.Granted
}
