package ledger

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

var (
	from = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	due  = from.Add(5 * time.Minute)
)

func held(rep, team string) *eventv1.Clock {
	return &eventv1.Clock{
		Id: "l/1/1/call", Name: "call", StartedAt: event.Micros(from), DueAt: event.Micros(due),
		Terms: &eventv1.Terms{Cycle: 1, Pool: "p", Grade: "A", Channel: "paid", Rep: rep, Team: team},
	}
}

// TestFallsAwayAlike: whatever a clock falls away for, also when it goes on as another, it was neither kept nor missed.
func TestFallsAwayAlike(t *testing.T) {
	t.Parallel()
	judged := func(reason string) Effects {
		return Judge(&eventv1.Event{Id: "1", Source: "s", Lead: "l", Body: &eventv1.Event_ClockCancelled{
			ClockCancelled: &eventv1.ClockCancelled{Clock: held("ana", "boston"), Reason: reason},
		}})
	}
	want := judged("closed")
	for _, reason := range []string{"rejected", "hours_changed", "version_changed"} {
		if diff := cmp.Diff(want, judged(reason)); diff != "" {
			t.Errorf("%s (-closed +it):\n%s", reason, diff)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	ana := held("ana", "boston")
	attained := func(verdict string) []string {
		return []string{
			"attainment_by_channel{clock=call,key=paid,verdict=" + verdict + "} 1",
			"attainment_by_rep{clock=call,key=ana,verdict=" + verdict + "} 1",
			"attainment_by_team{clock=call,key=boston,verdict=" + verdict + "} 1",
		}
	}
	started := func(verdict string, more ...string) []string { return append(attained(verdict), more...) }
	for _, c := range []struct {
		name  string
		event *eventv1.Event
		want  []string // beside the count of the event itself
		start []store.PendingClock
		end   []string
	}{
		{
			name:  "a touch",
			event: &eventv1.Event{Body: &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{Channel: "paid"}}},
		},
		{
			name:  "a stage",
			event: &eventv1.Event{Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{From: "lead", To: "mql", Channel: "paid"}}},
			want:  []string{"leadpact_stage_entries_total{channel=paid,mode=live,stage=mql} 1"},
		},
		{
			name: "a stage in history",
			event: &eventv1.Event{
				Mode: eventv1.Mode_MODE_HISTORY,
				Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{To: "won", Channel: "unlisted"}},
			},
			want: []string{"leadpact_stage_entries_total{channel=unlisted,mode=history,stage=won} 1"},
		},
		{
			name: "nobody eligible",
			event: &eventv1.Event{Body: &eventv1.Event_HandoffWaiting{HandoffWaiting: &eventv1.HandoffWaiting{
				Terms: &eventv1.Terms{Pool: "p"}, Reason: "all_full",
			}}},
			want: []string{"leadpact_handoff_waits_total{pool=p,reason=all_full} 1"},
		},
		{
			name: "an assignment",
			event: &eventv1.Event{Body: &eventv1.Event_HandoffAssigned{HandoffAssigned: &eventv1.HandoffAssigned{
				Terms: &eventv1.Terms{Pool: "p", Grade: "A", Team: "boston", Rep: "ana"},
			}}},
			want: []string{"leadpact_assignments_total{grade=A,pool=p,team=boston} 1"},
		},
		{
			name:  "a clock starts",
			event: &eventv1.Event{Body: &eventv1.Event_ClockStarted{ClockStarted: &eventv1.ClockStarted{Clock: ana}}},
			want:  started("started", "leadpact_clocks_open{clock=call,team=boston} 1"),
			start: []store.PendingClock{{ID: "l/1/1/call", DueAt: due}},
		},
		{
			name:  "a clock warns",
			event: &eventv1.Event{Body: &eventv1.Event_ClockWarned{ClockWarned: &eventv1.ClockWarned{Clock: ana, Percent: 50}}},
		},
		{
			name: "a promise is kept",
			event: &eventv1.Event{Body: &eventv1.Event_ClockMet{ClockMet: &eventv1.ClockMet{
				Clock: ana, StoppedAt: event.Micros(from.Add(90500 * time.Millisecond)), By: "attempt",
			}}},
			want: started("met",
				"leadpact_clock_met_seconds_total{clock=call,team=boston} 90.5",
				"leadpact_clock_met_total{clock=call,team=boston} 1",
				"leadpact_clock_verdicts_total{clock=call,grade=A,team=boston,verdict=met} 1",
				"leadpact_clocks_open{clock=call,team=boston} -1"),
			end: []string{"l/1/1/call"},
		},
		{
			name: "a promise is kept before it began",
			event: &eventv1.Event{Body: &eventv1.Event_ClockMet{ClockMet: &eventv1.ClockMet{
				Clock: ana, StoppedAt: event.Micros(from.Add(-time.Second)),
			}}},
			want: started("met",
				"leadpact_clock_met_seconds_total{clock=call,team=boston} 0", // a counter never falls
				"leadpact_clock_met_total{clock=call,team=boston} 1",
				"leadpact_clock_verdicts_total{clock=call,grade=A,team=boston,verdict=met} 1",
				"leadpact_clocks_open{clock=call,team=boston} -1"),
			end: []string{"l/1/1/call"},
		},
		{
			name:  "a promise is missed",
			event: &eventv1.Event{Body: &eventv1.Event_ClockBreached{ClockBreached: &eventv1.ClockBreached{Clock: ana, Remedy: "reassign"}}},
			want: started("breached",
				"leadpact_breaches_total{clock=call,grade=A,team=boston} 1",
				"leadpact_clock_verdicts_total{clock=call,grade=A,team=boston,verdict=breached} 1",
				"leadpact_clocks_open{clock=call,team=boston} -1"),
			end: []string{"l/1/1/call"},
		},
		{
			name: "a promise that nobody holds is missed",
			event: &eventv1.Event{Body: &eventv1.Event_ClockBreached{ClockBreached: &eventv1.ClockBreached{
				Clock: held("", ""),
			}}},
			want: []string{
				"attainment_by_channel{clock=call,key=paid,verdict=breached} 1",
				"leadpact_breaches_total{clock=call,grade=A,team=} 1",
				"leadpact_clock_verdicts_total{clock=call,grade=A,team=,verdict=breached} 1",
				"leadpact_clocks_open{clock=call,team=} -1",
			},
			end: []string{"l/1/1/call"},
		},
		{
			name:  "a missed promise turns out to have been kept",
			event: &eventv1.Event{Body: &eventv1.Event_ClockCorrected{ClockCorrected: &eventv1.ClockCorrected{Clock: ana, By: "attempt", Source: "crm"}}},
			want:  started("corrected", "leadpact_breaches_corrected_total{clock=call,grade=A,team=boston} 1"),
		},
		{
			name:  "a missed promise turns out to have been withdrawn",
			event: &eventv1.Event{Body: &eventv1.Event_ClockCorrected{ClockCorrected: &eventv1.ClockCorrected{Clock: ana, By: "withdrawn", Source: "scoring"}}},
			want:  started("excused", "leadpact_breaches_withdrawn_total{clock=call,grade=A,team=boston} 1"),
		},
		{
			name:  "a promise falls away",
			event: &eventv1.Event{Body: &eventv1.Event_ClockCancelled{ClockCancelled: &eventv1.ClockCancelled{Clock: ana, Reason: "rejected"}}},
			want: started("cancelled",
				"leadpact_clock_verdicts_total{clock=call,grade=A,team=boston,verdict=cancelled} 1",
				"leadpact_clocks_open{clock=call,team=boston} -1"),
			end: []string{"l/1/1/call"},
		},
		{
			name:  "a promise on a lead whose person withdrew his consent",
			event: &eventv1.Event{Body: &eventv1.Event_ClockCancelled{ClockCancelled: &eventv1.ClockCancelled{Clock: ana, Reason: "withdrawn"}}},
			want: started("withdrawn",
				"leadpact_clock_verdicts_total{clock=call,grade=A,team=boston,verdict=withdrawn} 1",
				"leadpact_clocks_open{clock=call,team=boston} -1"),
			end: []string{"l/1/1/call"},
		},
		{
			name: "a lead that is not handed off for want of consent",
			event: &eventv1.Event{Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{
				From: "lead", To: "mql", Channel: "paid", Withheld: "consent",
			}}},
			want: []string{"leadpact_leads_withheld_total{channel=paid,reason=consent,withdrawn=false} 1"},
		},
		{
			name: "and that is, once it is granted",
			event: &eventv1.Event{Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{
				From: "mql", To: "mql", Channel: "paid", Handoff: true,
			}}},
			want: []string{"leadpact_stage_entries_total{channel=paid,mode=live,stage=mql} 1"},
		},
		{
			name: "a handoff that is withdrawn",
			event: &eventv1.Event{Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{
				From: "mql", To: "mql", Channel: "paid", Withheld: "do_not_contact", Withdrawn: true,
			}}},
			want: []string{"leadpact_leads_withheld_total{channel=paid,reason=do_not_contact,withdrawn=true} 1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.event.Id, c.event.Source, c.event.Lead = "1", "s", "l"
			fx := Judge(c.event)
			mode := "live"
			if c.event.GetMode() == eventv1.Mode_MODE_HISTORY {
				mode = "history"
			}
			want := append(slices.Clone(c.want), fmt.Sprintf("leadpact_events_total{mode=%s,type=%s} 1", mode, event.Type(c.event)))
			slices.Sort(want)
			if diff := cmp.Diff(want, written(fx.Tallies)); diff != "" {
				t.Errorf("tallies (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.start, fx.Start); diff != "" {
				t.Errorf("started (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.end, fx.End); diff != "" {
				t.Errorf("ended (-want +got):\n%s", diff)
			}
		})
	}
}

