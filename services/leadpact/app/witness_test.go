package app_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
)

// TestLateTruth: of two promises that were missed a source tells, after the breach, that the call had been made in time. The CRM is a
// witness, the website is none.
func TestLateTruth(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	client := leadpactv1.NewComplianceServiceClient(s.Dial(t, s.Token("mia")))
	watch, err := client.WatchBreaches(t.Context(), &leadpactv1.WatchBreachesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	tellers := map[string]string{}
	for i, source := range []string{"crm", "website"} {
		email := source + "@example.com"
		s.Post(t, "website", raise(fmt.Sprint(i), email))
		tellers[s.Assigned(t, email).GetLead()] = source
	}
	first := map[string]*leadpactv1.Breach{} // by who tells of it
	for len(first) < len(tellers) {
		m, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		b := m.GetBreach()
		source := tellers[b.GetLead()]
		if first[source] != nil {
			continue // of the next rep
		}
		first[source] = b
		call := map[string]any{
			"id": "call of " + source, "type": "call", "email": source + "@example.com",
			"occurred_at": b.GetStartedAt().AsTime().Add(500 * time.Millisecond), "outcome": map[string]any{"kind": "attempt", "rep": b.GetRep()},
		}
		s.Post(t, source, call)
		s.Post(t, source, call) // the sender was not sure
	}
	var c *leadpactv1.Correction
	for c == nil {
		m, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		c = m.GetCorrection()
	}
	b := first["crm"]
	if c.GetClockId() != b.GetClockId() || c.GetRep() != b.GetRep() || c.GetSource() != "crm" || c.GetBy() != "attempt" ||
		c.GetRespondedAt().AsTime().Sub(b.GetStartedAt().AsTime()) != 500*time.Millisecond {
		t.Errorf("corrected was %v, missed %v", c, b)
	}
	settled(t, s)
	corrected, missed := recount(t, client)
	if corrected != 1 {
		t.Errorf("%d verdicts were turned, want the one of which a witness told", corrected)
	}
	attainment, err := client.GetAttainment(t.Context(), &leadpactv1.GetAttainmentRequest{GroupBy: leadpactv1.GroupBy_GROUP_BY_TEAM})
	if err != nil || len(attainment.GetAttainment()) != 1 {
		t.Fatal(attainment, err)
	}
	if a := attainment.GetAttainment()[0]; a.GetCorrected() != 1 || a.GetMet() != 1 || int(a.GetBreached()) != missed-1 {
		t.Errorf("of %d breaches attainment says %v", missed, a)
	}
	metrics, err := client.GetMetrics(t.Context(), &leadpactv1.GetMetricsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sum := map[string]int{}
	for _, m := range metrics.GetMetrics() {
		if m.GetLabels()["clock"] == "first-response" {
			sum[m.GetName()] += int(m.GetValue())
		}
	}
	if sum["leadpact_breaches_corrected_total"] != 1 || sum["leadpact_breaches_total"] != missed {
		t.Errorf("of %d breaches the metrics say %v", missed, sum)
	}
}

// recount streams the whole ledger's breaches and corrections once.
func recount(t *testing.T, client leadpactv1.ComplianceServiceClient) (corrected, missed int) {
	t.Helper()
	stream, err := client.WatchBreaches(t.Context(), &leadpactv1.WatchBreachesRequest{Once: true})
	for err == nil {
		var m *leadpactv1.WatchBreachesResponse
		if m, err = stream.Recv(); err != nil {
			break
		}
		if m.GetCorrection() != nil {
			corrected++
		} else if m.GetBreach().GetClock() == "first-response" {
			missed++
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return corrected, missed
}
