package trial

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/services/handoff/clock"
	"github.com/leadpact/leadpact/services/scoring/stage"
)

const (
	// longest is how much of a condition stands on a line, in characters.
	longest = 88
	// widest is how wide the second column may be.
	widest = 28
	// rulesShown is how many of the rules that would bring points are told to a person.
	rulesShown = 4
)

// Write tells a person. The error is that of w.
func (a Answer) Write(w io.Writer) error {
	p := &page{}
	p.line(fmt.Sprintf("%s, version %s, at %s\n", a.Title, a.Version, stamp(a.At)))
	a.writeScore(p)
	if a.Persona != "" {
		p.fact("persona", a.Persona, fmt.Sprintf("%s of its weight from another answer", percent(a.Margin)))
	}
	if a.Grade != "" || len(a.Grades) > 0 {
		a.writeGrade(p)
	}
	a.writeStage(p)
	if err := a.writeHandoff(p); err != nil {
		return err
	}
	for _, note := range a.Notes {
		p.line("\n  note: " + note + "; it is signed, but not enforced yet")
	}
	a.writeOtherwise(p)
	_, err := io.WriteString(w, p.String())
	return err
}

// page is what is being written: facts under one another, each a name, what it is and why.
type page struct{ rows []row }

type row struct{ name, is, why string }

func (p *page) fact(name, is, why string) { p.rows = append(p.rows, row{name, is, why}) }

// why goes under a fact.
func (p *page) why(is, why string) { p.fact("", is, why) }

// line stands by itself.
func (p *page) line(text string) { p.rows = append(p.rows, row{name: text, is: alone}) }

// alone marks a line.
const alone = "\x00"

