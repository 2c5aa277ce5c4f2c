package agreement

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/leadpact/leadpact/internal/calendar"
)

// The words in which an agreement is told to people.

// spell writes a duration as people say it: "1 hour 30 minutes", "2 weeks"; nothing when there is none.
func spell(d time.Duration) string {
	var all []string
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"week", 7 * 24 * time.Hour}, {"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		// Hours stay hours up to three days: on a calendar with hours, a day of promised time is no date's day.
		if unit.of > time.Hour && (d%unit.of != 0 || unit.of == 24*time.Hour && d <= 72*time.Hour) {
			continue
		}
		if n := d / unit.of; n > 0 {
			all = append(all, plural(float64(n), unit.name, unit.name+"s"))
			d %= unit.of
		}
	}
	if d > 0 {
		all = append(all, d.String())
	}
	return strings.Join(all, " ")
}

func plural(n float64, one, many string) string {
	if n == 1 || n == -1 {
		many = one
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + " " + many
}

func positive(n float64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

func percents(of []int) string {
	var all []string
	for _, p := range of {
		all = append(all, fmt.Sprintf("%d %%", p))
	}
	return strings.Join(all, ", ")
}

func share(of float64) string {
	if of == 0 {
		return ""
	}
	return percentage(of) + " of the pace"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// number writes it with the thousands apart: "120,000".
func number(n float64) string {
	s := strconv.FormatFloat(n, 'f', -1, 64)
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}

// percentage is a share 0..1 in percent; nothing when it is 0.
func percentage(of float64) string {
	if of == 0 {
		return ""
	}
	return strconv.FormatFloat(math.Round(of*1e6)/1e4, 'f', -1, 64) + " %"
}

// several is a number where more than none says something.
func several(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// notYet marks words that no service acts on.
func notYet(words string) string {
	if words == "" {
		return ""
	}
	return words + " (" + notEnforced + ")"
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return strconv.Quote(s)
}

func grades(of []string) string {
	if len(of) == 0 {
		return "all"
	}
	return strings.Join(of, ", ")
}

func nonempty(of ...string) []string {
	return slices.DeleteFunc(of, func(s string) bool { return s == "" })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// words is the condition as it stands in the text, on one line, without the spaces that say nothing; nothing when there is none.
func (c *Condition) words() string {
	text := strings.TrimSpace(c.String())
	if strings.Contains(text, `"""`) || strings.Contains(text, "'''") {
		return text
	}
	var out strings.Builder
	quote, raw, space := rune(0), false, false
	escaped := false
	last := rune(0)
	for _, r := range text {
		switch {
		case quote != 0:
			switch {
			case escaped:
				escaped = false
			case r == '\\' && !raw:
				escaped = true
			case r == quote:
				quote = 0
			}
		case unicode.IsSpace(r):
			space = true
			continue
		case r == '"' || r == '\'':
			quote, raw = r, last == 'r' || last == 'R'
		}
		if space {
			out.WriteByte(' ')
			space = false
		}
		out.WriteRune(r)
		last = r
	}
	return out.String()
}

// always is a condition where none holds always.
func always(c *Condition) string {
	if w := c.words(); w != "" {
		return w
	}
	return "all others"
}

func (a *Agreement) sayCalendars() Section {
	s := Section{Title: "Hours"}
	for _, c := range a.Calendars {
		t := Clause{Key: c.Name, Subject: c.Name, Facts: []Fact{{"zone", c.Zone}}}
		for day := time.Monday; day <= time.Saturday+1; day++ {
			t.Facts = append(t.Facts, Fact{(day % 7).String(), hours(c.Weekly[day%7])})
		}
		t.Facts = append(t.Facts, Fact{"holidays", dates(c.Holidays)}, Fact{"other hours on", dated(c.Dates, "closed")}, Fact{"breaks on", dated(c.Breaks, "none")})
		s.Clauses = append(s.Clauses, t)
	}
	return s
}

func hours(spans []calendar.Span) string {
	var all []string
	for _, s := range slices.SortedFunc(slices.Values(spans), func(a, b calendar.Span) int { return int(a.Open - b.Open) }) {
		all = append(all, s.String())
	}
	return strings.Join(all, " and ")
}

func dates(of []calendar.Date) string {
	var all []string
	for _, d := range of {
		all = append(all, d.String())
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func dated(of map[calendar.Date][]calendar.Span, none string) string {
	var all []string
	for d, spans := range of {
		h := hours(spans)
		if h == "" {
			h = none
		}
		all = append(all, d.String()+" "+h)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// said is a day in words; nothing when there is none.
func said(day calendar.Date) string {
	if day == (calendar.Date{}) {
		return ""
	}
	return day.String()
}

func hoursName(calendar string) string {
	if calendar == RepHours {
		return "of the rep"
	}
	return calendar
}
