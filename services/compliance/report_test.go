package compliance

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// counts is a recount of a story by hand: who started, kept and missed how much.
type counts struct{ started, met, breached, cancelled, withdrawn, corrected, excused int64 }

func countBy(events []*eventv1.Event, key func(*eventv1.Terms) string) map[string]*counts {
	out := map[string]*counts{}
	of := func(c *eventv1.Clock) *counts {
		k := key(c.GetTerms())
		if out[k] == nil {
			out[k] = &counts{}
		}
		return out[k]
	}
	for _, e := range events {
		switch b := e.GetBody().(type) {
		case *eventv1.Event_ClockStarted:
			of(b.ClockStarted.GetClock()).started++
		case *eventv1.Event_ClockMet:
			of(b.ClockMet.GetClock()).met++
		case *eventv1.Event_ClockBreached:
			of(b.ClockBreached.GetClock()).breached++
		case *eventv1.Event_ClockCancelled:
			if b.ClockCancelled.GetReason() == "withdrawn" {
				of(b.ClockCancelled.GetClock()).withdrawn++
			} else {
				of(b.ClockCancelled.GetClock()).cancelled++
			}
		case *eventv1.Event_ClockCorrected:
			if b.ClockCorrected.GetBy() == "withdrawn" {
				of(b.ClockCorrected.GetClock()).excused++
			} else {
				of(b.ClockCorrected.GetClock()).corrected++
			}
		}
	}
	return out
}

func TestGetAttainment(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		events := story(seeded(t), 120)
		a := newReplica(t, s, "a")
		apply(t, a, events...)
		client := leadpactv1.NewComplianceServiceClient(serve(t, a)(identity.Rep))
		for group, key := range map[leadpactv1.GroupBy]func(*eventv1.Terms) string{
			leadpactv1.GroupBy_GROUP_BY_REP:     (*eventv1.Terms).GetRep,
			leadpactv1.GroupBy_GROUP_BY_TEAM:    (*eventv1.Terms).GetTeam,
			leadpactv1.GroupBy_GROUP_BY_CHANNEL: (*eventv1.Terms).GetChannel,
		} {
			answer, err := client.GetAttainment(t.Context(), &leadpactv1.GetAttainmentRequest{GroupBy: group})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]*leadpactv1.Attainment{}
			last := ""
			for _, row := range answer.GetAttainment() {
				if row.GetKey() <= last {
					t.Errorf("%v: %q comes after %q", group, row.GetKey(), last)
				}
				last = row.GetKey()
				got[row.GetKey()] = row
			}
			want := map[string]*leadpactv1.Attainment{}
			for k, n := range countBy(events, key) {
				row := &leadpactv1.Attainment{
					Key: k, Clock: "call", Met: n.met + n.corrected, Breached: n.breached - n.corrected - n.excused,
					Cancelled: n.cancelled, Withdrawn: n.withdrawn + n.excused,
					Corrected: n.corrected, Open: n.started - n.met - n.breached - n.cancelled - n.withdrawn, Ratio: 1,
				}
				if judged := n.met + n.breached - n.excused; judged > 0 {
					row.Ratio = float64(n.met+n.corrected) / float64(judged)
				}
				want[k] = row
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%v (-recount +answer):\n%s", group, diff)
			}
		}
	})
}

func TestGetAttainmentTellsWhatMarketingDelivered(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		events := story(seeded(t), 50)
		a := newReplica(t, s, "a")
		apply(t, a, events...)
		past := &eventv1.Event{
			Source: "scoring", Id: "past", Lead: "old", Mode: eventv1.Mode_MODE_HISTORY,
			Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{To: "won", Channel: "paid"}},
		}
		apply(t, a, past)
		answer, err := leadpactv1.NewComplianceServiceClient(serve(t, a)(identity.Rep)).
			GetAttainment(t.Context(), &leadpactv1.GetAttainmentRequest{GroupBy: leadpactv1.GroupBy_GROUP_BY_TEAM})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]map[string]int64{}
		for _, e := range append(events, past) {
			if b := e.GetLeadStaged(); b != nil {
				if want[b.GetChannel()] == nil {
					want[b.GetChannel()] = map[string]int64{}
				}
				want[b.GetChannel()][b.GetTo()]++
			}
		}
		got := map[string]map[string]int64{}
		for _, d := range answer.GetDeliveries() {
			got[d.GetChannel()] = d.GetStages()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("deliveries (-recount +answer):\n%s", diff)
		}
	})
}

func TestGetAttainmentAsksForAGroup(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s store.Compliance, _ place) {
		client := leadpactv1.NewComplianceServiceClient(serve(t, newReplica(t, s, "a"))(identity.Rep))
		for _, group := range []leadpactv1.GroupBy{leadpactv1.GroupBy_GROUP_BY_UNSPECIFIED, 77} {
			_, err := client.GetAttainment(t.Context(), &leadpactv1.GetAttainmentRequest{GroupBy: group})
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("%v: got %v", group, err)
			}
		}
	})
}
