package agreement

import (
	"fmt"
	"slices"
	"strings"
)

// Change is one difference between two versions, in the words of the contract.
type Change struct {
	// Section of the contract: "What sales promises".
	Section string
	// Subject is what changed: "first-call for grade B".
	Subject string
	// What of it: "within". Empty when the whole of it is new or gone.
	What string
	// Before and After in words; empty for what was not there.
	Before, After string
	// Teams whose work changes with it, sorted; none when that cannot be said.
	Teams []string
}

// String is the change on one line: "first-call for grade B, within: 24 hours → 4 hours; affects boston, dublin".
func (c Change) String() string {
	s := c.Subject
	if c.What != "" {
		s += ", " + c.What
	}
	switch {
	case c.Before == "":
		s += ": new: " + c.After
	case c.After == "":
		s += ": gone: " + c.Before
	default:
		s += ": " + c.Before + " → " + c.After
	}
	switch n := len(c.Teams); {
	case n > 3:
		s += fmt.Sprintf("; affects %d teams", n)
	case n > 0:
		s += "; affects " + strings.Join(c.Teams, ", ")
	}
	return s
}

// Diff tells what differs between two versions, in the order of the contract. Comments and the way in which a text is written are no
// difference; what has another place in an order that counts is.
func Diff(before, after *Agreement) []Change {
	var out []Change
	old := before.contract()
	for i, section := range after.contract() {
		out = append(out, section.since(old[i])...)
	}
	return out
}

// section is a part of the contract as things with facts, so that two versions can be laid side by side.
type section struct {
	title   string
	ordered bool // the order of the things says something
	things  []thing
}

// thing is something that has a name in the contract.
type thing struct {
	key     string // by which it is found in another version
	subject string
	facts   []fact
	teams   []string
}

// fact is one thing said of it, in words; an empty word says nothing.
type fact struct{ what, words string }

func (t thing) words() string {
	var all []string
	for _, f := range t.facts {
		switch {
		case f.words == "":
		case f.what == "":
			all = append(all, f.words)
		default:
			all = append(all, f.what+" "+f.words)
		}
	}
	if len(all) == 0 {
		return t.subject
	}
	return strings.Join(all, "; ")
}

func (s section) find(key string) (thing, bool) {
	i := slices.IndexFunc(s.things, func(t thing) bool { return t.key == key })
	if i < 0 {
		return thing{}, false
	}
	return s.things[i], true
}

// since is what changed of a section.
func (s section) since(old section) []Change {
	var out []Change
	var was, is []string // what both have, each in its order
	for _, t := range old.things {
		if _, stays := s.find(t.key); stays {
			was = append(was, t.subject)
			continue
		}
		out = append(out, Change{Section: s.title, Subject: t.subject, Before: t.words(), Teams: sortedTeams(t.teams)})
	}
	for _, t := range s.things {
		before, known := old.find(t.key)
		if !known {
			out = append(out, Change{Section: s.title, Subject: t.subject, After: t.words(), Teams: sortedTeams(t.teams)})
			continue
		}
		is = append(is, before.subject)
		out = append(out, s.changed(before, t)...)
	}
	if s.ordered && !slices.Equal(was, is) {
		out = append(out, Change{Section: s.title, Subject: s.title, What: "order", Before: strings.Join(was, ", "), After: strings.Join(is, ", ")})
	}
	return out
}

// changed is what differs in one thing. Both versions of a thing have the same facts in the same order, some of them empty.
func (s section) changed(before, after thing) []Change {
	var out []Change
	for i, f := range after.facts {
		was := before.facts[i].words
		if was == f.words {
			continue
		}
		c := Change{Section: s.title, Subject: after.subject, What: f.what, Before: was, After: f.words}
		if c.What == "" {
			c.What = "that is"
		}
		c.Before, c.After = against(was, f.words), against(f.words, was)
		c.Teams = sortedTeams(append(slices.Clone(before.teams), after.teams...))
		out = append(out, c)
	}
	return out
}

