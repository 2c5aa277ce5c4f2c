package trial_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/identity"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/sender"
	"github.com/leadpact/leadpact/services/leadpact/trial"
)

const people = `
teams: {boston: {manager: priya}, dublin: {manager: liam}}
reps:
  ana: {team: boston, weight: 2, capacity: 9, calendar: boston}
  marcus: {team: boston, capacity: 9, calendar: boston}
  aoife: {team: dublin, weight: 2, capacity: 9, calendar: dublin}
  femi: {team: dublin, capacity: 9, calendar: dublin}
`

// source takes the generic names, so that one lead reads as events and as a trial's file.
const source = "crm-history"

// running is the whole product on the example's agreement.
func running(t *testing.T) *apptest.Site {
	t.Helper()
	cfg := apptest.Config(t, t.TempDir())
	cfg.Agreement, cfg.Roster = examples+"hubspot/agreement.yaml", filepath.Join(t.TempDir(), "roster.yaml")
	if err := os.WriteFile(cfg.Roster, []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Secret = func(ref string) (string, error) {
		if ref == "env:LEADPACT_FORMS_SECRET" {
			return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", nil
		}
		return "a secret for " + ref, nil
	}
	cfg.People = []identity.Person{{ID: "mia", Role: identity.Manager}}
	for _, rep := range []string{"ana", "marcus", "aoife", "femi"} {
		cfg.People = append(cfg.People, identity.Person{ID: rep, Role: identity.Rep})
	}
	return apptest.Start(t, cfg)
}

// TestAsTheRunningProduct sends leads to the product and shows them to a trial: both decide alike.
func TestAsTheRunningProduct(t *testing.T) {
	t.Parallel()
	a, _ := hubspot(t)
	r, faults := agreement.ParseRoster("roster.yaml", []byte(people))
	if r == nil {
		t.Fatal(faults)
	}
	s := running(t)
	leads := leadpactv1.NewLeadServiceClient(s.Dial(t, s.Token("mia")))
	for i, text := range []string{
		`{"source": "crm-history", "channel": "paid", "fields": {"employees": 120, "industry": "software", "job_title": "VP Sales", "country": "US"},
		  "touches": [{"kind": "page_viewed"}, {"kind": "webinar_attended"}, {"kind": "form_submitted", "fields": {"country": "CA"}}]}`,
		`{"source": "crm-history", "fields": {"hand_raiser": true, "country": "FR", "job_title": "Student"}, "touches": [{"kind": "form_submitted"}]}`,
		`{"source": "crm-history", "channel": "partner", "fields": {"employees": 9000}, "touches": [{"kind": "form_submitted"}, {"kind": "form_submitted", "channel": "organic"}]}`,
	} {
		l := read(t, text)
		email := fmt.Sprintf("lead%d@example.com", i)
		post(t, s, a, email, l)
		var known *leadpactv1.Lead
		apptest.Until(t, "scoring knows "+email, func() error {
			got, err := leads.GetLead(t.Context(), &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: email}})
			if known = got.GetLead(); err != nil || int(known.GetFacts()) < len(l.Touches) {
				return errors.Join(err, fmt.Errorf("%d facts", known.GetFacts()))
			}
			return nil
		})
		told, err := leads.Explain(t.Context(), &leadpactv1.ExplainRequest{Id: known.GetId()})
		if err != nil {
			t.Fatal(err)
		}
		q := trial.Question{Agreement: a, Roster: r, Lead: l, At: time.Now().UTC().Truncate(time.Microsecond)}
		tried := ask(t, q)
		var want, got []string
		for _, c := range told.GetTransitions() {
			want = append(want, fmt.Sprintf("%s → %s at %v", c.GetFrom(), c.GetTo(), c.GetScore()))
		}
		for _, c := range tried.Transitions {
			got = append(got, fmt.Sprintf("%s → %s at %v", c.From, c.To, c.Score))
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") || tried.Score != known.GetScore() || tried.Fit != known.GetFit() || tried.Stage != known.GetStage() || tried.Grade != known.GetGrade() {
			t.Errorf("lead %d: tried %v, stage %s, grade %s, score %v; in the product %v, stage %s, grade %s, score %v",
				i, got, tried.Stage, tried.Grade, tried.Score, want, known.GetStage(), known.GetGrade(), known.GetScore())
		}
		if tried.Handoff.State == trial.Made {
			compareHandoff(t, s, q, email)
		} else if known.GetStage() != "lead" {
			t.Errorf("lead %d comes to %s, and no handoff was tried", i, known.GetStage())
		}
	}
}

// compareHandoff: each pool is at its start, so that the rep is the same too.
func compareHandoff(t *testing.T, s *apptest.Site, q trial.Question, email string) {
	t.Helper()
	var held *leadpactv1.Assignment
	apptest.Until(t, "an assignment of "+email, func() error {
		for _, rep := range q.Roster.Reps {
			for _, one := range s.Inbox(t, rep.ID) {
				if one.GetContact().GetEmail() == email {
					held = one
					return nil
				}
			}
		}
		return errors.New("nobody has it")
	})
	q.At = held.GetStartedAt().AsTime()
	h := ask(t, q).Handoff
	if h.Rep != held.GetRep() || h.Pool != held.GetPool() || h.Team != held.GetTeam() || len(h.Clocks) != len(held.GetClocks()) {
		t.Fatalf("tried %+v, in the product %v", h, held)
	}
	for _, c := range held.GetClocks() {
		for _, p := range h.Clocks {
			if p.Name == c.GetName() && !p.Due.Equal(c.GetDueAt().AsTime()) {
				t.Errorf("the clock %s is tried to fall due at %s, and does at %s", p.Name, p.Due, c.GetDueAt().AsTime())
			}
		}
	}
}

// post sends the lead's touches one by one.
func post(t *testing.T, s *apptest.Site, a *agreement.Agreement, email string, l trial.Lead) {
	t.Helper()
	from, ok := a.Source(source)
	if !ok {
		t.Fatal("the example has no such source any more")
	}
	door := sender.New("http://"+s.HTTPAddr()+"/v1/hooks/"+source, from.Verify.Proof, "a secret for "+from.Verify.Secrets[0], time.Minute)
	defer door.Close()
	for i, touch := range l.Touches {
		e := map[string]any{"id": fmt.Sprintf("%s-%d", email, i), "type": touch.Kind, "email": email, "fields": touch.Fields}
		if i == 0 {
			fields := map[string]any{}
			for _, some := range []map[string]any{l.Fields, touch.Fields} {
				for name, value := range some {
					fields[name] = value
				}
			}
			e["fields"] = fields
		}
		if channel := touch.Channel; channel != "" || l.Channel != "" {
			if channel == "" {
				channel = l.Channel
			}
			e["channel"] = channel
		}
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := door.Post(t.Context(), "", body); err != nil || answer.Status != http.StatusAccepted {
			t.Fatalf("post %s: %+v, %v", body, answer, err)
		}
	}
}
