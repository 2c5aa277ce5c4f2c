package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/replay"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

// TestHistoryIsAdopted: a past of five leads at the handoff point wakes nobody; two of them are asked for, and those two are handed off,
// with their clocks, once.
func TestHistoryIsAdopted(t *testing.T) {
	t.Parallel()
	cfg := apptest.Config(t, t.TempDir())
	cfg.Agreement = filepath.Join(t.TempDir(), "agreement.yaml")
	patient := bytes.Replace(apptest.Agreement, []byte("within: 1s"), []byte("within: 1h"), 1)
	rows := filepath.Join(t.TempDir(), "rows.csv")
	for name, text := range map[string][]byte{cfg.Agreement: patient, rows: []byte("id,at\n1,2024-02-01\n2,2024-02-02\n3,2024-02-03\n4,2024-02-04\n5,2024-02-05\n")} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := apptest.Start(t, cfg)
	m, err := replay.ParseMapping([]byte(`
sign: {bearer: env:CRM}
event: {id: "{id}", type: form, occurred_at: "{at}", email: "lead{id}@example.com", fields: {hand_raiser: "true"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	report, err := replay.Run(t.Context(), replay.Options{Events: rows, To: "http://" + s.HTTPAddr() + "/v1/hooks/crm", Mapping: m, Secret: apptest.Secret})
	if err != nil || report.Accepted != 5 {
		t.Fatalf("%+v, %v", report, err)
	}
	// settled demands that every promise holds once nothing is on its way, and returns what the reps hold.
	settled := func() map[string]*leadpactv1.Assignment {
		t.Helper()
		var lines strings.Builder
		err := verify.Run(t.Context(), verify.Options{Stores: apptest.Stores(t, s.Data), Doors: []string{s.HTTPAddr()}, Patience: 30 * time.Second, Out: &lines})
		if err != nil {
			t.Fatalf("%v\n%s", err, lines.String())
		}
		held := map[string]*leadpactv1.Assignment{}
		for _, rep := range []string{"ann", "bob"} {
			for _, a := range s.Inbox(t, rep) {
				held[a.GetContact().GetEmail()] = a
			}
		}
		return held
	}
	if held := settled(); len(held) > 0 {
		t.Fatalf("history woke reps with %v", held)
	}

	leads := leadpactv1.NewLeadServiceClient(s.Dial(t, s.Token("mia")))
	named := func(email string) *leadpactv1.LeadName {
		return &leadpactv1.LeadName{Name: &leadpactv1.LeadName_Email{Email: email}}
	}
	req := &leadpactv1.AdoptRequest{Leads: []*leadpactv1.LeadName{named("lead2@example.com"), named("lead4@example.com")}}
	want := leadpactv1.Adoption_DECISION_HANDED_OFF
	for range 2 {
		resp, err := leads.Adopt(t.Context(), req)
		if err != nil || len(resp.GetLeads()) != 2 || resp.GetLeads()[0].GetDecision() != want || resp.GetLeads()[1].GetDecision() != want {
			t.Fatalf("%v, %v", resp, err)
		}
		want = leadpactv1.Adoption_DECISION_HANDED_OFF_BEFORE
		held := settled()
		if len(held) != 2 {
			t.Fatalf("the reps hold %v", held)
		}
		for _, email := range []string{"lead2@example.com", "lead4@example.com"} {
			clocks := held[email].GetClocks()
			if len(clocks) != 1 || clocks[0].GetName() != "first-response" || clocks[0].GetDueAt().AsTime().Before(time.Now()) {
				t.Errorf("the clocks of %s are %v", email, clocks)
			}
		}
	}
	if held := settled(); held["lead2@example.com"].GetRep() == held["lead4@example.com"].GetRep() {
		t.Errorf("one rep holds both: %v", held)
	}

	// The ledger counts five entries of history, and the two that were handed off as live.
	metrics, err := leadpactv1.NewComplianceServiceClient(s.Dial(t, s.Token("mia"))).GetMetrics(t.Context(), &leadpactv1.GetMetricsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, one := range metrics.GetMetrics() {
		switch l := one.GetLabels(); one.GetName() {
		case "leadpact_stage_entries_total":
			counted[l["stage"]+" "+l["mode"]] += one.GetValue()
		case "leadpact_assignments_total", "leadpact_clocks_open":
			counted[one.GetName()] += one.GetValue()
		}
	}
	for name, n := range map[string]float64{
		"lead history": 5, "mql history": 5, "lead live": 0, "mql live": 2, "leadpact_assignments_total": 2, "leadpact_clocks_open": 2,
	} {
		if counted[name] != n {
			t.Errorf("%s is %v, not %v", name, counted[name], n)
		}
	}
}
