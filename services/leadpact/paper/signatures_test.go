package paper

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/agreement/sealtest"
)

// TestSeal: signatures that hold stand on the last page, each on its side.
func TestSeal(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	text = sealtest.Following(t, sealtest.Keyed(t, text), text)
	a, faults := agreement.Parse("agreement.yaml", text)
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	seal, faults := agreement.ParseSeal("agreement.yaml.sig", sealtest.Seal(t, text))
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	before, _ := texts(t, draw(t, a, Sheet{Size: A4}))
	if !strings.Contains(before, "It comes after the version "+a.Follows) {
		t.Error("the paper does not say which version it follows")
	}
	after, _ := texts(t, draw(t, a, Sheet{Size: A4, Seal: seal}))
	for _, side := range agreement.Sides() {
		g, _ := seal.Of(side)
		value := base64.StdEncoding.EncodeToString(g.Value)
		if !strings.Contains(before, "Signs with "+g.Key) || strings.Contains(before, value) {
			t.Errorf("the paper of %s is signed before it is", side)
		}
		if !strings.Contains(after, "For "+string(side)+" "+a.Parties.Of(side).Name+" Signed with "+g.Key+" "+value) {
			t.Errorf("the paper does not show that %s has signed", side)
		}
	}
}

// TestRoster: the paper says who works under it, and that nobody signs that.
func TestRoster(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/examples/hubspot/roster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, faults := agreement.ParseRoster("roster.yaml", text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	printed, _ := texts(t, draw(t, load(t, reference), Sheet{Size: A4, Roster: r}))
	for _, want := range []string{"Who works under it", "Nobody signs it", "boston priya 4", "dublin aoife, femi · mornings lotte", "Hours of their own", "mornings Europe/Dublin Mon to Fri 09:00-13:00"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the paper lacks %q", want)
		}
	}
}

// TestUnderWay: the page for the signatures says what becomes of what runs.
func TestUnderWay(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{"": "stay under their version", "under_way: stay\n": "stay under their version", "under_way: move\n": "move to this one"} {
		a, faults := agreement.Parse("agreement.yaml", append([]byte(line), text...))
		if len(faults) > 0 {
			t.Fatal(faults[0])
		}
		if printed, _ := texts(t, draw(t, a, Sheet{Size: A4})); !strings.Contains(printed, "When it comes into force, the clocks of leads under way "+want+".") {
			t.Errorf("%q: the paper does not say that they %s", line, want)
		}
	}
}