// String lays the page out in columns.
func (p *page) String() string {
	wide := 0
	for _, r := range p.rows {
		if r.is != alone {
			wide = max(wide, min(utf8.RuneCountInString(r.is), widest))
		}
	}
	var out strings.Builder
	for _, r := range p.rows {
		text := r.name
		if r.is != alone {
			text = fmt.Sprintf("  %-8s  %-*s  %s", r.name, wide, r.is, r.why)
		}
		out.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	return out.String()
}

func (a Answer) writeScore(p *page) {
	p.fact("score", points(a.Score), fmt.Sprintf("fit %s, engagement %s", points(a.Fit), points(a.Engagement)))
	for _, r := range a.Reasons {
		why := short(r.When)
		if r.Touches > 0 {
			why = r.worth()
		}
		p.why(fmt.Sprintf("%6s  %s", signed(r.Points), r.Rule), why)
	}
}

// worth is what became of the points of touches.
func (r Reason) worth() string {
	out := fmt.Sprintf("%d × %s", r.Touches, points(r.Whole/float64(r.Touches)))
	switch {
	case r.Cap > 0 && (r.Points >= r.Cap || r.Points <= -r.Cap):
		out += fmt.Sprintf(", at its cap of %s", points(r.Cap))
	case r.Whole != 0 && r.Points != r.Whole:
		out += fmt.Sprintf(", of which age has left %s", percent(r.Points/r.Whole))
	}
	return out + "; " + short(r.When)
}

func (a Answer) writeGrade(p *page) {
	why, passed := "", []string{}
	for _, g := range a.Grades {
		if g.Holds {
			why = short(g.When)
		} else {
			passed = append(passed, g.Name+" asks for "+short(g.When))
		}
	}
	if why == "" {
		why = strings.Join(passed, "; ")
	}
	name := a.Grade
	if name == "" {
		name = "none"
	}
	p.fact("grade", name, why)
}

func (a Answer) writeStage(p *page) {
	since := ""
	if n := len(a.Transitions); n > 0 {
		since = "since " + stamp(a.Transitions[n-1].At)
	}
	if a.Cycle > 1 {
		since += fmt.Sprintf(", round %d", a.Cycle)
	}
	p.fact("stage", a.Stage, since)
	for _, t := range a.Transitions {
		to := "→ " + t.To
		switch {
		case t.Handoff:
			to += ", handed off"
		case t.Withheld != "":
			to += ", not handed off"
		}
		p.why(to, fmt.Sprintf("%s  score %s  %s", stamp(t.At), points(t.Score), short(t.Why)))
	}
	if a.Next == nil {
		return
	}
	p.fact("next", a.Next.Stage, short(a.Next.When))
	for _, g := range a.Next.Missing {
		needs := points(g.Needs)
		if g.Above {
			needs = "more than " + needs
		}
		p.why("", fmt.Sprintf("%s %s of %s: %s missing%s", g.Of, points(g.Has), needs, points(g.Needs-g.Has), g.rules()))
	}
}

// rules are some that would bring points.
func (g Gap) rules() string {
	var all []string
	for i, r := range g.Rules {
		if i == rulesShown {
			all = append(all, fmt.Sprintf("%d more rules", len(g.Rules)-i))
			break
		}
		each := ""
		if r.Each {
			each = " a touch"
		}
		all = append(all, fmt.Sprintf("%s gives %s%s", r.Rule, points(r.Points), each))
	}
	if len(all) == 0 {
		return "; no rule has more to give"
	}
	return "; " + strings.Join(all, ", ")
}

func (a Answer) writeHandoff(p *page) error {
	h := a.Handoff
	p.line("")
	p.fact("handoff", h.Point, map[string]string{
		Made: "at " + stamp(h.At), Would: "not yet; this is how it would go now", Was: "it was made before; this is how it would go now",
		Over: "none, its way is over; this is how it would go now",
		Held: "none, because " + withheld(a.Handoff.Withheld) + "; this is how it would go otherwise",
	}[h.State])
	for i, r := range h.Routes {
		name, is, why := "", "not "+r.Name, "asks for "+short(r.When)
		if r.Holds {
			if is, why = r.Name, short(r.When); why == "" {
				why = "the last route takes all that are left"
			}
		}
		if i == 0 {
			name = "route"
		}
		p.fact(name, is, why)
	}
	h.writeRep(p)
	for i, c := range h.Clocks {
		name := ""
		if i == 0 {
			name = "clocks"
		}
		why, err := c.words()
		if err != nil {
			return err
		}
		p.fact(name, c.Name, why)
	}
	return nil
}

// withheld is why a lead is not handed off, in words.
func withheld(why string) string {
	if why == stage.DoNotContact {
		return "its person forbids all contact"
	}
	return "its person has not allowed what the agreement needs"
}

func (h Handoff) writeRep(p *page) {
	switch {
	case h.Refusal != "":
		p.fact("rep", "nobody", fmt.Sprintf("%s: none of %d reps can take it", h.Refusal, h.Reps))
	case h.Rep == "":
		p.fact("rep", "not asked", "give --roster to see who would get it")
		return
	default:
		p.fact("rep", h.Rep, fmt.Sprintf("of %s; first of %d of %d reps who could, as the rotation starts and nobody holds a lead", h.Team, h.Eligible, h.Reps))
	}
	for _, r := range h.Passed {
		p.why("not "+r.Rep, r.Reason)
	}
}

// words are when the promise falls due, in the time of its hours.
func (c Promise) words() (string, error) {
	promise := fmt.Sprintf("%-5s of %-9s", length(c.Within), c.Calendar)
	if c.Due.IsZero() {
		return promise + "  due by the hours of whoever gets the lead", nil
	}
	zone, err := calendar.LoadZone(c.Zone)
	if err != nil {
		return "", err
	}
	out := promise + "  due " + c.Due.In(zone).Format("Mon 2006-01-02 15:04:05 MST")
	if c.State != "" && c.State != clock.Open {
		out += "  " + string(c.State)
	}
	return out, nil
}

func (a Answer) writeOtherwise(p *page) {
	p.line("\nWhat would have decided otherwise")
	for _, o := range a.Otherwise {
		if len(o.Ways) == 0 {
			p.fact(o.Decision, orNone(o.Was), fmt.Sprintf("none of the %d changes that were tried", a.Tried))
			continue
		}
		for i, way := range o.Ways {
			name := ""
			if i == 0 {
				name = o.Decision
			}
			p.fact(name, "→ "+orNone(way.Becomes), way.Words)
		}
	}
	p.line("\n  " + a.tried())
}

// tried says how far the search went.
func (a Answer) tried() string {
	if a.Tried < a.Suggested {
		return fmt.Sprintf("%d of %d changes of one thing were tried, the nearest ones", a.Tried, a.Suggested)
	}
	return fmt.Sprintf("%d changes of one thing were tried: all that the agreement's conditions suggest", a.Tried)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("Mon 2006-01-02 15:04 UTC") }

// points have two decimals at most.
func points(n float64) string { return strconv.FormatFloat(math.Round(n*100)/100, 'f', -1, 64) }

func signed(n float64) string {
	if n > 0 {
		return "+" + points(n)
	}
	return points(n)
}

func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 0, 64) + " %" }

func short(s string) string {
	if all := []rune(s); len(all) > longest {
		return string(all[:longest-1]) + "…"
	}
	return s
}

// length is a duration as agreements write it: 10m, 24h, 2w.
func length(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%(7*day) == 0:
		return fmt.Sprintf("%dw", d/(7*day))
	case d%day == 0 && d > 3*day:
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