func written(tallies []store.Tally) []string {
	var out []string
	for _, d := range tallies {
		out = append(out, fmt.Sprintf("%s{%s} %v", d.Name, d.Labels, d.Value))
	}
	slices.Sort(out)
	return out
}

func TestTalliesOfAnyEvent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent(t)
		for _, d := range Judge(e).Tallies {
			m, shown := Metrics()[d.Name]
			if !shown && !strings.HasPrefix(d.Name, attainmentBase) {
				t.Fatalf("%s is neither a metric nor attainment", d.Name)
			}
			if d.Value < 0 && !m.Gauge {
				t.Fatalf("%s falls by %v", d.Name, d.Value)
			}
			labels := ParseLabels(d.Labels)
			names := slices.Sorted(maps.Keys(labels))
			var pairs []string
			for _, n := range names {
				pairs = append(pairs, n, labels[n])
			}
			if got := Labels(pairs...); got != d.Labels {
				t.Fatalf("labels of %s are not in their canonical form: %q, want %q", d.Name, d.Labels, got)
			}
			if shown && (labels["rep"] != "" || labels["lead"] != "" || labels["key"] != "") {
				t.Fatalf("%s has a label that names a lead or a rep: %s", d.Name, d.Labels)
			}
		}
	})
}

func TestLabelsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`[a-z]{1,5}`), rapid.String()).Draw(t, "labels")
		var pairs []string
		for _, n := range slices.Sorted(maps.Keys(want)) {
			pairs = append(pairs, n, want[n])
		}
		text := Labels(pairs...)
		if diff := cmp.Diff(want, ParseLabels(text)); diff != "" {
			t.Fatalf("%q comes back otherwise:\n%s", text, diff)
		}
		if strings.ContainsRune(text, 0) {
			t.Fatalf("%q has a NUL, which PostgreSQL does not take", text)
		}
	})
}

