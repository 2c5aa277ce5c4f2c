package ledger

import (
	"slices"
	"strconv"
	"strings"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// The tallies that /metrics and GetMetrics show.
const (
	Events         = "leadpact_events_total"
	StageEntries   = "leadpact_stage_entries_total"
	Assignments    = "leadpact_assignments_total"
	Breaches       = "leadpact_breaches_total"
	Corrections    = "leadpact_breaches_corrected_total"
	Excuses        = "leadpact_breaches_withdrawn_total"
	Verdicts       = "leadpact_clock_verdicts_total"
	Responses      = "leadpact_clock_met_total"
	ResponseTime   = "leadpact_clock_met_seconds_total"
	ClocksOpen     = "leadpact_clocks_open"
	Waits          = "leadpact_handoff_waits_total"
	Withheld       = "leadpact_leads_withheld_total"
	attainmentBase = "attainment_by_"
)

// The words that labels have.
const (
	live      = "live"
	history   = "history"
	met       = "met"
	breached  = "breached"
	cancelled = "cancelled"
	withdrawn = "withdrawn"
	corrected = "corrected" // recorded as breached, and met
	excused   = "excused"   // recorded as breached, and withdrawn
	started   = "started"
	// unlisted is the channel of leads whose channel the agreement does not list; scoring says it.
	unlisted = "unlisted"
)

func modes() []string { return []string{live, history} }

// waitReasons are the refusals of handoff's routing, as event.proto lists them.
func waitReasons() []string {
	return []string{"no_rep", "all_absent", "all_full", "all_excluded", "no_hours"}
}

// withholdings are why scoring hands a lead to nobody, as event.proto lists them.
func withholdings() []string { return []string{"do_not_contact", "consent"} }

// Metric is how a tally is shown.
type Metric struct {
	Help  string
	Gauge bool
}

// Metrics are the tallies that are shown; the others serve GetAttainment alone, because they name reps.
func Metrics() map[string]Metric {
	return map[string]Metric{
		Events:       {Help: "Events in the ledger by type and mode."},
		StageEntries: {Help: "Entries into a stage by stage, channel and mode."},
		Assignments:  {Help: "Assignments by pool, team and grade."},
		Breaches:     {Help: "Promises missed, by clock, team and grade."},
		Corrections:  {Help: "Promises recorded as missed that turned out to have been kept, by clock, team and grade."},
		Excuses:      {Help: "Promises recorded as missed that turned out to have been withdrawn before they were due, by clock, team and grade."},
		Verdicts:     {Help: "Clocks that ended, by clock, team, grade and verdict."},
		Responses:    {Help: "Promises kept, by clock and team."},
		ResponseTime: {Help: "Seconds from a clock's start to the response that kept it, summed, by clock and team."},
		ClocksOpen:   {Help: "Promises running now, by clock and team.", Gauge: true},
		Waits:        {Help: "Times that nobody was eligible for a lead, by pool and reason."},
		Withheld:     {Help: "Leads not handed off for want of consent, by channel, reason and whether a handoff was withdrawn for it."},
	}
}

// Group is what attainment can be asked by.
type Group string

// The groups.
const (
	ByRep     Group = "rep"
	ByTeam    Group = "team"
	ByChannel Group = "channel"
)

// Attainment is the name of a group's tallies; their labels are clock, key and verdict, where the verdict "started" counts starts, and
// "corrected" and "excused" count those among "breached" that were met and withdrawn.
func Attainment(g Group) string { return attainmentBase + string(g) }

// Effects is what one event changes besides its line.
type Effects struct {
	Tallies []store.Tally
	Start   []store.PendingClock
	End     []string
	// Members of a roster that has changed.
	Members []store.Members
}

// Judge says what an event changes. The deltas carry the event's shard.
func Judge(e *eventv1.Event) Effects {
	j := &judge{shard: Shard(e), mode: mode(e)}
	j.add(Events, 1, "mode", j.mode, "type", event.Type(e))
	switch b := e.GetBody().(type) {
	case *eventv1.Event_LeadStaged:
		// A lead that nobody may contact is not delivered: it counts once it is handed off, on a change from its stage to itself.
		if b.LeadStaged.GetWithheld() == "" {
			j.add(StageEntries, 1, "channel", b.LeadStaged.GetChannel(), "mode", j.mode, "stage", b.LeadStaged.GetTo())
		} else {
			j.add(Withheld, 1, "channel", b.LeadStaged.GetChannel(), "reason", b.LeadStaged.GetWithheld(), "withdrawn", strconv.FormatBool(b.LeadStaged.GetWithdrawn()))
		}
	case *eventv1.Event_HandoffWaiting:
		j.add(Waits, 1, "pool", b.HandoffWaiting.GetTerms().GetPool(), "reason", b.HandoffWaiting.GetReason())
	case *eventv1.Event_HandoffAssigned:
		t := b.HandoffAssigned.GetTerms()
		j.add(Assignments, 1, "grade", t.GetGrade(), "pool", t.GetPool(), "team", t.GetTeam())
	case *eventv1.Event_ClockStarted:
		j.started(b.ClockStarted.GetClock())
	case *eventv1.Event_ClockMet:
		c := b.ClockMet.GetClock()
		j.ended(c, met)
		j.add(Responses, 1, "clock", c.GetName(), "team", c.GetTerms().GetTeam())
		taken := event.Time(b.ClockMet.GetStoppedAt()).Sub(event.Time(c.GetStartedAt()))
		j.add(ResponseTime, max(taken, 0).Seconds(), "clock", c.GetName(), "team", c.GetTerms().GetTeam())
	case *eventv1.Event_ClockBreached:
		c := b.ClockBreached.GetClock()
		j.ended(c, breached)
		j.add(Breaches, 1, "clock", c.GetName(), "grade", c.GetTerms().GetGrade(), "team", c.GetTerms().GetTeam())
	case *eventv1.Event_ClockCorrected:
		// No counter falls: what was counted as missed stays so, and this says how many of them were not.
		c := b.ClockCorrected.GetClock()
		verdict, counter := corrected, Corrections
		if b.ClockCorrected.GetBy() == withdrawn {
			verdict, counter = excused, Excuses
		}
		j.attain(c, verdict)
		j.add(counter, 1, "clock", c.GetName(), "grade", c.GetTerms().GetGrade(), "team", c.GetTerms().GetTeam())
	case *eventv1.Event_ClockCancelled:
		verdict := cancelled
		if b.ClockCancelled.GetReason() == withdrawn {
			verdict = withdrawn
		}
		j.ended(b.ClockCancelled.GetClock(), verdict)
	case *eventv1.Event_RosterChanged:
		j.out.Members = []store.Members{{Roster: b.RosterChanged.GetVersion(), People: b.RosterChanged.GetPeople()}}
	}
	return j.out
}

type judge struct {
	shard int
	mode  string
	out   Effects
}

func (j *judge) add(name string, value float64, labels ...string) {
	j.out.Tallies = append(j.out.Tallies, store.Tally{Shard: j.shard, Name: name, Labels: Labels(labels...), Value: value})
}

func (j *judge) started(c *eventv1.Clock) {
	j.add(ClocksOpen, 1, "clock", c.GetName(), "team", c.GetTerms().GetTeam())
	j.attain(c, started)
	j.out.Start = append(j.out.Start, store.PendingClock{ID: c.GetId(), DueAt: event.Time(c.GetDueAt())})
}

func (j *judge) ended(c *eventv1.Clock, verdict string) {
	t := c.GetTerms()
	j.add(ClocksOpen, -1, "clock", c.GetName(), "team", t.GetTeam())
	j.add(Verdicts, 1, "clock", c.GetName(), "grade", t.GetGrade(), "team", t.GetTeam(), "verdict", verdict)
	j.attain(c, verdict)
	j.out.End = append(j.out.End, c.GetId())
}

// attain counts for each group; a clock that ran while nobody held the lead counts for no rep and no team.
func (j *judge) attain(c *eventv1.Clock, verdict string) {
	t := c.GetTerms()
	for _, g := range []struct {
		group Group
		key   string
	}{{ByRep, t.GetRep()}, {ByTeam, t.GetTeam()}, {ByChannel, t.GetChannel()}} {
		if g.key != "" {
			j.add(Attainment(g.group), 1, "clock", c.GetName(), "key", g.key, "verdict", verdict)
		}
	}
}

// Zeroes are the series that the agreement can produce, at 0, in every shard: a series that appears with its first count shows
// Prometheus no increase. Attainment is asked and never scraped, so it needs none.
func Zeroes(a *agreement.Agreement) []store.Tally {
	var out []store.Tally
	for shard := range Shards {
		j := &judge{shard: shard}
		j.zeroLeads(a)
		j.zeroHandoffs(a)
		out = append(out, j.out.Tallies...)
	}
	return out
}

func (j *judge) zeroLeads(a *agreement.Agreement) {
	for _, ch := range append(slices.Clone(a.Channels), unlisted) {
		for _, reason := range withholdings() {
			j.add(Withheld, 0, "channel", ch, "reason", reason, "withdrawn", "false")
			j.add(Withheld, 0, "channel", ch, "reason", reason, "withdrawn", "true")
		}
	}
	for _, m := range modes() {
		for _, typ := range types() {
			j.add(Events, 0, "mode", m, "type", typ)
		}
		for _, s := range a.Stages {
			for _, ch := range append(slices.Clone(a.Channels), unlisted) {
				j.add(StageEntries, 0, "channel", ch, "mode", m, "stage", s.Name)
			}
		}
	}
}

func (j *judge) zeroHandoffs(a *agreement.Agreement) {
	var teams []string
	for _, p := range a.Pools {
		teams = append(teams, p.Teams...)
		for _, reason := range waitReasons() {
			j.add(Waits, 0, "pool", p.Name, "reason", reason)
		}
		for _, g := range grades(a) {
			for _, t := range p.Teams {
				j.add(Assignments, 0, "grade", g, "pool", p.Name, "team", t)
			}
		}
	}
	slices.Sort(teams)
	teams = slices.Compact(teams)
	for _, g := range grades(a) {
		for _, c := range a.ClocksFor(g) {
			j.zeroClock(c.Name, g, teams)
		}
		if u := a.Handoff.Unassigned; u.Within > 0 {
			j.zeroClock(u.Name, g, []string{""})
		}
	}
}

func (j *judge) zeroClock(clock, grade string, teams []string) {
	for _, t := range teams {
		j.add(ClocksOpen, 0, "clock", clock, "team", t)
		j.add(Responses, 0, "clock", clock, "team", t)
		j.add(ResponseTime, 0, "clock", clock, "team", t)
		j.add(Breaches, 0, "clock", clock, "grade", grade, "team", t)
		j.add(Corrections, 0, "clock", clock, "grade", grade, "team", t)
		j.add(Excuses, 0, "clock", clock, "grade", grade, "team", t)
		for _, v := range []string{met, breached, cancelled, withdrawn} {
			j.add(Verdicts, 0, "clock", clock, "grade", grade, "team", t, "verdict", v)
		}
	}
}

// grades are the names that a lead's grade can have; a lead that no condition fits has none.
func grades(a *agreement.Agreement) []string {
	var out []string
	for _, g := range a.Grades {
		out = append(out, g.Name)
	}
	if n := len(a.Grades); n == 0 || a.Grades[n-1].When != nil {
		out = append(out, "")
	}
	return out
}

// types are the names of all events that this program knows.
func types() []string {
	var out []string
	message := (&eventv1.Event{}).ProtoReflect()
	bodies := message.Descriptor().Oneofs().ByName("body").Fields()
	for i := range bodies.Len() {
		e := &eventv1.Event{}
		e.ProtoReflect().Set(bodies.Get(i), message.NewField(bodies.Get(i)))
		out = append(out, event.Type(e))
	}
	return out
}

// Labels writes pairs of name and value, given in order of name, in the canonical form of store.Tally.
func Labels(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			_ = b.WriteByte(',')
		}
		_, _ = b.WriteString(pairs[i] + "=" + escape.Replace(pairs[i+1]))
	}
	return b.String()
}

// ParseLabels reads the canonical form back.
func ParseLabels(s string) map[string]string {
	out := map[string]string{}
	if s == "" {
		return out
	}
	for pair := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(pair, "=")
		out[name] = unescape.Replace(value)
	}
	return out
}

var (
	escape   = strings.NewReplacer("%", "%25", ",", "%2C", "=", "%3D", "\x00", "%00")
	unescape = strings.NewReplacer("%2C", ",", "%3D", "=", "%00", "\x00", "%25", "%")
)

func mode(e *eventv1.Event) string {
	if e.GetMode() == eventv1.Mode_MODE_HISTORY {
		return history
	}
	return live
}
