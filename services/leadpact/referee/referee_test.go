package referee

import (
	"testing"
	"time"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

var start = time.Date(2026, 3, 6, 16, 30, 0, 0, time.UTC) // a Friday

func office() Hours {
	h := Hours{Zone: time.UTC}
	for d := time.Monday; d <= time.Friday; d++ {
		h.Weekly[d] = [][2]int{{9 * 3600, 17 * 3600}}
	}
	return h
}

func clock(id string, within time.Duration, due time.Time, calendar string) *eventv1.Clock {
	return &eventv1.Clock{
		Id: id, Name: "first-response", StartedAt: start.UnixMicro(), Within: within.Microseconds(), DueAt: due.UnixMicro(), Calendar: calendar,
		Terms: &eventv1.Terms{Assignment: "a1"},
	}
}

func started(c *eventv1.Clock) *eventv1.Event {
	return &eventv1.Event{Id: "s-" + c.GetId(), Source: "handoff", Lead: "l1", RecordedAt: c.GetStartedAt(),
		Body: &eventv1.Event_ClockStarted{ClockStarted: &eventv1.ClockStarted{Clock: c}}}
}

func breached(id string, c *eventv1.Clock, at time.Time) *eventv1.Event {
	return &eventv1.Event{Id: id, Source: "handoff", Lead: "l1", OccurredAt: c.GetDueAt(), RecordedAt: at.UnixMicro(),
		Body: &eventv1.Event_ClockBreached{ClockBreached: &eventv1.ClockBreached{Clock: c}}}
}

func corrected(id string, c *eventv1.Clock, at time.Time) *eventv1.Event {
	return &eventv1.Event{Id: id, Source: "handoff", Lead: "l1", OccurredAt: at.UnixMicro(), RecordedAt: start.Add(time.Hour).UnixMicro(),
		Body: &eventv1.Event_ClockCorrected{ClockCorrected: &eventv1.ClockCorrected{Clock: c, RespondedAt: at.UnixMicro(), Source: "crm"}}}
}

func assigned(id, assignment string, n uint32) *eventv1.Event {
	return &eventv1.Event{Id: id, Source: "handoff", Lead: "l1", RecordedAt: start.UnixMicro(),
		Body: &eventv1.Event_HandoffAssigned{HandoffAssigned: &eventv1.HandoffAssigned{
			N: n, ReceivedAt: start.Add(-time.Second).UnixMicro(), Terms: &eventv1.Terms{Assignment: assignment},
		}}}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	hour := clock("c1", time.Hour, start.Add(65*time.Hour), "office") // half an hour on Friday, half an hour on Monday
	late := hour.GetDueAt() + 1000
	fast := clock("c2", time.Minute, start.Add(time.Minute), "always")
	wrong := clock("c3", time.Hour, start.Add(time.Hour), "office")
	for name, c := range map[string]struct {
		events []*eventv1.Event
		bad    func(Verdict) int
		want   int
	}{
		"all is well": {[]*eventv1.Event{assigned("h1", "a1", 1), started(hour), breached("b1", hour, time.UnixMicro(late))}, all, 0},
		"an event twice is one": {[]*eventv1.Event{
			started(fast), breached("b1", fast, start.Add(time.Minute)), breached("b1", fast, start.Add(time.Minute)),
		}, all, 0},
		"early": {[]*eventv1.Event{started(fast), breached("b1", fast, start.Add(59*time.Second))},
			func(v Verdict) int { return v.Breaches.Early }, 1},
		"one microsecond early": {[]*eventv1.Event{started(fast), breached("b1", fast, start.Add(time.Minute-time.Microsecond))},
			func(v Verdict) int { return v.Breaches.Early }, 1},
		"duplicate": {[]*eventv1.Event{started(fast), breached("b1", fast, start.Add(time.Minute)), breached("b2", fast, start.Add(time.Minute))},
			func(v Verdict) int { return v.Breaches.Duplicate }, 1},
		"misdated": {[]*eventv1.Event{started(wrong)}, func(v Verdict) int { return v.Clocks.Misdated }, 1},
		"double": {[]*eventv1.Event{assigned("h1", "a1", 1), assigned("h2", "a2", 2)},
			func(v Verdict) int { return v.Assignments.Double }, 1},
		"overdue":          {[]*eventv1.Event{started(fast)}, func(v Verdict) int { return v.Clocks.Overdue }, 1},
		"unknown calendar": {[]*eventv1.Event{started(clock("c4", time.Hour, start.Add(time.Hour), "moon"))}, func(v Verdict) int { return v.Clocks.Misdated }, 1},
		"met and breached": {[]*eventv1.Event{
			started(fast), breached("b1", fast, start.Add(time.Minute)),
			{Id: "m", Source: "handoff", Body: &eventv1.Event_ClockMet{ClockMet: &eventv1.ClockMet{Clock: fast}}},
		}, func(v Verdict) int { return v.Clocks.Contradicted }, 1},
		"breached and corrected": {[]*eventv1.Event{
			started(fast), breached("b1", fast, start.Add(time.Minute)), corrected("k1", fast, start.Add(time.Minute-time.Microsecond)),
		}, all, 0},
		"corrected twice": {[]*eventv1.Event{
			started(fast), breached("b1", fast, start.Add(time.Minute)), corrected("k1", fast, start), corrected("k2", fast, start),
		}, func(v Verdict) int { return v.Clocks.Contradicted }, 1},
		"corrected by what was done at due": {[]*eventv1.Event{
			started(fast), breached("b1", fast, start.Add(time.Minute)), corrected("k1", fast, start.Add(time.Minute)),
		}, func(v Verdict) int { return v.Clocks.Contradicted }, 1},
		"corrected by what was done before it began": {[]*eventv1.Event{
			started(fast), breached("b1", fast, start.Add(time.Minute)), corrected("k1", fast, start.Add(-time.Microsecond)),
		}, func(v Verdict) int { return v.Clocks.Contradicted }, 1},
		"met and corrected": {[]*eventv1.Event{
			started(fast), {Id: "m", Source: "handoff", Body: &eventv1.Event_ClockMet{ClockMet: &eventv1.ClockMet{Clock: fast}}}, corrected("k1", fast, start),
		}, func(v Verdict) int { return v.Clocks.Contradicted }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := New(map[string]Hours{"office": office()})
			at := start.Add(100 * time.Hour)
			if name == "early" {
				at = start.Add(59 * time.Second)
			}
			r.See(c.events, at)
			v := r.Judge(start.Add(time.Hour), time.Second)
			if got := c.bad(v); got != c.want {
				t.Errorf("counted %d, want %d: %v", got, c.want, v.Faults)
			}
			if v.Clean() != (c.want == 0) {
				t.Errorf("clean is %v: %v", v.Clean(), v.Faults)
			}
		})
	}
}

func all(v Verdict) int {
	return v.Assignments.Double + v.Clocks.Misdated + v.Clocks.Contradicted + v.Clocks.Overdue + v.Breaches.Early + v.Breaches.Duplicate
}
