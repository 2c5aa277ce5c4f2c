package page

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

// view is the report in the words and figures of the page.
type view struct {
	Look                      template.CSS
	Date, ISO                 string
	Machine                   []fact
	Quick                     bool
	Held, Short, Open, Failed int
	Verdict                   string
	Groups                    []group
	Sections                  []section
}

type fact struct{ Name, Value string }

// group is the goals of one row in the table.
type group struct {
	ID, Name, Error string
	Goals           []card
}

// section is one row with its charts.
type section struct {
	ID, Name, What, Took, Error string
	// Plain cards have no chart; apart, neither leaves holes beside the other.
	Plain, Drawn []card
}

// card is one line.
type card struct {
	What, Ours, Ceiling, Measured string
	// Same says that what was measured is ours itself.
	Same                bool
	Goal, Sign, Verdict string // "" without a goal
	Class               string // yes, no, or none
	Note                string
	Charts              []chart
}

func newView(r Report) view {
	v := view{
		Look: template.CSS(look), //nolint:gosec // our own file
		Date: r.At.UTC().Format("2 January 2006, 15:04 UTC"), ISO: r.At.UTC().Format(time.RFC3339), Quick: r.Quick,
		Machine: machine(r.Machine),
	}
	for i, p := range r.Parts {
		s := section{ID: fmt.Sprintf("row-%d", i+1), Name: p.Name, What: p.What, Took: took(p.Seconds), Error: p.Error}
		g := group{ID: s.ID, Name: p.Name, Error: p.Error}
		for _, l := range p.Lines {
			c := newCard(l)
			if len(c.Charts) == 0 {
				s.Plain = append(s.Plain, c)
			} else {
				s.Drawn = append(s.Drawn, c)
			}
			switch c.Class {
			case "yes":
				v.Held++
			case "no":
				v.Short++
			case "open":
				v.Open++
			default:
				continue
			}
			g.Goals = append(g.Goals, c)
		}
		if p.Error != "" {
			v.Failed++
		}
		if len(g.Goals) > 0 || g.Error != "" {
			v.Groups = append(v.Groups, g)
		}
		v.Sections = append(v.Sections, s)
	}
	v.Verdict = verdict(v.Held, v.Short+v.Open)
	if r.Quick {
		v.Verdict = "A quick run" // what holds in it says nothing
	}
	return v
}

func newCard(l row.Line) card {
	c := card{
		What: l.What, Ours: figure(l.Ours), Measured: figure(l.Measured), Same: l.Ours == l.Measured && l.Ceiling == nil, Note: l.Note, Class: "none",
		Charts: charts(l),
	}
	if l.Ceiling != nil {
		c.Ceiling = figure(*l.Ceiling)
	}
	if l.Goal != nil {
		c.Goal, c.Class, c.Sign, c.Verdict = goal(*l.Goal), "no", "✗", "falls short"
		switch {
		case l.Open:
			c.Class, c.Sign, c.Verdict = "open", "~", "too close to tell"
		case l.Holds:
			c.Class, c.Sign, c.Verdict = "yes", "✓", "holds"
		}
	}
	return c
}

func verdict(held, short int) string {
	switch all := held + short; {
	case all == 0:
		return "No goal was measured"
	case short == 0 && all == 1:
		return "The goal holds"
	case short == 0:
		return fmt.Sprintf("All %d goals hold", all)
	default:
		return fmt.Sprintf("%d of %d goals hold", held, all)
	}
}

func machine(m Machine) []fact {
	var out []fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, value})
		}
	}
	cores := ""
	if m.Cores > 0 {
		cores = fmt.Sprintf("%d", m.Cores)
	}
	memory := ""
	if m.MemoryGiB > 0 {
		memory = fmt.Sprintf("%d GiB", m.MemoryGiB)
	}
	add("Processor", m.CPU)
	add("Cores", cores)
	add("Memory", memory)
	add("Kernel", m.Kernel)
	add("Go", strings.TrimPrefix(m.Go, "go"))
	return out
}

func took(seconds float64) string {
	d := time.Duration(math.Round(seconds)) * time.Second
	switch {
	case seconds <= 0:
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", math.Max(1, math.Round(seconds)))
	default:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
}

// figure is a figure that no line break can cut.
func figure(f row.Figure) string { return strings.ReplaceAll(f.String(), " ", "\u00a0") }

// goal is a bound as people say it, without digits that say nothing.
func goal(g row.Goal) string {
	sign := "≥"
	if g.AtMost {
		sign = "≤"
	}
	return sign + "\u00a0" + with(g.Bound, g.Unit)
}

// with is a round number with its unit.
func with(v float64, unit string) string {
	if unit == "" || unit == "×" || unit[0] == '/' {
		return short(v) + unit
	}
	return short(v) + "\u00a0" + unit
}
