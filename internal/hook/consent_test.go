package hook

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func TestConsents(t *testing.T) {
	t.Parallel()
	no := func(purpose string) *eventv1.Consent { return &eventv1.Consent{Purpose: purpose} }
	yes := func(purpose string) *eventv1.Consent { return &eventv1.Consent{Purpose: purpose, Granted: true} }
	for _, c := range []struct {
		name, source, body string
		want               []*eventv1.Consent
	}{
		{"both", "form", `{"email":"a@b.org","consent":{"contact":false,"marketing":true}}`, []*eventv1.Consent{no("contact"), yes("marketing")}},
		{"in other words", "form", `{"email":"a@b.org","consent":{"contact":"no","marketing":1}}`, []*eventv1.Consent{no("contact"), yes("marketing")}},
		{"nothing said", "form", `{"email":"a@b.org","consent":{"contact":null,"marketing":""}}`, nil},
		{"none", "form", `{"email":"a@b.org"}`, nil},
		{"undeclared", "form", `{"email":"a@b.org","consent":{"sharing":true}}`, nil},
		{"in data", "standard", `{"type":"x","data":{"email":"a@b.org","consent":{"contact":false}}}`, []*eventv1.Consent{no("contact")}},
		{"mapped", "crm", `{"contact":{"emails":["a@b.org"],"opted_in":false},"consent":{"marketing":true,"contact":true}}`, []*eventv1.Consent{yes("contact"), no("marketing")}},
	} {
		got := only(t, c.source, c.body, "").GetLeadReceived()
		if want := (&eventv1.LeadReceived{Consents: c.want}); !proto.Equal(&eventv1.LeadReceived{Consents: got.GetConsents()}, want) {
			t.Errorf("%s: %v, want %v", c.name, got.GetConsents(), c.want)
		}
	}
}

func TestKindsThatGrantAndWithdraw(t *testing.T) {
	t.Parallel()
	s := sourceOf(t, "form")
	s.Map.Withdrawals, s.Map.Grants = map[string]string{"unsubscribed": "contact"}, map[string]string{"subscribed": "marketing"}
	for kind, want := range map[string]*eventv1.Consent{"unsubscribed": {Purpose: "contact"}, "subscribed": {Purpose: "marketing", Granted: true}, "other": nil} {
		m, err := read(s, `{"email":"a@b.org","type":"`+kind+`"}`, "", noon)
		if err != nil || len(m.Events) != 1 {
			t.Fatal(err, m)
		}
		got := m.Events[0].Event.GetLeadReceived().GetConsents()
		if want == nil && len(got) == 0 {
			continue
		}
		if len(got) != 1 || !proto.Equal(got[0], want) {
			t.Errorf("%s says %v, want %v", kind, got, want)
		}
	}
}

func TestConfidence(t *testing.T) {
	t.Parallel()
	own := parsed(t, strings.Replace(contract, "reason: why", "reason: why\n      confidence: confidence", 1))
	crm, _ := own.Source("crm")
	for _, c := range []struct {
		said    string
		want    float64
		refused bool // where the agreement itself names the place
	}{
		{"0.6", 0.6, false}, {`"0.25"`, 0.25, false}, {"1", 1, false}, {`""`, 0, false}, {"null", 0, false}, {"0", 0, false}, {`"0.0"`, 0, false},
		{"1.5", 0, true}, {"87", 0, true}, {"-0.5", 0, true}, {`"NaN"`, 0, true}, {`"high"`, 0, true}, {`{"score":1}`, 0, true}, {"true", 0, true},
	} {
		if got := only(t, "form", `{"email":"a@b.org","confidence":`+c.said+`}`, "").GetLeadReceived().GetConfidence(); got != c.want {
			t.Errorf("%s is read as %v, want %v", c.said, got, c.want)
		}
		m, err := read(New(own, crm), `{"contact":{"id":7},"confidence":`+c.said+`}`, "", noon)
		switch {
		case err != nil || len(m.Events)+len(m.Refused) != 1 || (len(m.Refused) == 1) != c.refused:
			t.Errorf("%s at a place of the agreement's own: %+v, %v", c.said, m, err)
		case c.refused && m.Refused[0].Detail != "confidence is no number over 0 up to 1":
			t.Errorf("%s is refused as %s", c.said, m.Refused[0].Detail)
		case !c.refused && m.Events[0].Event.GetLeadReceived().GetConfidence() != c.want:
			t.Errorf("%s at a place of the agreement's own is read as %v", c.said, m.Events[0].Event.GetLeadReceived().GetConfidence())
		}
	}
}

