package paper

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
)

// calendars sets hours, a row each: an ordinary week on one line reads faster than seven columns.
func calendars(of []calendar.Spec) ([]head, []entry) {
	var out []entry
	for _, c := range of {
		days := slices.Concat(days(c.Holidays), dated(c.Dates, "", "closed"), dated(c.Breaks, "break", "none"))
		out = append(out, entry{Name: c.Name, Says: plain(c.Zone), Cells: []cell{{Phrases: week(c)}, {Phrases: days}}})
	}
	return []head{{Text: "Hours", Wide: 19}, {Text: "Week", Wide: 38}, {Text: "Closed on, and other days"}}, out
}

// week tells runs of days with the same hours: "Mon to Thu 09:00-17:00".
func week(c calendar.Spec) []phrase {
	if c.Always {
		return plain("round the clock")
	}
	var out []phrase
	for day := 0; day < 7; {
		words := spans(weekday(c, day))
		last := day
		for last < 6 && spans(weekday(c, last+1)) == words {
			last++
		}
		if words != "" {
			out = append(out, phrase{Label: run(day, last), Text: words, Line: true})
		}
		day = last + 1
	}
	return out
}

// weekday are the hours of a day of the week, which begins on Monday.
func weekday(c calendar.Spec, day int) []calendar.Span { return c.Weekly[time.Weekday((day+1)%7)] }

func run(from, to int) string {
	name := func(day int) string { return time.Weekday((day + 1) % 7).String()[:3] }
	switch to - from {
	case 0:
		return name(from)
	case 1:
		return name(from) + ", " + name(to)
	}
	return name(from) + " to " + name(to)
}

func spans(of []calendar.Span) string {
	var all []string
	for _, s := range slices.SortedFunc(slices.Values(of), func(a, b calendar.Span) int { return cmp.Compare(a.Open, b.Open) }) {
		all = append(all, s.String())
	}
	return strings.Join(all, " and ")
}

func days(of []calendar.Date) []phrase {
	var out []phrase
	for _, d := range of {
		out = append(out, phrase{Text: d.String()})
	}
	slices.SortFunc(out, func(a, b phrase) int { return cmp.Compare(a.Text, b.Text) })
	return out
}

func dated(of map[calendar.Date][]calendar.Span, before, none string) []phrase {
	var out []phrase
	for d, hours := range of {
		out = append(out, phrase{Label: strings.TrimSpace(before + " " + d.String()), Text: cmp.Or(spans(hours), none)})
	}
	slices.SortFunc(out, func(a, b phrase) int { return cmp.Compare(a.Label, b.Label) })
	return out
}

// people tells whose hours are "of the rep". The roster changes without signatures, and the paper says so.
func (s *setter) people() []part {
	p := part{
		Title: "Who works under it", Note: "As the roster was when this was printed. Nobody signs it.",
		Heads: []head{{Text: "Team", Wide: 19}, {Text: "Manager", Wide: 19}, {Text: "Reps", Wide: 8, Right: true}, {Text: "Hours of the reps"}},
	}
	for _, t := range s.roster.Teams {
		of := map[string][]string{}
		count := 0
		for _, r := range s.roster.Reps {
			if r.Team == t.Name {
				name := cmp.Or(r.Calendar, agreement.Always)
				of[name] = append(of[name], r.ID)
				count++
			}
		}
		var who []phrase
		for _, name := range sortedKeys(of) {
			who = append(who, phrase{Label: name, Text: strings.Join(of[name], ", ")})
		}
		p.Entries = append(p.Entries, entry{Name: t.Name, Cells: []cell{{Phrases: plain(t.Manager)}, {Phrases: plain(strconv.Itoa(count)), Right: true}, {Phrases: who}}})
	}
	p.Entries = fit(p.Heads, p.Entries)
	if len(s.roster.Calendars) == 0 {
		return []part{p}
	}
	own := part{Title: "Hours of their own"}
	own.Heads, own.Entries = calendars(s.roster.Calendars)
	own.Entries = fit(own.Heads, own.Entries)
	return []part{p, own}
}
