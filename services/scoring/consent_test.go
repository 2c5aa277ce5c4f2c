package scoring_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/identity"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// withConsent makes the agreement of the tests need a consent.
const withConsent = "consent: {purposes: [marketing], needed: [marketing]}\nchannels:"

func TestAWithdrawalTakesTheHandoffBack(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "ada@example.com", "form", 0, size(250)))
		if got := words(r.told(t)); got != "staged 1.1 new, staged 1.2 mql!" {
			t.Fatalf("told %s", got)
		}
		stop := received("2", "ada@example.com", "unsubscribe", 1, says("-contact"))
		r.apply(t, stop, stop)
		r.apply(t, stop)
		told := r.told(t)
		if got := words(told); got != "staged 1.3 mqlx" {
			t.Fatalf("the withdrawal told %s", got)
		}
		s := told[0].GetLeadStaged()
		if s.GetWithheld() != "do_not_contact" || s.GetFrom() != "mql" || s.GetContact() != nil || told[0].GetRecordedAt() != stop.GetRecordedAt() {
			t.Errorf("it says %v", told[0])
		}
		r.apply(t, received("3", "ada@example.com", "visit", 2))
		if got := words(r.told(t)); got != "" {
			t.Errorf("a visit of who may not be contacted told %s", got)
		}
		r.apply(t, received("4", "ada@example.com", "form", 3, says("+contact")))
		if got := words(r.told(t)); got != "staged 2.1 new, staged 2.2 mql!" {
			t.Errorf("the grant told %s", got)
		}
	})
}

func TestWhoMayNotBeContactedIsNotHandedOff(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.versions.activate(t, "channels:", withConsent)
		r.apply(t, received("1", "ada@example.com", "form", 0, size(250)), received("2", "bob@example.com", "form", 0, size(250), says("-contact", "+marketing")))
		if got := words(r.told(t)); got != "staged 1.1 new, staged 1.2 mql?, staged 1.1 new, staged 1.2 mql?" {
			t.Fatalf("told %s", got)
		}
		ctx := identity.With(t.Context(), identity.Person{ID: "m", Role: identity.Manager})
		get := func(email string) *leadpactv1.Lead {
			answer, err := r.GetLead(ctx, &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: email}})
			must(t, err)
			return answer.GetLead()
		}
		ada, bob := get("ada@example.com"), get("bob@example.com")
		if ada.GetWithheld() != "consent" || len(ada.GetConsents()) != 0 || bob.GetWithheld() != "do_not_contact" || len(bob.GetConsents()) != 2 {
			t.Errorf("ada is %v, bob %v", ada, bob)
		}
		if c := bob.GetConsents()[0]; c.GetPurpose() != "contact" || c.GetGranted() || !c.GetAt().AsTime().Equal(start) || c.GetSource() != "web" {
			t.Errorf("bob's first word is %v", c)
		}
		why, err := r.Explain(ctx, &leadpactv1.ExplainRequest{Id: ada.GetId()})
		must(t, err)
		if last := why.GetTransitions()[1]; last.GetTo() != "mql" || last.GetHandoff() || last.GetWithheld() != "consent" || last.GetWithdrawn() {
			t.Errorf("the explanation is %v", last)
		}

		r.apply(t, received("3", "ada@example.com", "confirmed", 1, says("+marketing")), received("4", "bob@example.com", "visit", 1))
		if got := words(r.told(t)); got != "staged 1.3 mql!" {
			t.Errorf("ada's grant told %s", got)
		}
		r.apply(t, received("5", "ada@example.com", "left", 2, says("-marketing"), func(e *eventv1.Event) { e.Source = "crm" }))
		if got := words(r.told(t)); got != "staged 1.4 mqlx" {
			t.Errorf("ada's withdrawal told %s", got)
		}
		if ada = get("ada@example.com"); ada.GetWithheld() != "consent" || ada.GetConsents()[0].GetSource() != "crm" || !ada.GetConsents()[0].GetAt().AsTime().Equal(start.Add(2*time.Hour)) {
			t.Errorf("ada is %v", ada)
		}
		if why, err = r.Explain(ctx, &leadpactv1.ExplainRequest{Id: ada.GetId()}); err != nil || !why.GetTransitions()[2].GetHandoff() || !why.GetTransitions()[3].GetWithdrawn() {
			t.Errorf("the explanation is %v, %v", why, err)
		}
	})
}

// Another agreement asks for another consent: what people said before counts under it, because the facts hold it.
func TestWhatWasSaidCountsUnderTheNextAgreement(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "ada@example.com", "visit", 0, says("+marketing")), received("2", "bob@example.com", "visit", 0))
		r.versions.activate(t, "channels:", withConsent)
		r.told(t)
		for email, want := range map[string]string{"ada@example.com": "staged 1.2 mql!", "bob@example.com": "staged 1.2 mql?"} {
			r.apply(t, received("form of "+email, email, "form", 1, size(250)))
			if got := words(r.told(t)); got != want {
				t.Errorf("%s: told %s, want %s", email, got, want)
			}
		}
	})
}

// The same events in any order and any batches leave the same knowledge, and of who forbade contact last nobody is left with a handoff.
func TestConsentInAnyOrder(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 1))
		events := []*eventv1.Event{
			received("1", "ada@example.com", "form", 0, size(250)), received("2", "ada@example.com", "x", 4, says("-contact")),
			received("3", "ada@example.com", "x", 2, says("+contact")), received("4", "ada@example.com", "x", 4, says("+contact")),
			received("5", "ada@example.com", "form", 5, size(10), sure(0.6)), received("6", "ada@example.com", "x", 1, says("-contact")),
		}
		for range 6 {
			chance.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			r := newRig(t, open(t))
			handed := map[uint32]bool{}
			for rest := events; len(rest) > 0; {
				n := 1 + chance.IntN(len(rest))
				r.apply(t, rest[:n]...)
				rest = rest[n:]
			}
			for _, e := range r.told(t) {
				switch s := e.GetLeadStaged(); {
				case s.GetHandoff():
					handed[s.GetCycle()] = true
				case s.GetWithdrawn():
					delete(handed, s.GetCycle())
				}
			}
			if len(handed) > 0 {
				t.Errorf("a handoff goes on in %v", handed)
			}
			ctx := identity.With(t.Context(), identity.Person{ID: "m", Role: identity.Manager})
			l, err := r.GetLead(ctx, &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: "ada@example.com"}})
			must(t, err)
			if got := l.GetLead().GetFields()["size"]; got != "250" {
				t.Errorf("size is %s: a guess of 0.6 wrote over what the form said", got)
			}
			if said := l.GetLead().GetConsents(); len(said) != 1 || said[0].GetGranted() {
				t.Errorf("the person's word is %v", said)
			}
		}
	})
}

func TestConfidenceIsAShare(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		for _, c := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1)} {
			if err := r.Apply(t.Context(), 0, []*eventv1.Event{received("1", "ada@example.com", "form", 0, sure(c))}); !bus.IsPermanent(err) {
				t.Errorf("a confidence of %v: %v", c, err)
			}
		}
	})
}
