package paper

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
)

// property is one line of a calendar file, unfolded.
type property struct{ name, params, value string }

// parsed reads a calendar file strictly: lines of at most 75 octets that end in CRLF, components that close.
func parsed(t interface{ Fatalf(string, ...any) }, file string) []property {
	lines := strings.Split(file, "\r\n")
	if last := len(lines) - 1; lines[last] != "" {
		t.Fatalf("the file ends in %q", lines[last])
	}
	var unfolded []string
	for _, l := range lines[:len(lines)-1] {
		if len(l) > 75 || !utf8.ValidString(l) || strings.ContainsAny(l, "\r\n") {
			t.Fatalf("the line has %d octets or is broken: %q", len(l), l)
		}
		if rest, folded := strings.CutPrefix(l, " "); folded {
			unfolded[len(unfolded)-1] += rest
		} else {
			unfolded = append(unfolded, l)
		}
	}
	var out []property
	var open []string
	for _, l := range unfolded {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			t.Fatalf("no property: %q", l)
		}
		name, params, _ := strings.Cut(name, ";")
		switch name {
		case "BEGIN":
			open = append(open, value)
		case "END":
			if len(open) == 0 || open[len(open)-1] != value {
				t.Fatalf("%s ends within %v", value, open)
			}
			open = open[:len(open)-1]
		}
		out = append(out, property{name, params, value})
	}
	if len(open) > 0 {
		t.Fatalf("%v stay open", open)
	}
	return out
}

// events are the properties of each event by name.
func events(all []property) []map[string]property {
	var out []map[string]property
	var now map[string]property
	for _, p := range all {
		switch {
		case p.name == "BEGIN" && p.value == "VEVENT":
			now = map[string]property{}
		case p.name == "END" && p.value == "VEVENT":
			out, now = append(out, now), nil
		case now != nil:
			now[p.name] = p
		}
	}
	return out
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	for _, file := range []string{small, reference} {
		a := load(t, file)
		text, err := Invitations(a)
		if err != nil {
			t.Fatal(err)
		}
		all := parsed(t, string(text))
		seen := map[string]bool{}
		list := events(all)
		for _, e := range list {
			uid := e["UID"].value
			if uid == "" || seen[uid] {
				t.Errorf("the UID %q stands twice or is none", uid)
			}
			seen[uid] = true
			for _, must := range []string{"DTSTAMP", "DTSTART", "DTEND", "SUMMARY"} {
				if e[must].value == "" {
					t.Errorf("%s has no %s", uid, must)
				}
			}
		}
		want := len(a.Meetings) + 1
		for _, x := range a.Terms {
			if x.ReviewBy != (calendar.Date{}) {
				want++
			}
		}
		for _, x := range a.Personas {
			if x.ReviewBy != (calendar.Date{}) {
				want++
			}
		}
		if a.ICP != nil && a.ICP.ReviewBy != (calendar.Date{}) {
			want++
		}
		if len(list) != want {
			t.Errorf("%s: %d events, not %d", file, len(list), want)
		}
	}
}

// TestStableUID: another version of the agreement moves its events and does not double them.
func TestStableUID(t *testing.T) {
	t.Parallel()
	uids := func(change func(*agreement.Agreement)) string {
		a := load(t, reference)
		change(a)
		text, err := Invitations(a)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, e := range events(parsed(t, string(text))) {
			all = append(all, e["UID"].value)
		}
		return strings.Join(all, " ")
	}
	before := uids(func(*agreement.Agreement) {})
	if after := uids(func(a *agreement.Agreement) {
		a.Version, a.Hash = "next", "other"
		a.Meetings[0].First.Day, a.Meetings[0].At, a.Meetings[0].Every = 3, 8*3600, "fortnight"
		a.Review.Every = "month"
	}); after != before {
		t.Errorf("the UIDs were\n%s\nand are\n%s", before, after)
	}
	if uids(func(a *agreement.Agreement) { a.Meetings[0].Name = "Daily" }) == before {
		t.Error("another meeting has the same UID")
	}
}

