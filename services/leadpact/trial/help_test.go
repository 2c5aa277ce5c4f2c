package trial_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/trial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const examples = "../../../docs/examples/"

// hubspot is the agreement that users are shown, and its roster.
func hubspot(t testing.TB) (*agreement.Agreement, *agreement.Roster) {
	t.Helper()
	a, _, faults, err := agreement.Load(examples+"hubspot/agreement.yaml", os.ReadFile)
	if err != nil || a == nil {
		t.Fatal(err, faults)
	}
	text, err := os.ReadFile(examples + "hubspot/roster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, faults := agreement.ParseRoster("roster.yaml", text)
	if r == nil {
		t.Fatal(faults)
	}
	return a, r
}

func read(t testing.TB, text string) trial.Lead {
	t.Helper()
	l, err := trial.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// at is a Wednesday afternoon, in the hours of both offices.
var at = time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)

func ask(t testing.TB, q trial.Question) trial.Answer {
	t.Helper()
	answer, err := trial.Ask(q)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
