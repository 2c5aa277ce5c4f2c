package agreement

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// ParseRoster reads and checks a roster by itself; CheckRoster looks at it together with an agreement. When there are faults
// the Roster is nil.
func ParseRoster(name string, text []byte) (*Roster, []Fault) {
	fs, canonical := &faults{file: name}, Canonical(text)
	doc, root := readDocument(text, maxPeople, fs)
	b := &rosterBuilder{reader: reader{faults: fs, doc: doc}, r: &Roster{Text: canonical, Hash: hash(canonical), file: name, places: map[string]place{}}}
	if root != nil {
		b.build(root)
	}
	if list := fs.sorted(); len(list) > 0 {
		return nil, list
	}
	return b.r, nil
}

type rosterBuilder struct {
	reader
	r *Roster
	// zone is where the days of absences begin and end; nil when the file names none.
	zone *time.Location
}

func (b *rosterBuilder) build(root *node) {
	n := b.fields(root, &rosterShape)
	if n == nil {
		return
	}
	if zone := b.reader.zone(n.get("zone")); zone != "" {
		b.zone, _ = calendar.LoadZone(zone) // it was found a moment ago
	}
	for _, p := range b.entries(b.need(n, "teams"), "teams") {
		team := Team{Name: p.key.text}
		if p.value.kind != null {
			if v := b.fields(p.value, &teamShape); v != nil {
				team.Manager = b.text(v.get("manager"))
			}
		}
		b.r.Teams = append(b.r.Teams, team)
	}
	b.r.Calendars = b.readCalendars(n.get("calendars"))
	b.readNotices(n.get("notices"))
	b.readReps(b.need(n, "reps"), keysOf(n.get("teams")), keysOf(n.get("notices")))
	for _, p := range n.pairs {
		b.keep(p.key)
	}
	for _, section := range []string{"calendars", "reps"} {
		if v := n.get(section); v != nil {
			for _, p := range v.pairs {
				b.keep(p.key)
			}
		}
	}
}

// keep remembers where a value stands, for faults that show only together with an agreement.
func (b *rosterBuilder) keep(n *node) { b.r.places[n.path] = n.place }

func (b *rosterBuilder) readReps(n *node, teams, notices []string) {
	if n != nil && n.kind == mapping && len(n.pairs) == 0 {
		b.at(n, "the roster has no reps", "")
	}
	for _, p := range b.entries(n, "reps") {
		v := b.fields(p.value, &repShape)
		if v == nil {
			continue
		}
		rep := Rep{
			ID:       p.key.text,
			Team:     b.ref(b.need(v, "team"), "team", teams),
			Weight:   b.count(v.get("weight"), 1000),
			Capacity: b.count(b.need(v, "capacity"), 100_000),
			Calendar: b.text(v.get("calendar")),
			Notice:   b.ref(v.get("notice"), "notice", notices),
			Skills:   b.skills(v.get("skills")),
		}
		switch rep.Calendar {
		case Always:
			rep.Calendar = ""
		case RepHours:
			b.at(v.get("calendar"), "a rep's calendar is one with hours, not \"rep\"", "")
		case "":
		default:
			b.keep(v.get("calendar"))
		}
		for _, item := range b.rows(v.get("absences"), "absences") {
			if a, ok := b.readAbsence(item); ok {
				rep.Absences = append(rep.Absences, a)
			}
		}
		b.r.Reps = append(b.r.Reps, rep)
	}
}

func (b *rosterBuilder) skills(n *node) []string {
	var out []string
	seen := map[string]place{}
	for _, item := range b.items(n) {
		if skill := b.name(item, seen); skill != "" {
			out = append(out, skill)
		}
	}
	return out
}

func (b *rosterBuilder) readAbsence(n *node) (Absence, bool) {
	v := b.fields(n, &absenceShape)
	if v == nil {
		return Absence{}, false
	}
	from, ok1 := b.moment(b.need(v, "from"), 0)
	to, ok2 := b.moment(b.need(v, "to"), 1)
	a := Absence{From: from, To: to, Why: b.text(v.get("why"))}
	if ok1 && ok2 && !a.From.Before(a.To) {
		b.at(v, "the absence ends before it begins", "")
		return Absence{}, false
	}
	return a, ok1 && ok2
}

// moment reads an instant, or a date: the start of that day, or of a day that many days later. The last day of an absence
// is a day away, so that its end is the start of the next.
func (b *rosterBuilder) moment(n *node, later int) (time.Time, bool) {
	if n == nil {
		return time.Time{}, false
	}
	if t, err := time.Parse(time.RFC3339, n.text); err == nil {
		return t.UTC().Truncate(time.Microsecond), true
	}
	day, err := calendar.ParseDate(n.text)
	switch {
	case n.kind != scalar || err != nil:
		b.at(n, quote(n.text)+" is neither a date nor a time", "write 2026-12-25, or 2026-12-25T13:00:00Z")
	case b.zone == nil:
		b.at(n, "a date needs to know where its day begins", "write zone: Europe/Berlin, or yours, at the top of the roster")
	default:
		return startOfDay(day, later, b.zone), true
	}
	return time.Time{}, false
}