// agreements are examples that differ in what Zeroes looks at.
func agreements(t *testing.T) map[string]*agreement.Agreement {
	t.Helper()
	out := map[string]*agreement.Agreement{}
	for name, path := range map[string]string{
		"hubspot": "../../../docs/examples/hubspot/agreement.yaml",
		"minimal": "../../../docs/examples/minimal/agreement.yaml",
		"graded":  "testdata/graded.yaml",
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a, faults := agreement.Parse(path, text)
		if len(faults) > 0 {
			t.Fatalf("%s: %v", path, faults)
		}
		out[name] = a
	}
	return out
}

func TestZeroesCoverWhatCanHappen(t *testing.T) {
	t.Parallel()
	for name, a := range agreements(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zero := map[store.Tally]bool{}
			for _, d := range Zeroes(a) {
				if d.Value != 0 {
					t.Errorf("%+v is not 0", d)
				}
				if strings.HasPrefix(d.Name, attainmentBase) {
					t.Errorf("%s is never scraped", d.Name)
				}
				zero[d] = true
			}
			reached := map[store.Tally]bool{}
			rapid.Check(t, func(t *rapid.T) {
				for _, d := range Judge(possible(t, a)).Tallies {
					if strings.HasPrefix(d.Name, attainmentBase) {
						continue
					}
					d.Value = 0
					if !zero[d] {
						t.Fatalf("%s{%s} appears in shard %d with its first count", d.Name, d.Labels, d.Shard)
					}
					reached[d] = true
				}
			})
			if len(reached) == 0 {
				t.Error("nothing happened")
			}
		})
	}
}

