package handoff_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

// One request_id for different actions, or for one action on different leads, names different requests.
func TestRequestIDHoldsForOneActionOnOneLead(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.people("teams: {sales:, big:}\nreps: {ann: {team: sales, capacity: 9}, max: {team: big, capacity: 1}}")
		w.apply(w.staged("a", 200), w.staged("b", 200))
		for range 2 {
			for _, lead := range []string{"a", "b"} {
				if _, err := w.Accept(as(t, "ann"), &leadpactv1.AcceptRequest{Lead: lead, RequestId: "1"}); err != nil {
					t.Fatal(err)
				}
				if _, err := w.LogAttempt(as(t, "ann"), &leadpactv1.LogAttemptRequest{Lead: lead, RequestId: "1"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := w.count("lead.activity"); n != 4 {
			t.Errorf("%d activities of 4 were told", n)
		}
	})
}

func TestClaimedTimes(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.apply(w.staged("a", 200))
		owner := w.owner("a")
		w.pass(time.Minute)
		for name, c := range map[string]struct {
			at   time.Time
			want codes.Code
		}{
			"the epoch":            {time.Unix(0, 0), codes.InvalidArgument},
			"before the epoch":     {time.Unix(-1, 0), codes.InvalidArgument},
			"the year one":         {time.Time{}, codes.InvalidArgument},
			"before the handoff":   {monday.Add(-time.Microsecond), codes.InvalidArgument},
			"as it began":          {monday, codes.OK},
			"a little ahead":       {monday.Add(2 * time.Minute), codes.OK},
			"ahead, counts as now": {monday.Add(time.Hour), codes.OK},
		} {
			_, err := w.LogAttempt(as(t, owner), &leadpactv1.LogAttemptRequest{Lead: "a", RequestId: name, OccurredAt: timestamppb.New(c.at)})
			if status.Code(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := w.count("lead.activity"); n != 3 {
			t.Errorf("%d activities", n)
		}
	})
}

func TestContactNumbersReadAsNumbers(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		e := w.staged("a", 1_000_000)
		w.apply(e, w.staged("b", 0.5))
		for lead, want := range map[string]string{"a": "1000000", "b": "0.5"} {
			inbox, err := w.ListInbox(as(t, w.owner(lead)), &leadpactv1.ListInboxRequest{})
			if err != nil || len(inbox.GetAssignments()) != 1 || inbox.GetAssignments()[0].GetContact().GetFields()["employees"] != want {
				t.Errorf("inbox %v, %v; want %s", inbox, err, want)
			}
		}
	})
}

// A condition that costs too much on a lead does not hold; the last route takes all.
func TestRouteTooCostlyDoesNotHold(t *testing.T) {
	engines(t, func(t *testing.T, w *world) {
		w.agree(strings.Replace(costly, "NEEDLE", strings.Repeat("b", 300), 1))
		e := w.staged("a", 10)
		long := make([]byte, 4<<20)
		for i := range long {
			long[i] = 'a'
		}
		e.GetLeadStaged().Contact.Fields["notes"] = &eventv1.Value{Kind: &eventv1.Value_Text{Text: string(long)}}
		w.apply(e)
		if h := w.handoff("a"); h.Pool != "sales" {
			t.Errorf("handoff in pool %q", h.Pool)
		}
	})
}

const costly = `
title: Costly
version: "1"
parties: {marketing: Mara, sales: Theo}
fields: {employees: number, notes: text}
sources: {website: {format: json, verify: {bearer: env:TOKEN}}}
grades: [{name: hot, when: lead.employees >= 100}, {name: cold}]
stages: [{name: lead}, {name: mql, when: score >= 50}, {name: won, when: did("won") >= 1, final: true}, {name: lost, when: did("lost") >= 1, final: true}]
handoff:
  at: mql
  routes: [{pool: big, when: 'lead.notes.contains("NEEDLE")'}, {pool: sales}]
  unassigned: {within: 10m, calendar: always}
pools: {sales: {teams: [sales]}, big: {teams: [big]}}
clocks: [{name: response, within: 5m, calendar: always, stops_on: [accepted]}]
`
