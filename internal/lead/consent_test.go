package lead_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/lead"
)

func TestWhatAPersonAllows(t *testing.T) {
	t.Parallel()
	says := func(source, id string, micros int64, purpose string, granted bool) lead.Fact {
		return lead.Fact{Source: source, ID: id, Kind: lead.Touch, OccurredAt: at(micros), Consents: []lead.Consent{{Purpose: purpose, Granted: granted}}}
	}
	both := says("web", "1", 5, "marketing", true)
	both.Consents = append(both.Consents, lead.Consent{Purpose: "marketing"})
	for _, c := range []struct {
		name               string
		facts              []lead.Fact
		purpose            string
		granted, withdrawn bool
	}{
		{"nothing said", nil, lead.Contact, false, false},
		{"granted", []lead.Fact{says("web", "1", 5, "marketing", true)}, "marketing", true, false},
		{"withdrawn later", []lead.Fact{says("web", "1", 5, "marketing", true), says("web", "2", 6, "marketing", false)}, "marketing", false, true},
		{"granted again", []lead.Fact{says("web", "1", 5, "marketing", false), says("web", "2", 6, "marketing", true)}, "marketing", true, false},
		{"both at one instant: withdrawn", []lead.Fact{says("web", "9", 5, "marketing", true), says("web", "1", 5, "marketing", false)}, "marketing", false, true},
		{"both in one fact: withdrawn", []lead.Fact{both}, "marketing", false, true},
		{"whoever reports it, though his word counts less for fields", []lead.Fact{says("crm", "1", 5, lead.Contact, true), says("ads", "2", 6, lead.Contact, false)}, lead.Contact, false, true},
		{"one purpose is not the other", []lead.Fact{says("web", "1", 5, lead.Contact, false)}, "marketing", false, false},
		{"one that is not declared", []lead.Fact{says("web", "1", 5, "undeclared", true)}, "undeclared", false, false},
	} {
		k := fold(c.facts...)
		if k.Granted(c.purpose) != c.granted || k.Withdrawn(c.purpose) != c.withdrawn {
			t.Errorf("%s: granted %v, withdrawn %v", c.name, k.Granted(c.purpose), k.Withdrawn(c.purpose))
		}
	}
	word := fold(says("web", "1", 5, "marketing", true), says("crm", "7", 6, "marketing", false)).Consents["marketing"]
	if want := (lead.Word{At: at(6), Source: "crm", ID: "7"}); word != want {
		t.Errorf("the word that holds is %+v, want %+v", word, want)
	}
}

// The word that holds is the newest of its purpose, and a withdrawal among the newest, whatever the source and the confidence.
func TestTheNewestWordHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := facts().Draw(t, "facts")
		k := fold(all...)
		for _, purpose := range []string{lead.Contact, "marketing", "undeclared"} {
			said, granted, newest := false, false, at(0)
			for _, f := range all {
				for _, c := range f.Consents {
					switch {
					case c.Purpose != purpose || purpose == "undeclared":
					case !said || f.OccurredAt.After(newest):
						said, granted, newest = true, c.Granted, f.OccurredAt
					case f.OccurredAt.Equal(newest):
						granted = granted && c.Granted
					}
				}
			}
			word, held := k.Consents[purpose]
			if held != said || word.Granted != granted || said && !word.At.Equal(newest) {
				t.Fatalf("%s: %+v holds of %+v", purpose, word, all)
			}
		}
	})
}