func TestConsentThatSaysNothing(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"email":"a@b.org","consent":{"contact":"perhaps"}}`:  `consent to "contact": neither true nor false`,
		`{"email":"a@b.org","consent":{"contact":{"at":"x"}}}`: `consent to "contact": neither`,
	} {
		m, err := read(sourceOf(t, "form"), body, "", noon)
		if err != nil || len(m.Refused) != 1 || !strings.Contains(m.Refused[0].Detail, want) {
			t.Errorf("%s: %+v, %v; want %s", body, m.Refused, err, want)
		}
	}
}

// A consent that is no object may be a no: it is refused, but where the agreement says what it is.
func TestConsentThatIsNoObject(t *testing.T) {
	t.Parallel()
	ask := func(s *Source, body string) (taken, refused int, why string) {
		t.Helper()
		m, err := read(s, body, "", noon)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Refused {
			why = r.Detail
		}
		return len(m.Events), len(m.Refused), why
	}
	const want = `consent: write purpose: true or false, as {"contact": false}`
	for said, refused := range map[string]bool{`"no"`: true, "false": true, "0": true, `["contact"]`: true, "null": false, `""`: false, "{}": false, `{"contact":false}`: false} {
		for source, body := range map[string]string{
			"form": `{"email":"a@b.org","consent":` + said + `}`, "standard": `{"type":"x","data":{"email":"a@b.org","consent":` + said + `}}`,
		} {
			taken, bad, why := ask(sourceOf(t, source), body)
			if refused && (bad != 1 || why != want) || !refused && taken != 1 {
				t.Errorf("%s, %s: %d taken, refused as %q", source, said, taken, why)
			}
		}
	}
	for name, text := range map[string]string{
		"a field":   strings.Replace(contract, "  company: text\n", "  company: text\n  consent: text\n", 1),
		"a purpose": strings.Replace(contract, "{bearer: env:FORM}", "{bearer: env:FORM}\n    map: {consent: {marketing: consent}}", 1),
	} {
		a := parsed(t, text)
		form, _ := a.Source("form")
		if taken, _, why := ask(New(a, form), `{"email":"a@b.org","consent":"no"}`); taken != 1 {
			t.Errorf("%s of that name: %s", name, why)
		}
	}
}

// Both are part of what an event says: the same id with another consent is a conflict.
func TestConsentAndConfidenceCountForTheHash(t *testing.T) {
	t.Parallel()
	hashOf := func(more string) []byte {
		return only(t, "form", `{"id":"e","email":"a@b.org"`+more+`}`, "").GetLeadReceived().GetContentHash()
	}
	all := []string{"", `,"consent":{"contact":false}`, `,"consent":{"contact":true}`, `,"consent":{"marketing":true}`, `,"confidence":0.5`, `,"confidence":0.6`}
	for i, a := range all {
		for _, b := range all[i+1:] {
			if bytes.Equal(hashOf(a), hashOf(b)) {
				t.Errorf("%s and %s have one hash", a, b)
			}
		}
	}
}

// Every pattern of a preset leads to consents too.
func TestPatternsOfConsent(t *testing.T) {
	t.Parallel()
	for _, name := range preset.Names() {
		p, err := preset.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, pattern := range p.Map.Any {
			if _, err := preset.At(strings.ReplaceAll(pattern, "{name}", "consent.a-purpose")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
