package scoring_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/scoring"
)

// by is a call of a person.
func by(t *testing.T, role identity.Role) context.Context {
	return identity.With(t.Context(), identity.Person{ID: "mia", Role: role})
}

func byEmail(addresses ...string) *leadpactv1.AdoptRequest {
	r := &leadpactv1.AdoptRequest{}
	for _, a := range addresses {
		r.Leads = append(r.Leads, &leadpactv1.LeadName{Name: &leadpactv1.LeadName_Email{Email: a}})
	}
	return r
}

// adopt asks as a manager.
func (r *rig) adopt(t *testing.T, req *leadpactv1.AdoptRequest) *leadpactv1.AdoptResponse {
	t.Helper()
	resp, err := r.Adopt(by(t, identity.Manager), req)
	must(t, err)
	return resp
}

// decisions writes an answer as "HANDED_OFF mql, UNKNOWN ".
func decisions(resp *leadpactv1.AdoptResponse) string {
	var out []string
	for _, a := range resp.GetLeads() {
		out = append(out, strings.TrimPrefix(a.GetDecision().String(), "DECISION_")+" "+a.GetStage())
	}
	return strings.Join(out, ", ")
}

// past tells of Ada and Bob, who are MQLs, of Cy, who is not, of Dan, who was won, and of Eve, whom a rep of then had accepted.
func past() []*eventv1.Event {
	return []*eventv1.Event{
		received("1", "ada@example.com", "form", 0, size(250), history), received("2", "bob@example.com", "form", 1, size(250), external("b7"), history),
		received("3", "cy@example.com", "visit", 2, history),
		received("4", "dan@example.com", "form", 3, size(250), history), received("5", "dan@example.com", "won", 4, history),
		received("6", "eve@example.com", "form", 5, size(250), history), received("7", "eve@example.com", "accepted", 6, history),
	}
}

func TestAdoptNamedLeads(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, past()...)
		r.told(t)
		ada, err := r.GetLead(by(t, identity.Rep), &leadpactv1.GetLeadRequest{Key: &leadpactv1.GetLeadRequest_Email{Email: "ada@example.com"}})
		must(t, err)
		req := byEmail("Eve@Example.com", "nobody@example.com", "cy@example.com", "dan@example.com")
		req.Leads = append(req.Leads,
			&leadpactv1.LeadName{Name: &leadpactv1.LeadName_Id{Id: ada.GetLead().GetId()}}, &leadpactv1.LeadName{Name: &leadpactv1.LeadName_Id{Id: "x"}},
			&leadpactv1.LeadName{Name: &leadpactv1.LeadName_External{External: &leadpactv1.ExternalID{Source: "web", Id: "b7"}}})
		const want = "HANDED_OFF sal, UNKNOWN , TOO_EARLY new, OVER won, HANDED_OFF mql, UNKNOWN , HANDED_OFF mql"

		// A dry run says the same, and changes nothing.
		req.DryRun = true
		kicks, before := r.kicks.Load(), r.digest(t)
		if got := decisions(r.adopt(t, req)); got != want {
			t.Errorf("a dry run says %s", got)
		}
		if told := r.told(t); len(told) > 0 || r.kicks.Load() != kicks || r.digest(t) != before {
			t.Errorf("a dry run told %s", words(told))
		}

		req.DryRun = false
		resp := r.adopt(t, req)
		if got := decisions(resp); got != want {
			t.Errorf("it says %s", got)
		}
		told := r.told(t)
		handed := map[string]*eventv1.Event{}
		for _, e := range told {
			handed[e.GetLead()] = e
		}
		if len(told) != 3 || len(handed) != 3 || r.kicks.Load() != kicks+1 {
			t.Fatalf("told %s", words(told))
		}
		e := handed[ada.GetLead().GetId()]
		s := e.GetLeadStaged()
		if words([]*eventv1.Event{e}) != "staged 1.3 mql!" || s.GetFrom() != "mql" || s.GetContact().GetEmail() != "ada@example.com" || s.GetActor() != "mia" ||
			e.GetCause() == "" || e.GetCause() != told[0].GetCause() || s.GetDecidedAt() != e.GetRecordedAt() || e.GetOccurredAt() < e.GetRecordedAt() || s.GetFirstTouchAt() != event.Micros(start) {
			t.Errorf("the handoff is told as %v", e)
		}
		if a := resp.GetLeads()[4]; a.GetScore() != s.GetScore() || a.GetGrade() != s.GetGrade() || a.GetLead() != e.GetLead() || s.GetScore() < 20 || s.GetScore() > 50 {
			t.Errorf("it says %v of %v", a, s)
		}
		why, err := r.Explain(by(t, identity.Rep), &leadpactv1.ExplainRequest{Id: e.GetLead()})
		must(t, err)
		if ts := why.GetTransitions(); len(ts) != 3 || ts[1].GetActor() != "" || ts[2].GetActor() != "mia" || ts[2].GetCause() != e.GetCause() {
			t.Errorf("the explanation is %v", ts)
		}
		if strings.Contains(r.log.String(), "example.com") || !strings.Contains(r.log.String(), "audit=true leads=3 actor=mia") {
			t.Errorf("the log says %s", r.log.String())
		}

		// Twice changes nothing more, and a live touch after it does not hand off again.
		before = r.digest(t)
		if got := decisions(r.adopt(t, req)); got != strings.ReplaceAll(want, "HANDED_OFF", "HANDED_OFF_BEFORE") {
			t.Errorf("the second time it says %s", got)
		}
		if told := r.told(t); len(told) > 0 || r.digest(t) != before {
			t.Errorf("the second time it told %s", words(told))
		}
		r.apply(t, received("8", "ada@example.com", "visit", 24*400))
		if told := r.told(t); len(told) > 0 {
			t.Errorf("a touch after it told %s", words(told))
		}
		whole(t, r)
	})
}

