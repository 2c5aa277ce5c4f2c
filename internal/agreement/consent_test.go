package agreement_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadpact/leadpact/internal/agreement"
)

// consenting is whole with purposes that people are asked for.
const consenting = whole + "consent: {purposes: [marketing, profiling], needed: marketing}\n"

func TestConsent(t *testing.T) {
	t.Parallel()
	text := strings.Replace(consenting, "{name: mql, when: score >= 50}", `{name: mql, when: score >= 50 && consent("profiling")}`, 1)
	a, faults := agreement.Parse("a.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if want := (agreement.Consent{Purposes: []string{"marketing", "profiling"}, Needed: []string{"marketing"}}); !cmp.Equal(a.Consent, want) {
		t.Errorf("consent is %+v, want %+v", a.Consent, want)
	}
	for _, c := range []struct {
		granted map[string]bool
		want    bool
	}{
		{nil, false},
		{map[string]bool{"profiling": false, "marketing": true}, false},
		{map[string]bool{"profiling": true}, true},
	} {
		if got, err := a.Stages[1].When.Holds(&agreement.Lead{Score: 60, Granted: c.granted}); got != c.want || err != nil {
			t.Errorf("with %v it holds: %v, %v", c.granted, got, err)
		}
	}
	none, faults := agreement.Parse("a.yaml", []byte(whole))
	if len(faults) > 0 || !cmp.Equal(none.Consent, agreement.Consent{}) {
		t.Errorf("without the section: %+v, %v", none.Consent, faults)
	}
}

func TestConsentFaults(t *testing.T) {
	t.Parallel()
	guarded := func(condition string) string { return "- {name: mql, when: '" + condition + "'}" }
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"contact":           {"[marketing, profiling]", "[marketing, profiling, ‸contact]", []string{"is there without being named"}},
		"twice":             {"[marketing, profiling]", "[marketing, ‸marketing]", []string{`name "marketing" is taken`}},
		"none":              {"{purposes: [marketing, profiling], needed: marketing}", "{purposes: ‸[]}", []string{"asks for nothing"}},
		"no purposes":       {"{purposes: [marketing, profiling], needed: marketing}", "‸{needed: []}", []string{"needs purposes"}},
		"needed, not asked": {"needed: marketing", "needed: [marketing, ‸profilng]", []string{`no purpose is named "profilng"`}},
		"another key":       {"needed: marketing", "‸wanted: marketing", []string{`no key "wanted"`}},
		"of no purpose":     {"- {name: mql, when: score >= 50}", guarded(`score >= 50 && consent(‸"profilng")`), []string{`no purpose is named "profilng"`}},
		"in a route":        {"lead.employees > 200", `‸consent("marketing")`, []string{"does not turn on what it allows"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faultyIn(t, consenting, c.old, c.new, c.want...)
		})
	}
	faulty(t, "- {name: mql, when: score >= 50}", guarded(`consent(‸"marketing")`), `no purpose is named "marketing"`)
}

func TestDiffTellsOfConsent(t *testing.T) {
	t.Parallel()
	read := func(text string) *agreement.Agreement {
		a, faults := agreement.Parse("a.yaml", []byte(text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		return a
	}
	var got []string
	for _, c := range agreement.Diff(read(consenting), read(whole+"consent: {purposes: [marketing, sharing], needed: [sharing]}\n")) {
		got = append(got, c.Section+": "+c.String())
	}
	want := []string{
		"What people allow: consent to profiling: gone: consent to profiling",
		"What people allow: consent to marketing, needed for a handoff: yes → no",
		"What people allow: consent to sharing: new: needed for a handoff yes",
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