// against is a word beside the one that it replaces, or is replaced by.
func against(word, other string) string {
	switch {
	case word != "":
		return word
	case other == yes(true):
		return "no"
	}
	return "nothing"
}

func sortedTeams(teams []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(teams)))
}

// contract is the whole agreement in words.
func (a *Agreement) contract() []section {
	return []section{
		a.sayParties(), a.sayFields(), a.sayChannels(), a.saySources(), a.sayCalendars(), a.sayScoring(), a.sayGrades(), a.sayStages(),
		a.sayHandoff(), a.sayRoutes(), a.sayPools(), a.sayClocks(), a.sayRejections(), a.sayVolumes(),
	}
}

// everyone is every team of every pool: whoever may have a lead.
func (a *Agreement) everyone() []string {
	var out []string
	for _, p := range a.Pools {
		out = append(out, p.Teams...)
	}
	return out
}

func (a *Agreement) sayParties() section {
	return section{title: "The agreement", things: []thing{
		{key: "title", subject: "title", facts: []fact{{"", a.Title}}},
		{key: "version", subject: "version", facts: []fact{{"", a.Version}}},
		a.Parties.Marketing.say(Marketing), a.Parties.Sales.say(Sales),
	}}
}

func (a *Agreement) sayFields() section {
	s := section{title: "What both want to know of a lead"}
	for _, f := range a.Fields {
		s.things = append(s.things, thing{key: f.Name, subject: f.Name, facts: []fact{
			{"", string(f.Type)}, {"believed from", strings.Join(f.Precedence, ", then ")},
		}})
	}
	return s
}

func (a *Agreement) sayChannels() section {
	s := section{title: "Channels"}
	for _, c := range a.Channels {
		s.things = append(s.things, thing{key: c, subject: c})
	}
	return s
}

func (a *Agreement) saySources() section {
	s := section{title: "Where leads come from"}
	for _, source := range a.Sources {
		v := source.Verify
		s.things = append(s.things, thing{key: source.Name, subject: source.Name, facts: []fact{
			{"writes", string(source.Format)},
			{"proves itself by", strings.Join(nonempty(string(v.Kind), v.Algorithm, v.Encoding, v.Header, quoted(v.Prefix)), " ")},
			{"secret", strings.Join(v.Secrets, ", ")},
			{"channel", source.Channel},
			{"may send history", yes(source.History)},
			{"map", source.Map.words()},
		}})
	}
	return s
}

func (m Mapping) words() string {
	var all []string
	for _, p := range []fact{
		{"events", m.Events}, {"id", m.ID}, {"kind", m.Kind}, {"occurred_at", m.OccurredAt}, {"email", m.Email}, {"external_id", m.ExternalID},
		{"name", m.Name}, {"phone", m.Phone}, {"channel", m.Channel}, {"rep", m.Rep}, {"reason", m.Reason},
	} {
		if p.words != "" {
			all = append(all, p.what+" at "+p.words)
		}
	}
	for _, kind := range []struct {
		verb string
		of   map[string]string
	}{{" at ", m.Fields}, {" means ", m.Outcomes}} {
		for _, name := range sortedKeys(kind.of) {
			all = append(all, name+kind.verb+kind.of[name])
		}
	}
	return strings.Join(all, ", ")
}

func (a *Agreement) sayScoring() section {
	s := section{title: "How leads are scored"}
	for _, r := range a.Scoring.Rules {
		s.things = append(s.things, thing{key: r.Name, subject: r.Name, facts: []fact{
			{"", plural(r.Points, "point", "points")}, {"while", r.When.words()}, {"for each touch with", r.On.words()},
			{"halved every", spell(r.HalfLife)}, {"at most", positive(r.Cap)},
		}})
	}
	return s
}

