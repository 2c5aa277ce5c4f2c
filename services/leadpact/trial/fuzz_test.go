package trial_test

import (
	"io"
	"os"
	"testing"

	"github.com/leadpact/leadpact/services/leadpact/trial"
)

// FuzzRead: whatever the file holds, there is an answer that can be written, or an error.
func FuzzRead(f *testing.F) {
	a, r := hubspot(f)
	text, err := os.ReadFile(examples + "hubspot/lead.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, seed := range []string{
		`{"source": "forms", "stage": "lost", "touches": [{"kind": "x", "at": "1970-01-01T00:00:00.0000001+14:00", "channel": "unlisted"}], "did": {"won": 32}}`,
		`{"source": "crm", "fields": {"employees": 1e308}, "touches": [{"kind": "form_submitted", "source": "forms"}], "did": {"rejected": 2}, "reason": "no-time"}`,
		`{"source": "forms", "stage": "sal", "consent": {"contact": false}, "touches": [{"kind": "x"}]}`,
		`{"source": "website", "stage": "recycled", "touches": [{"kind": "webinar_attended", "fields": {"employees": -0.0}}], "did": {"lost": 1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := trial.Read(text)
		if err != nil {
			return
		}
		answer, err := trial.Ask(trial.Question{Agreement: a, Roster: r, Lead: l, At: at})
		if err != nil {
			return
		}
		if err := answer.Write(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}