// startOfDay is the first instant of the date some days later. Where the clocks go forward over midnight, that is where the
// gap ends, and time.Date may answer with an instant on either side of it.
func startOfDay(day calendar.Date, later int, zone *time.Location) time.Time {
	date := time.Date(day.Year, day.Month, day.Day+later, 0, 0, 0, 0, time.UTC)
	on := func(t time.Time) bool {
		year, month, day := t.In(zone).Date()
		return year == date.Year() && month == date.Month() && day == date.Day()
	}
	t := time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, zone)
	start, end := t.ZoneBounds()
	for _, change := range []time.Time{start, end} {
		if !change.IsZero() && on(change) && (change.Before(t) || !on(t)) {
			t = change
		}
	}
	return t.UTC()
}

func (b *rosterBuilder) readNotices(n *node) {
	for _, p := range b.entries(n, "notices") {
		v := b.fields(p.value, &noticeShape)
		if v == nil {
			continue
		}
		e := Endpoint{Name: p.key.text, URL: b.address(b.need(v, "url"))}
		if ref := b.need(v, "secret"); ref != nil {
			e.Secret = b.secret(ref)
		}
		b.r.Notices = append(b.r.Notices, e)
	}
}

func (r *reader) address(n *node) string {
	s := r.text(n)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.TrimSpace(s) != s {
		r.at(n, "an address belongs here", "write it as https://host/path")
		return ""
	}
	if u.User != nil {
		r.add(Fault{Line: n.line, Column: n.column, Path: n.path, Secret: true, Message: "the address carries a user or a password", Hint: "the signature proves who calls; remove it"})
		return ""
	}
	return s
}

// CheckRoster finds what does not fit between the agreement and the roster. The faults stand in the roster.
func (a *Agreement) CheckRoster(r *Roster) []Fault {
	fs := &faults{file: r.file}
	at := func(path, message, hint string) {
		p := r.places[path]
		fs.add(Fault{Line: p.line, Column: p.column, Path: path, Message: message, Hint: hint})
	}
	var teams []string
	for _, t := range r.Teams {
		teams = append(teams, t.Name)
	}
	staffed := map[string]bool{}
	for _, rep := range r.Reps {
		staffed[rep.Team] = true
	}
	for _, pool := range a.Pools {
		for _, team := range pool.Teams {
			if !slices.Contains(teams, team) {
				at("teams", fmt.Sprintf("the agreement's pool %q names the team %q, which the roster does not have", pool.Name, team), choose(team, teams))
			}
		}
		if !slices.ContainsFunc(pool.Teams, func(team string) bool { return staffed[team] }) {
			at("reps", fmt.Sprintf("nobody works in the agreement's pool %q", pool.Name), "give a rep one of its teams: "+strings.Join(pool.Teams, ", "))
		}
	}
	a.checkSkills(r, at)
	var calendars []string
	most := map[string]time.Duration{} // that can be promised on each
	for _, c := range a.Calendars {
		calendars = append(calendars, c.Name)
		most[c.Name] = reach(c)
	}
	for _, c := range r.Calendars {
		if slices.Contains(calendars, c.Name) {
			at("calendars."+c.Name, fmt.Sprintf("the agreement has a calendar %q too", c.Name), "choose another name: the agreement's hours are signed")
			continue
		}
		calendars = append(calendars, c.Name)
		most[c.Name] = reach(c)
	}
	var slowest Clock
	for _, c := range a.Clocks {
		if c.Calendar == RepHours && c.Within > slowest.Within {
			slowest = c
		}
	}
	for _, rep := range r.Reps {
		if rep.Calendar == "" {
			continue
		}
		path := "reps." + rep.ID + ".calendar"
		if open, ok := most[rep.Calendar]; !ok {
			at(path, fmt.Sprintf("no calendar is named %s", quote(rep.Calendar)), choose(rep.Calendar, calendars))
		} else if slowest.Within > open {
			at(path, fmt.Sprintf("the calendar %s opens too little to keep the agreement's promise %q", quote(rep.Calendar), slowest.Name),
				fmt.Sprintf("give it more hours: it must open so long in %d years", reachYears))
		}
	}
	return fs.sorted()
}

// checkSkills finds skills that a pool asks for and nobody of it has.
func (a *Agreement) checkSkills(r *Roster, at func(path, message, hint string)) {
	for _, pool := range a.Pools {
		for _, skill := range pool.Skills {
			able := slices.ContainsFunc(r.Reps, func(rep Rep) bool {
				return slices.Contains(pool.Teams, rep.Team) && slices.Contains(rep.Skills, skill.Name)
			})
			if !able {
				at("reps", fmt.Sprintf("nobody in the agreement's pool %q has the skill %q, which it asks for", pool.Name, skill.Name), "give it to a rep: skills: ["+skill.Name+"]")
			}
		}
	}
}