// whole demands that what is known of each lead is the fold of its facts.
func whole(t *testing.T, r *rig) {
	t.Helper()
	_, err := scoring.Refold(t.Context(), r.store, r.versions.all, func(lead, why string) { t.Errorf("lead %s: %s", lead, why) })
	must(t, err)
}

func TestAdoptFoundLeads(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, past()...)
		r.told(t)
		for name, c := range map[string]struct {
			filter *leadpactv1.AdoptFilter
			want   string
			passed *leadpactv1.PassedOver
		}{
			"all":          {nil, "HANDED_OFF mql, HANDED_OFF mql, HANDED_OFF sal", &leadpactv1.PassedOver{Over: 1, TooEarly: 1}},
			"a stage":      {&leadpactv1.AdoptFilter{Stage: "mql"}, "HANDED_OFF mql, HANDED_OFF mql", &leadpactv1.PassedOver{}},
			"a stage over": {&leadpactv1.AdoptFilter{Stage: "won"}, "", &leadpactv1.PassedOver{Over: 1}},
			"a grade":      {&leadpactv1.AdoptFilter{Grade: "B", Stage: "sal"}, "HANDED_OFF sal", &leadpactv1.PassedOver{}},
			"no grade":     {&leadpactv1.AdoptFilter{Grade: "A"}, "", &leadpactv1.PassedOver{Over: 1, TooEarly: 1, OtherGrade: 3}},
			"since":        {&leadpactv1.AdoptFilter{Since: timestamppb.New(start.Add(time.Hour))}, "HANDED_OFF mql, HANDED_OFF sal", &leadpactv1.PassedOver{Over: 1, TooEarly: 1}},
		} {
			resp := r.adopt(t, &leadpactv1.AdoptRequest{Filter: c.filter, DryRun: true})
			got := strings.Split(decisions(resp), ", ")
			slices.Sort(got)
			if strings.Join(got, ", ") != c.want || !proto.Equal(resp.GetPassedOver(), c.passed) || resp.GetNextPageToken() != "" {
				t.Errorf("%s: %v, passed over %v", name, got, resp.GetPassedOver())
			}
		}
		resp := r.adopt(t, &leadpactv1.AdoptRequest{Filter: &leadpactv1.AdoptFilter{Stage: "mql"}, Limit: 1})
		if decisions(resp) != "HANDED_OFF mql" || resp.GetNextPageToken() != resp.GetLeads()[0].GetLead() {
			t.Fatalf("of one it says %v", resp)
		}
		// Again from the beginning: the other one, and then none.
		if resp := r.adopt(t, &leadpactv1.AdoptRequest{Filter: &leadpactv1.AdoptFilter{Stage: "mql"}}); decisions(resp) != "HANDED_OFF mql" || resp.GetPassedOver().GetHandedOffBefore() != 1 {
			t.Errorf("of the rest it says %v", resp)
		}
		if resp := r.adopt(t, &leadpactv1.AdoptRequest{Filter: &leadpactv1.AdoptFilter{Stage: "mql"}}); len(resp.GetLeads()) > 0 || resp.GetPassedOver().GetHandedOffBefore() != 2 {
			t.Errorf("when there is none left it says %v", resp)
		}
		if got := words(r.told(t)); got != "staged 1.3 mql!, staged 1.3 mql!" {
			t.Errorf("told %s", got)
		}
		whole(t, r)
	})
}

