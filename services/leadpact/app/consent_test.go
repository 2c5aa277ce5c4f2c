package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/leadpact/leadpact/internal/store"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
)

// TestAWithdrawalStopsTheClocks posts a withdrawal while a rep has the lead: it leaves the inbox, its clock falls away and counts for
// nothing.
func TestAWithdrawalStopsTheClocks(t *testing.T) {
	t.Parallel()
	cfg := apptest.Config(t, t.TempDir())
	patient := bytes.Replace(apptest.Agreement, []byte("within: 1s"), []byte("within: 10h"), 1)
	if err := os.WriteFile(cfg.Agreement, patient, 0o600); err != nil {
		t.Fatal(err)
	}
	s := apptest.Start(t, cfg)
	s.Post(t, "website", raise("1", "lea@example.com"))
	held := s.Assigned(t, "lea@example.com")
	s.Post(t, "website", map[string]any{"id": "2", "type": "unsubscribed", "email": "lea@example.com", "consent": map[string]any{"contact": false}})
	apptest.Until(t, "the lead to leave the inbox", func() error {
		if n := len(s.Inbox(t, held.GetRep())); n != 0 {
			return fmt.Errorf("%s holds %d leads", held.GetRep(), n)
		}
		return nil
	})
	settled(t, s)

	err := apptest.Stores(t, s.Data).Handoff.EachAssignment(t.Context(), func(a store.Assignment, clocks []store.ClockRow) error {
		if a.EndReason != "withdrawn" || len(clocks) != 1 || clocks[0].State != store.ClockCancelled {
			t.Errorf("assignment %+v with %+v", a, clocks)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := leadpactv1.NewComplianceServiceClient(s.Dial(t, s.Token("mia"))).
		GetAttainment(t.Context(), &leadpactv1.GetAttainmentRequest{GroupBy: leadpactv1.GroupBy_GROUP_BY_TEAM})
	if err != nil || len(answer.GetAttainment()) != 1 {
		t.Fatalf("%v, %v", answer, err)
	}
	if a := answer.GetAttainment()[0]; a.GetWithdrawn() != 1 || a.GetOpen()+a.GetMet()+a.GetBreached()+a.GetCancelled() != 0 || a.GetRatio() != 1 {
		t.Errorf("the team's record is %v", a)
	}
}

// TestWhoForbadeContactFirst is never handed off, however much he asks for it, until he allows it.
func TestWhoForbadeContactFirst(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	s.Post(t, "website", map[string]any{"id": "1", "type": "unsubscribed", "email": "lea@example.com", "consent": map[string]any{"contact": false}})
	s.Post(t, "website", raise("2", "lea@example.com"), map[string]any{"id": "3", "type": "page_viewed", "email": "lea@example.com"})
	leads := leadpactv1.NewLeadServiceClient(s.Dial(t, s.Token("mia")))
	var l *leadpactv1.Lead
	apptest.Until(t, "both to count", func() error {
		answer, err := leads.GetLead(t.Context(), &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: "lea@example.com"}})
		if l = answer.GetLead(); err == nil && l.GetFacts() != 3 {
			err = fmt.Errorf("%d facts", l.GetFacts())
		}
		return err
	})
	settled(t, s)
	if l.GetStage() != "mql" || l.GetWithheld() != "do_not_contact" || len(l.GetConsents()) != 1 || l.GetConsents()[0].GetSource() != "website" {
		t.Errorf("the lead is %v", l)
	}
	if _, err := apptest.Stores(t, s.Data).Handoff.HandoffOf(context.Background(), l.GetId()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it was handed off: %v", err)
	}
	why, err := leads.Explain(t.Context(), &leadpactv1.ExplainRequest{Id: l.GetId()})
	if ts := why.GetTransitions(); err != nil || len(ts) != 2 || ts[1].GetWithheld() != "do_not_contact" || ts[1].GetHandoff() {
		t.Errorf("the explanation is %v, %v", why, err)
	}

	s.Post(t, "website", map[string]any{"id": "4", "type": "asked_back", "email": "lea@example.com", "consent": map[string]any{"contact": true}})
	if got := s.Assigned(t, "lea@example.com"); got.GetLead() != l.GetId() {
		t.Errorf("another lead was handed off: %v", got)
	}
}