// possible is an event that the services can say under the agreement.
func possible(t *rapid.T, a *agreement.Agreement) *eventv1.Event {
	e := fill(rapid.SampledFrom(bodies()).Draw(t, "body"), drawn{t})
	e.Lead = rapid.StringMatching(`[a-f0-9]{8}`).Draw(t, "lead")
	pool := rapid.SampledFrom(a.Pools).Draw(t, "pool")
	var names []string
	for _, g := range a.Grades {
		names = append(names, g.Name)
	}
	if len(a.Grades) == 0 || a.Grades[len(a.Grades)-1].When != nil {
		names = append(names, "") // no condition held
	}
	grade := rapid.SampledFrom(names).Draw(t, "grade")
	set := func(terms *eventv1.Terms) {
		terms.Pool, terms.Grade = pool.Name, grade
		terms.Team = rapid.SampledFrom(pool.Teams).Draw(t, "team")
	}
	if c := clockOf(e); c != nil {
		set(c.Terms)
		promises := append(a.ClocksFor(grade), a.Handoff.Unassigned)
		promise := rapid.SampledFrom(promises).Draw(t, "clock")
		c.Name = promise.Name
		if promise.Name == agreement.Unassigned {
			c.Terms.Team, c.Terms.Rep = "", ""
		}
	}
	switch b := e.GetBody().(type) {
	case *eventv1.Event_LeadStaged:
		b.LeadStaged.To = rapid.SampledFrom(a.Stages).Draw(t, "stage").Name
		b.LeadStaged.Withheld = rapid.SampledFrom([]string{"", "do_not_contact", "consent"}).Draw(t, "withheld")
		b.LeadStaged.Channel = rapid.SampledFrom(append(slices.Clone(a.Channels), "unlisted")).Draw(t, "channel")
	case *eventv1.Event_HandoffAssigned:
		set(b.HandoffAssigned.Terms)
	case *eventv1.Event_HandoffWaiting:
		set(b.HandoffWaiting.Terms)
		b.HandoffWaiting.Reason = rapid.SampledFrom([]string{"no_rep", "all_absent", "all_full", "all_excluded", "no_hours"}).Draw(t, "reason")
	}
	return e
}