func TestRhythm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ every, first, want string }{
		{"week", "2026-12-01", "FREQ=WEEKLY"},
		{"fortnight", "2026-12-01", "FREQ=WEEKLY;INTERVAL=2"},
		{"month", "2026-12-03", "FREQ=MONTHLY;BYDAY=1TH"},
		{"month", "2026-12-28", "FREQ=MONTHLY;BYDAY=4MO"},
		{"month", "2026-12-29", "FREQ=MONTHLY;BYDAY=-1TU"},
		{"quarter", "2027-02-15", "FREQ=MONTHLY;INTERVAL=3;BYDAY=3MO"},
		{"quarter", "2027-01-29", "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR"},
	} {
		first, err := time.Parse(time.DateOnly, c.first)
		if err != nil {
			t.Fatal(err)
		}
		if got := rhythm(c.every, first); got != c.want {
			t.Errorf("every %s from %s is %s, not %s", c.every, c.first, got, c.want)
		}
	}
}

// TestEscape: what goes in comes out, but for control characters; folding cuts no character.
func TestEscape(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), texting()).Draw(t, "text")
		f := &file{}
		f.line("SUMMARY", escape(text))
		got := parsed(t, f.String())[0].value
		var out strings.Builder
		for i := 0; i < len(got); i++ {
			if got[i] != '\\' {
				out.WriteByte(got[i])
				continue
			}
			if i++; got[i] == 'n' {
				out.WriteByte('\n')
			} else {
				out.WriteByte(got[i])
			}
		}
		want := strings.Map(func(r rune) rune {
			switch {
			case r == '\n':
				return r
			case r == '\t':
				return ' '
			case r == 0x7f || r < ' ' && r != '\r':
				return -1
			}
			return r
		}, strings.ReplaceAll(text, "\r\n", "\n"))
		if want = strings.ReplaceAll(want, "\r", "\n"); out.String() != want {
			t.Fatalf("%q became %q", want, out.String())
		}
	})
}

// TestAnyMeeting: whatever people type, the file stays one.
func TestAnyMeeting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := &agreement.Agreement{Title: texting().Draw(t, "title"), Version: texting().Draw(t, "version"), Meetings: []agreement.Meeting{{
			Name: texting().Draw(t, "name"), Every: "week", First: calendar.Date{Year: 2026, Month: 12, Day: 1}, At: 34200, Zone: "Europe/Berlin", Lasts: time.Hour,
			Who: []string{texting().Draw(t, "who")}, Topics: []string{texting().Draw(t, "topic"), "x"},
		}}}
		text, err := Invitations(a)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(events(parsed(t, string(text)))); n != 1 {
			t.Fatalf("%d events", n)
		}
	})
}

func TestUnknownZone(t *testing.T) {
	t.Parallel()
	if _, err := Invitations(&agreement.Agreement{Meetings: []agreement.Meeting{{Zone: "Mars/Olympus"}}}); err == nil {
		t.Error("a zone that is none is written")
	}
}

// observance is a part of a VTIMEZONE as a client reads it.
type observance struct {
	start time.Time // local, carried in UTC
	to    int
	from  int
	rule  string
	dates []time.Time
}

// offsetAt is what a client takes a local time's offset to be: that of the latest onset before it.
func offsetAt(t *testing.T, all []observance, wall time.Time) int {
	t.Helper()
	var latest time.Time
	offset := all[0].from
	for _, o := range all {
		for _, at := range o.onsets(t, wall.Year()) {
			if !at.After(wall) && at.After(latest) {
				latest, offset = at, o.to
			}
		}
	}
	return offset
}

