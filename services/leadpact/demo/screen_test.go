package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func TestScreen(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	due := began.Add(70 * time.Second)
	clock := &eventv1.Clock{
		Id: "c", Name: "first-response", Within: (8 * time.Second).Microseconds(), DueAt: due.UnixMicro(),
		Terms: &eventv1.Terms{Rep: "ana", Team: "north"},
	}
	staged := func(to string) *eventv1.Event_LeadStaged {
		return &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{
			To: to, Channel: "paid", Grade: "B", Score: 60, Reasons: []*eventv1.Reason{{Rule: "form", Points: 30}, {Rule: "visit", Points: 30}},
		}}
	}
	events := []*eventv1.Event{
		{Body: staged("lead")},
		{Body: staged("mql")},
		{Body: &eventv1.Event_HandoffAssigned{HandoffAssigned: &eventv1.HandoffAssigned{N: 1, Terms: clock.GetTerms()}}},
		{Body: &eventv1.Event_HandoffAssigned{HandoffAssigned: &eventv1.HandoffAssigned{N: 2, Terms: clock.GetTerms()}}},
		{Body: &eventv1.Event_HandoffWaiting{HandoffWaiting: &eventv1.HandoffWaiting{Reason: "full"}}},
		{Body: &eventv1.Event_ClockWarned{ClockWarned: &eventv1.ClockWarned{Clock: clock, Percent: 80}}},
		{Body: &eventv1.Event_ClockMet{ClockMet: &eventv1.ClockMet{Clock: clock, StoppedAt: due.Add(-1500 * time.Millisecond).UnixMicro()}}},
		{Body: &eventv1.Event_ClockBreached{ClockBreached: &eventv1.ClockBreached{Clock: clock, Remedy: "reassign"}}},
		{Body: &eventv1.Event_ClockCorrected{ClockCorrected: &eventv1.ClockCorrected{Clock: clock, By: "attempt", Source: "crm"}}},
		{Body: &eventv1.Event_ClockCorrected{ClockCorrected: &eventv1.ClockCorrected{Clock: clock, By: "withdrawn", Source: "scoring"}}},
		{Body: staged("sql")},
		{Body: staged("won")},
		{Body: staged("recycled")},
	}
	for i, e := range events {
		e.Id, e.Source, e.Lead, e.RecordedAt = string(rune('a'+i)), "handoff", "abcdefghij", began.Add(65*time.Second).UnixMicro()
	}
	var out bytes.Buffer
	s := NewScreen(&out, false, false)
	s.see(events[:1]) // before the play is open
	if out.Len() > 0 {
		t.Errorf("shown too early: %s", out.String())
	}
	s.seen = map[string]bool{}
	s.play = &play{began: began}
	s.see(events)
	s.see(events) // a stream may repeat
	want := `
01:05.0  abcdef  · new lead by paid
01:05.0  abcdef  ▲ MQL, grade B, score 60 (form +30, visit +30)
01:05.0  abcdef  → handed to ana (north)
01:05.0  abcdef  → handed on to ana (north)
01:05.0  abcdef  … nobody is eligible: full
01:05.0  abcdef  ◔ first-response: 80% of 8s gone for ana
01:05.0  abcdef  ✓ first-response kept by ana with 1.5 s left
01:05.0  abcdef  ✗ BREACH: first-response of 8s missed by ana; remedy: reassign
01:05.0  abcdef  ✓ first-response had been kept by ana: crm told it late
01:05.0  abcdef  ✓ first-response had been withdrawn before it was due
01:05.0  abcdef  ▲ SQL
01:05.0  abcdef  ★ won
01:05.0  abcdef  ○ recycled
`
	if diff := cmp.Diff(want[1:], out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	out.Reset()
	live := NewScreen(&out, true, true)
	live.play = &play{began: time.Now()}
	live.see(events)
	for _, want := range []string{"\r\033[K", "\033[1;31m", "MQL 1 · handed 2 · kept 1 · breached 1 · won 1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the live screen lacks %q", want)
		}
	}
}