// Who may not be contacted is not handed off, whoever asks; allowed again, he is.
func TestAdoptAsksForConsent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, received("1", "ada@example.com", "form", 0, size(250), says("-contact"), history))
		r.told(t)
		if got := decisions(r.adopt(t, byEmail("ada@example.com"))); got != "WITHHELD mql" {
			t.Errorf("by name it says %s", got)
		}
		if resp := r.adopt(t, &leadpactv1.AdoptRequest{}); len(resp.GetLeads()) > 0 || resp.GetPassedOver().GetWithheld() != 1 {
			t.Errorf("of all it says %v", resp)
		}
		r.apply(t, received("2", "ada@example.com", "visit", 1, says("+contact"), history))
		if got := decisions(r.adopt(t, byEmail("ada@example.com"))); got != "HANDED_OFF mql" {
			t.Errorf("once it is allowed it says %s", got)
		}
		if got := words(r.told(t)); got != "staged 1.3 mql!" {
			t.Errorf("told %s", got)
		}
	})
}

// Many leads come in pages, each once, whatever the limit.
func TestAdoptPages(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		const n = 450
		r := newRig(t, open(t))
		var events []*eventv1.Event
		for i := range n {
			events = append(events, received(fmt.Sprint(i), fmt.Sprintf("lead%d@example.com", i), "form", i, size(float64(250*(i%2))), history))
		}
		r.apply(t, events...)
		r.told(t)
		seen := map[string]bool{}
		early := int32(0)
		req := &leadpactv1.AdoptRequest{Limit: 70}
		for calls := 0; ; calls++ {
			resp := r.adopt(t, req)
			for _, a := range resp.GetLeads() {
				if seen[a.GetLead()] {
					t.Fatalf("lead %s is handed off twice", a.GetLead())
				}
				seen[a.GetLead()] = true
			}
			early += resp.GetPassedOver().GetTooEarly()
			if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
				break
			}
			if len(resp.GetLeads()) != 70 || calls > n {
				t.Fatalf("page %d holds %d leads", calls, len(resp.GetLeads()))
			}
		}
		if told := r.told(t); len(seen) != n/2 || len(told) != n/2 {
			t.Errorf("%d leads were handed off, %d were told of", len(seen), len(told))
		}
		if early != n/2 {
			t.Errorf("%d of %d were too early", early, n)
		}
	})
}