// onsets until a year, by the rule or by the dates.
func (o observance) onsets(t *testing.T, until int) []time.Time {
	t.Helper()
	out := append([]time.Time{o.start}, o.dates...)
	if o.rule == "" {
		return out
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(o.rule, ";") {
		k, v, _ := strings.Cut(p, "=")
		parts[k] = v
	}
	month, err := strconv.Atoi(parts["BYMONTH"])
	if err != nil || parts["FREQ"] != "YEARLY" {
		t.Fatalf("the rule %q", o.rule)
	}
	code := parts["BYDAY"]
	nth, day := code[:len(code)-2], code[len(code)-2:]
	for year := o.start.Year() + 1; year <= until; year++ {
		var on []time.Time
		for d := time.Date(year, time.Month(month), 1, o.start.Hour(), o.start.Minute(), o.start.Second(), 0, time.UTC); d.Month() == time.Month(month); d = d.AddDate(0, 0, 1) {
			listed := parts["BYMONTHDAY"] == "" || strings.Contains(","+parts["BYMONTHDAY"]+",", fmt.Sprintf(",%d,", d.Day()))
			if weekdayCode(d.Weekday()) == day && listed {
				on = append(on, d)
			}
		}
		switch n, err := strconv.Atoi(nth); {
		case nth == "" && len(on) == 1:
			out = append(out, on[0])
		case err == nil && n > 0:
			out = append(out, on[n-1])
		case err == nil && n < 0:
			out = append(out, on[len(on)+n])
		default:
			t.Fatalf("the rule %q names %v in %d", o.rule, on, year)
		}
	}
	return out
}

// TestZones: a client that reads the file's own zone comes to the instants that the program comes to, in every season of ten years, so that
// half past nine stays half past nine.
func TestZones(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"America/New_York", "Europe/London", "Europe/Dublin", "Europe/Berlin", "Asia/Kolkata", "Asia/Jerusalem", "Australia/Sydney", "Australia/Lord_Howe",
		"America/Sao_Paulo", "America/Santiago", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia", "Asia/Gaza", "Africa/Cairo", "America/Nuuk", "UTC",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &file{}
			if err := f.zone(name, 2026); err != nil {
				t.Fatal(err)
			}
			zone, err := calendar.LoadZone(name)
			if err != nil {
				t.Fatal(err)
			}
			var all []observance
			at := func(s string) time.Time {
				out, err := time.Parse(localForm, s)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			offset := func(s string) int {
				d, err := time.Parse("-0700", s)
				if err != nil {
					t.Fatal(err)
				}
				_, seconds := d.Zone()
				return seconds
			}
			for _, p := range parsed(t, f.String()) {
				last := len(all) - 1
				switch p.name {
				case "BEGIN":
					if p.value != "VTIMEZONE" {
						all = append(all, observance{})
					}
				case "DTSTART":
					all[last].start = at(p.value)
				case "TZOFFSETFROM":
					all[last].from = offset(p.value)
				case "TZOFFSETTO":
					all[last].to = offset(p.value)
				case "RRULE":
					all[last].rule = p.value
				case "RDATE":
					for d := range strings.SplitSeq(p.value, ",") {
						all[last].dates = append(all[last].dates, at(d))
					}
				}
			}
			for wall := time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC); wall.Year() < 2037; wall = wall.AddDate(0, 0, 1) {
				_, want := time.Date(wall.Year(), wall.Month(), wall.Day(), 9, 30, 0, 0, zone).Zone()
				if got := offsetAt(t, all, wall); got != want {
					t.Fatalf("on %s the file is at %d and the zone at %d\n%s", wall, got, want, f.String())
				}
			}
		})
	}
}

// TestSeasons: meetings of the reference stand at the same local time in summer and winter, in a zone that the file brings.
func TestSeasons(t *testing.T) {
	t.Parallel()
	text, err := Invitations(load(t, reference))
	if err != nil {
		t.Fatal(err)
	}
	zones := map[string]bool{}
	for _, p := range parsed(t, string(text)) {
		if p.name == "TZID" {
			zones[p.value] = true
		}
	}
	for _, e := range events(parsed(t, string(text))) {
		start := e["DTSTART"]
		zone, timed := strings.CutPrefix(start.params, "TZID=")
		if timed && (!zones[zone] || strings.HasSuffix(start.value, "Z") || e["DTEND"].params != start.params) {
			t.Errorf("%s starts at %s in %s", e["SUMMARY"].value, start.value, start.params)
		}
		if !timed && start.params != "VALUE=DATE" {
			t.Errorf("%s has the start %+v", e["SUMMARY"].value, start)
		}
	}
}

// FuzzEscape keeps folding honest for bytes that are no text at all.
func FuzzEscape(f *testing.F) {
	f.Add("a;b,c\\d\ne")
	f.Add(strings.Repeat("漢", 40))
	f.Fuzz(func(t *testing.T, text string) {
		x := &file{}
		x.line("SUMMARY", escape(text))
		parsed(t, x.String())
	})
}
