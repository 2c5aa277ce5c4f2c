package paper

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
)

// Invitations are the meetings and the reviews of the agreement as a calendar file (RFC 5545), to import or to subscribe to. The same
// agreement gives the same bytes, and an event keeps its UID from version to version, so that what moves is moved and does not come twice.
func Invitations(a *agreement.Agreement) ([]byte, error) {
	f := &file{}
	f.line("BEGIN", "VCALENDAR")
	f.line("VERSION", "2.0")
	f.line("PRODID", "-//leadpact//agreement//EN")
	f.line("CALSCALE", "GREGORIAN")
	f.line("X-WR-CALNAME", escape(a.Title))
	first := map[string]int{} // year of the first meeting, by zone
	for _, m := range a.Meetings {
		if year, ok := first[m.Zone]; !ok || m.First.Year < year {
			first[m.Zone] = m.First.Year
		}
	}
	for _, zone := range sortedKeys(first) {
		if err := f.zone(zone, first[zone]); err != nil {
			return nil, fmt.Errorf("write the meetings: %w", err)
		}
	}
	for _, m := range a.Meetings {
		f.meeting(a, m)
	}
	f.reviews(a)
	f.line("END", "VCALENDAR")
	return []byte(f.String()), nil
}

// file is a calendar file while it is written.
type file struct{ strings.Builder }

// foldAt is how many octets a line has at most, without its end.
const foldAt = 75

// line writes a property, folded between characters.
func (f *file) line(name, value string) {
	text, room := name+":"+value, foldAt
	for len(text) > room {
		cut := room
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		f.WriteString(text[:cut] + "\r\n ")
		text, room = text[cut:], foldAt-1 // the space counts
	}
	f.WriteString(text + "\r\n")
}

// escape writes a text value. Of control characters it keeps the line's end alone.
func escape(text string) string {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\uFFFD") {
		switch {
		case r == '\n' || r == '\r':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteByte(' ')
		case r < ' ' || r == 0x7f:
		case strings.ContainsRune(`\;,`, r):
			out.WriteByte('\\')
			out.WriteRune(r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func (f *file) meeting(a *agreement.Agreement, m agreement.Meeting) {
	start := local(m.First, m.At)
	f.begin(a, "meeting", m.Name, start)
	f.line("DTSTART;TZID="+m.Zone, start.Format(localForm))
	f.line("DTEND;TZID="+m.Zone, start.Add(m.Lasts).Format(localForm))
	f.line("RRULE", rhythm(m.Every, start))
	f.line("SUMMARY", escape(m.Name+": "+a.Title))
	var about []string
	add := func(label string, of []string) {
		if len(of) > 0 {
			about = append(about, label+": "+strings.Join(of, ", "))
		}
	}
	add("With", m.Who)
	add("About", m.Topics)
	add("Figures", m.KPIs)
	about = append(about, "By the agreement, version "+a.Version)
	f.line("DESCRIPTION", escape(strings.Join(about, "\n")))
	f.line("END", "VEVENT")
}

// reviews are days: of the agreement, and of each definition that is to be looked at again.
func (f *file) reviews(a *agreement.Agreement) {
	if r := a.Review; r != nil {
		about := "Marketing and sales look at the agreement again, version " + a.Version
		for _, t := range r.Triggers {
			about += "\nBefore its time for " + t.Name + ": when fewer than " + percent(t.Below) + " come on from " + t.From + " to " + t.To
		}
		f.day(a, "review", "", "Review: "+a.Title, about, r.First, rhythm(r.Every, local(r.First, 0)))
	}
	by := func(kind, name string, day calendar.Date) {
		if day != (calendar.Date{}) {
			f.day(a, "definition", kind+" "+name, "Look again at "+strings.TrimSpace(kind+" "+name)+": "+a.Title, "The agreement wants it looked at by this day", day, "")
		}
	}
	for _, t := range a.Terms {
		by("the term", t.Name, t.ReviewBy)
	}
	if a.ICP != nil {
		by("the ideal customer", "", a.ICP.ReviewBy)
	}
	for _, p := range a.Personas {
		by("the persona", p.Name, p.ReviewBy)
	}
}

func (f *file) day(a *agreement.Agreement, kind, name, summary, about string, day calendar.Date, rule string) {
	start := local(day, 0)
	f.begin(a, kind, name, start)
	f.line("DTSTART;VALUE=DATE", start.Format(dayForm))
	f.line("DTEND;VALUE=DATE", start.AddDate(0, 0, 1).Format(dayForm))
	if rule != "" {
		f.line("RRULE", rule)
	}
	f.line("SUMMARY", escape(summary))
	f.line("DESCRIPTION", escape(about))
	f.line("TRANSP", "TRANSPARENT") // nobody is busy by it
	f.line("END", "VEVENT")
}

// begin opens an event. Its UID is made of what does not change from version to version; its stamp of its first day, for the file says
// the same whenever it is written.
func (f *file) begin(a *agreement.Agreement, kind, name string, start time.Time) {
	sum := sha256.Sum256([]byte(kind + "\n" + a.Title + "\n" + name))
	f.line("BEGIN", "VEVENT")
	f.line("UID", hex.EncodeToString(sum[:16])+"@leadpact")
	f.line("DTSTAMP", start.Format(dayForm)+"T000000Z")
}

const (
	localForm = "20060102T150405"
	dayForm   = "20060102"
)

// local is a local time, carried in UTC.
func local(d calendar.Date, at calendar.Clock) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Add(time.Duration(at) * time.Second)
}

// rhythm is the rule of repetition. By month and quarter it stays on the first one's day of the week: the first Thursday.
func rhythm(every string, first time.Time) string {
	rule := map[string]string{"week": "FREQ=WEEKLY", "fortnight": "FREQ=WEEKLY;INTERVAL=2", "month": "FREQ=MONTHLY", "quarter": "FREQ=MONTHLY;INTERVAL=3"}[every]
	if every != "month" && every != "quarter" {
		return rule
	}
	n := (first.Day()-1)/7 + 1
	if n == 5 {
		n = -1 // not every month has a fifth; the last one is what both mean
	}
	return fmt.Sprintf("%s;BYDAY=%d%s", rule, n, weekdayCode(first.Weekday()))
}

func weekdayCode(d time.Weekday) string { return strings.ToUpper(d.String()[:2]) }