// A lead that was folded under another agreement is folded again, decided on under the one in force, and kept so if it is handed off.
func TestAdoptUnderAnotherAgreement(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, past()...)
		r.told(t)
		dan, err := r.store.FindLead(t.Context(), "email:dan@example.com")
		must(t, err)
		before, err := r.store.Lead(t.Context(), dan)
		must(t, err)
		r.versions.activate(t, "points: 5, on: touch.kind == \"visit\", cap: 12", "points: 60, on: touch.kind == \"visit\", cap: 90")
		if got := decisions(r.adopt(t, byEmail("dan@example.com"))); got != "OVER won" {
			t.Errorf("it says %s of one that is over", got)
		}
		after, err := r.store.Lead(t.Context(), dan)
		must(t, err)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("one that is over was written, -before +after:\n%s", diff)
		}
		resp := r.adopt(t, &leadpactv1.AdoptRequest{Filter: &leadpactv1.AdoptFilter{Stage: "new", Grade: "A"}})
		if decisions(resp) != "HANDED_OFF mql" || resp.GetLeads()[0].GetScore() != 60 {
			t.Fatalf("it says %v", resp)
		}
		told := r.told(t)
		if got := words(told); got != "staged 1.2 mql!" || told[0].GetAgreement() != r.versions.active.Load().Hash {
			t.Errorf("told %s", got)
		}
		whole(t, r)
	})
}

// Whoever asks at the same time, each lead is handed off once.
func TestAdoptAtTheSameTime(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, past()...)
		r.told(t)
		ctx := by(t, identity.Admin)
		var g errgroup.Group
		for i := range 6 {
			g.Go(func() error {
				req := byEmail("ada@example.com", "bob@example.com", "eve@example.com")
				if i%2 == 0 {
					req = &leadpactv1.AdoptRequest{}
				}
				_, err := r.Adopt(ctx, req)
				return err
			})
		}
		must(t, g.Wait())
		if told := r.told(t); len(told) != 3 || len(leadsOf(told)) != 3 {
			t.Errorf("told %s", words(told))
		}
	})
}

func TestAdoptRefuses(t *testing.T) {
	onBothEngines(t, func(t *testing.T, open opener) {
		r := newRig(t, open(t))
		r.apply(t, past()...)
		r.told(t)
		manager := by(t, identity.Manager)
		if _, err := r.Adopt(t.Context(), byEmail("ada@example.com")); status.Code(err) != codes.Unauthenticated {
			t.Errorf("without a token: %v", err)
		}
		if _, err := r.Adopt(by(t, identity.Rep), byEmail("ada@example.com")); status.Code(err) != codes.PermissionDenied {
			t.Errorf("as a rep: %v", err)
		}
		for name, req := range map[string]*leadpactv1.AdoptRequest{
			"too many":         {Limit: 501},
			"below none":       {Limit: -1},
			"too many names":   byEmail(slices.Repeat([]string{"ada@example.com"}, 501)...),
			"names and filter": {Leads: byEmail("ada@example.com").GetLeads(), Filter: &leadpactv1.AdoptFilter{}},
			"no address":       byEmail("ada"),
			"no name":          {Leads: []*leadpactv1.LeadName{{}}},
			"no id":            {Leads: []*leadpactv1.LeadName{{Name: &leadpactv1.LeadName_Id{Id: "a\x00"}}}},
			"no such stage":    {Filter: &leadpactv1.AdoptFilter{Stage: "MQL"}},
			"no such grade":    {Filter: &leadpactv1.AdoptFilter{Grade: "C"}},
			"no instant":       {Filter: &leadpactv1.AdoptFilter{Since: &timestamppb.Timestamp{Seconds: math.MaxInt64}}},
			"no page":          {PageToken: "\x00"},
		} {
			if _, err := r.Adopt(manager, req); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: %v", name, err)
			}
		}
		r.versions.active.Store(nil)
		if _, err := r.Adopt(manager, byEmail("ada@example.com")); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("without an agreement: %v", err)
		}
		if told := r.told(t); len(told) > 0 {
			t.Errorf("what was refused told %s", words(told))
		}
	})
}