func (a *Agreement) sayGrades() section {
	s := section{title: "Grades", ordered: true}
	for _, g := range a.Grades {
		s.things = append(s.things, thing{key: g.Name, subject: "grade " + g.Name, facts: []fact{{"", always(g.When)}}})
	}
	return s
}

func (a *Agreement) sayStages() section {
	s := section{title: "The funnel", ordered: true}
	for _, stage := range a.Stages {
		s.things = append(s.things, thing{key: stage.Name, subject: stage.Name, facts: []fact{
			{"when", stage.When.words()}, {"ends the way", yes(stage.Final)}, {"takes back", yes(stage.Recycled)},
		}})
	}
	return s
}

func (a *Agreement) sayHandoff() section {
	u := a.Handoff.Unassigned
	return section{title: "The handoff", things: []thing{
		{key: "at", subject: "marketing's lead becomes sales' at", facts: []fact{{"", a.Handoff.At}}, teams: a.everyone()},
		{key: "unassigned", subject: "a lead that nobody can take", facts: []fact{
			{"within", spell(u.Within)}, {"hours", u.Calendar}, {"warnings at", percents(u.Warn)},
		}, teams: a.everyone()},
	}}
}

// sayRoutes names a route by its pool, and by its condition too where several lead to the same.
func (a *Agreement) sayRoutes() section {
	s := section{title: "Who gets which lead", ordered: true}
	count := map[string]int{}
	for _, r := range a.Handoff.Routes {
		count[r.Pool]++
	}
	for _, r := range a.Handoff.Routes {
		t := thing{key: r.Pool, subject: "to pool " + r.Pool, facts: []fact{{"", always(r.When)}}, teams: a.TeamsOf(r.Pool)}
		if count[r.Pool] > 1 {
			t.key += "\n" + always(r.When)
		}
		s.things = append(s.things, t)
	}
	return s
}

func (a *Agreement) sayPools() section {
	s := section{title: "Pools"}
	for _, p := range a.Pools {
		s.things = append(s.things, thing{key: p.Name, subject: "pool " + p.Name, facts: []fact{{"teams", strings.Join(p.Teams, ", ")}}, teams: p.Teams})
	}
	return s
}

func (a *Agreement) sayClocks() section {
	s := section{title: "What sales promises"}
	for _, c := range a.Clocks {
		subject := c.Name
		switch len(c.Grades) {
		case 0:
		case 1:
			subject += " for grade " + c.Grades[0]
		default:
			subject += " for grades " + strings.Join(c.Grades, ", ")
		}
		hours := c.Calendar
		if hours == RepHours {
			hours = "of the rep"
		}
		need := ""
		if c.Count > 1 {
			need = fmt.Sprintf("%d times", c.Count)
		}
		s.things = append(s.things, thing{key: c.Name, subject: subject, teams: a.everyone(), facts: []fact{
			{"grades", grades(c.Grades)}, {"within", spell(c.Within)}, {"hours", hours}, {"kept by", strings.Join(c.StopsOn, " or ")}, {"how often", need},
			{"kept at once by", strings.Join(c.MetBy, " or ")}, {"warnings at", percents(c.Warn)}, {"on a breach", string(c.Breach)},
		}})
	}
	return s
}

func (a *Agreement) sayRejections() section {
	s := section{title: "Why a lead may be given back"}
	for _, r := range a.Rejections {
		to := "to another rep"
		if r.Recycle {
			to = "to marketing"
		}
		s.things = append(s.things, thing{key: r.Reason, subject: r.Reason, facts: []fact{{"", to}}, teams: a.everyone()})
	}
	return s
}

func (a *Agreement) sayVolumes() section {
	s := section{title: "What marketing promises"}
	for _, v := range a.Volumes {
		s.things = append(s.things, thing{key: v.Name, subject: v.Name, facts: []fact{
			{"stage", v.Stage}, {"each rep and month", fmt.Sprint(v.PerRep)}, {"not below", share(v.Floor)},
		}})
	}
	return s
}
