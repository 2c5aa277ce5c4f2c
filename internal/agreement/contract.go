package agreement

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/leadpact/leadpact/internal/preset"
)

// notEnforced is said wherever a clause is shown that no service acts on.
const notEnforced = "not enforced yet"

// Section is a part of the contract in words, so that two versions can be laid side by side and one be printed.
type Section struct {
	Title   string
	Ordered bool // the order of the clauses says something
	Clauses []Clause
	// Pending says that no service acts on it yet.
	Pending bool
}

// Clause is something that has a name in the contract.
type Clause struct {
	// Key finds it in another version.
	Key     string
	Subject string
	Facts   []Fact
	// Teams whose work it is.
	Teams   []string
	Pending bool
}

// Fact is one thing said of it, in words; an empty word says nothing.
type Fact struct{ What, Words string }

// Words are the facts on one line.
func (c Clause) Words() string {
	var all []string
	for _, f := range c.Facts {
		switch {
		case f.Words == "":
		case f.What == "":
			all = append(all, f.Words)
		default:
			all = append(all, f.What+" "+f.Words)
		}
	}
	if len(all) == 0 {
		return c.Subject
	}
	return strings.Join(all, "; ")
}

func (s *Section) add(key, subject string, teams []string, facts ...Fact) {
	s.Clauses = append(s.Clauses, Clause{Key: key, Subject: subject, Facts: facts, Teams: teams})
}

// Contract is the whole agreement in words, in the order in which people read one.
func (a *Agreement) Contract() []Section {
	return []Section{
		a.sayParties(), a.sayTerms(), a.sayPersonas(), a.sayScope(), a.sayServices(), a.sayFields(), a.sayChannels(), a.sayConsent(), a.saySources(), a.sayCalendars(),
		a.sayScoring(), a.sayGrades(), a.sayStages(), a.sayHandoff(), a.sayRoutes(), a.sayPools(), a.sayCaps(), a.sayClocks(), a.sayRecords(),
		a.sayObligations(Marketing), a.sayObligations(Sales), a.sayRejections(), a.sayRemedies(), a.sayAssets(), a.sayGoals(), a.sayMeetings(), a.sayRules(),
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

func (a *Agreement) sayParties() Section {
	return Section{Title: "The agreement", Clauses: []Clause{
		{Key: "title", Subject: "title", Facts: []Fact{{"", a.Title}}},
		{Key: "version", Subject: "version", Facts: []Fact{{"", a.Version}}},
		{Key: "follows", Subject: "follows", Facts: []Fact{{"", a.Follows}}},
		a.UnderWay.say(),
		{Key: "summary", Subject: "summary", Facts: []Fact{{"", a.Summary}}},
		a.Parties.Marketing.say(Marketing), a.Parties.Sales.say(Sales),
	}}
}

func (a *Agreement) sayFields() Section {
	s := Section{Title: "What both want to know of a lead"}
	for _, f := range a.Fields {
		s.Clauses = append(s.Clauses, Clause{Key: f.Name, Subject: f.Name, Facts: []Fact{
			{"", string(f.Type)}, {"believed from", strings.Join(f.Precedence, ", then ")}, {"asked by", notYet(f.Ask)},
		}})
	}
	return s
}

func (a *Agreement) sayChannels() Section {
	s := Section{Title: "Channels"}
	for _, c := range a.Channels {
		s.Clauses = append(s.Clauses, Clause{Key: c, Subject: c})
	}
	return s
}

func (a *Agreement) saySources() Section {
	s := Section{Title: "Where leads come from"}
	for _, source := range a.Sources {
		v := source.Verify
		s.Clauses = append(s.Clauses, Clause{Key: source.Name, Subject: source.Name, Facts: []Fact{
			{"posts as", source.Tool.Name},
			{"proves itself by", v.words()},
			{"secret", strings.Join(v.Secrets, ", ")},
			{"from accounts", strings.Join(source.Accounts, ", ")},
			{"may post", source.Limit.words()},
			{"channel", source.Channel},
			{"may send history", yes(source.History)},
			{"completed with", source.Fetch},
			{"is a witness", yes(source.Witness)},
			{"map", mappingWords(source.own)},
		}})
	}
	return s
}

func (v Verify) words() string {
	words := nonempty(string(v.Kind), v.Algorithm, v.Encoding, v.Header, v.Param, v.Path.String(), quoted(v.Prefix), quoted(v.Signed), v.Part)
	if v.Time != nil {
		words = append(words, "time in", v.Time.Header+v.Time.Part) // it stands in one of the two
		if v.Time.Millis {
			words = append(words, "in milliseconds")
		}
	}
	return strings.Join(words, " ")
}

func (l Limit) words() string {
	if l == (Limit{}) {
		return ""
	}
	return positive(l.PerSecond) + " requests a second, " + strconv.Itoa(l.Burst) + " at once"
}

func mappingWords(m preset.Mapping) string {
	var events []string
	for _, p := range m.Events {
		events = append(events, p.String())
	}
	var all []string
	for _, p := range []Fact{
		{"events", strings.Join(events, ", else ")}, {"id", m.ID.String()}, {"kind", m.Kind.String()}, {"occurred_at", m.OccurredAt.String()},
		{"email", m.Email.String()}, {"external_id", m.ExternalID.String()}, {"name", m.Name.String()}, {"phone", m.Phone.String()},
		{"channel", m.Channel.String()}, {"rep", m.Rep.String()}, {"reason", m.Reason.String()}, {"outcome", m.Outcome.String()},
		{"mode", m.Mode.String()}, {"confidence", m.Confidence.String()},
	} {
		if p.Words != "" {
			all = append(all, p.What+" at "+p.Words)
		}
	}
	for _, name := range sortedKeys(m.Fields) {
		all = append(all, name+" at "+m.Fields[name].String())
	}
	for _, purpose := range sortedKeys(m.Consent) {
		all = append(all, "consent to "+purpose+" at "+m.Consent[purpose].String())
	}
	for _, kind := range sortedKeys(m.Outcomes) {
		all = append(all, kind+" means "+m.Outcomes[kind])
	}
	return strings.Join(all, ", ")
}

func (a *Agreement) sayScoring() Section {
	s := Section{Title: "How leads are scored"}
	for _, g := range a.Scoring.Groups {
		s.Clauses = append(s.Clauses, Clause{Key: "\n" + g.Name, Subject: "group " + g.Name, Facts: []Fact{{"at most", positive(g.Cap)}}, Pending: true})
	}
	for _, r := range a.Scoring.Rules {
		s.Clauses = append(s.Clauses, Clause{Key: r.Name, Subject: r.Name, Facts: []Fact{
			{"", plural(r.Points, "point", "points")}, {"while", r.When.words()}, {"for each touch with", r.On.words()},
			{"halved every", spell(r.HalfLife)}, {"at most", positive(r.Cap)}, {"within group", notYet(r.Group)},
		}})
	}
	return s
}

func (a *Agreement) sayGrades() Section {
	s := Section{Title: "Grades", Ordered: true}
	for _, g := range a.Grades {
		s.Clauses = append(s.Clauses, Clause{Key: g.Name, Subject: "grade " + g.Name, Facts: []Fact{{"", always(g.When)}}})
	}
	return s
}

func (a *Agreement) sayStages() Section {
	s := Section{Title: "The funnel", Ordered: true}
	for _, stage := range a.Stages {
		s.Clauses = append(s.Clauses, Clause{Key: stage.Name, Subject: stage.Name, Facts: []Fact{
			{"when", stage.When.words()}, {"ends the way", yes(stage.Final)}, {"takes back", yes(stage.Recycled)},
			{"answered for by", string(stage.Owner)}, {"followed by", notYet(strings.Join(stage.Next, ", "))},
		}})
	}
	return s
}

func (a *Agreement) sayHandoff() Section {
	u := a.Handoff.Unassigned
	s := Section{Title: "The handoff", Clauses: []Clause{
		{Key: "at", Subject: "marketing's lead becomes sales' at", Facts: []Fact{{"", a.Handoff.At}}, Teams: a.everyone()},
		{Key: "unassigned", Subject: "a lead that nobody can take", Facts: []Fact{
			{"within", spell(u.Within)}, {"hours", u.Calendar}, {"warnings at", percents(u.Warn)},
		}, Teams: a.everyone()},
	}}
	if n := a.Handoff.Needs; len(n.Fields) > 0 || n.Persona || n.Waiver != "" {
		s.Clauses = append(s.Clauses, Clause{Key: "needs", Subject: "what must be known before", Facts: n.facts(), Teams: a.everyone(), Pending: true})
	}
	return s
}

// sayRoutes names a route by its pool, and by its condition too where several lead to the same.
func (a *Agreement) sayRoutes() Section {
	s := Section{Title: "Who gets which lead", Ordered: true}
	count := map[string]int{}
	for _, r := range a.Handoff.Routes {
		count[r.Pool]++
	}
	for _, r := range a.Handoff.Routes {
		t := Clause{Key: r.Pool, Subject: "to pool " + r.Pool, Facts: []Fact{{"", always(r.When)}}, Teams: a.TeamsOf(r.Pool)}
		if count[r.Pool] > 1 {
			t.Key += "\n" + always(r.When)
		}
		s.Clauses = append(s.Clauses, t)
	}
	return s
}

func (a *Agreement) sayPools() Section {
	s := Section{Title: "Pools"}
	for _, p := range a.Pools {
		var skills []string
		for _, skill := range p.Skills {
			skills = append(skills, skill.Name+" when "+skill.When.words())
		}
		s.add(p.Name, "pool "+p.Name, p.Teams, Fact{"teams", strings.Join(p.Teams, ", ")}, Fact{"shares", notYet(p.Rotation)}, Fact{"asks for", notYet(strings.Join(skills, "; "))})
	}
	return s
}

func (a *Agreement) sayClocks() Section {
	s := Section{Title: "What sales promises"}
	for _, c := range a.Clocks {
		subject := c.Name
		switch len(c.Grades) {
		case 0:
		case 1:
			subject += " for grade " + c.Grades[0]
		default:
			subject += " for grades " + strings.Join(c.Grades, ", ")
		}
		need := ""
		if c.Count > 1 {
			need = fmt.Sprintf("%d times", c.Count)
		}
		s.Clauses = append(s.Clauses, Clause{Key: c.Name, Subject: subject, Teams: a.everyone(), Facts: []Fact{
			{"", c.Says}, {"grades", grades(c.Grades)}, {"within", spell(c.Within)}, {"hours", hoursName(c.Calendar)}, {"kept by", strings.Join(c.StopsOn, " or ")}, {"how often", need},
			{"kept at once by", strings.Join(c.MetBy, " or ")}, {"warnings at", percents(c.Warn)}, {"on a breach", string(c.Breach)},
			{"channels", notYet(several(c.Channels))}, {"not sooner after another than", notYet(spell(c.Least))}, {"not later after another than", notYet(spell(c.Most))}, {"remedies", notYet(c.Remedies)},
		}})
	}
	return s
}

func (a *Agreement) sayRejections() Section {
	s := Section{Title: "Why a lead may be given back"}
	for _, r := range a.Rejections {
		to := "to another rep"
		if r.Recycle {
			to = "to marketing"
		}
		s.Clauses = append(s.Clauses, Clause{Key: r.Reason, Subject: r.Reason, Facts: []Fact{{"", to}}, Teams: a.everyone()})
	}
	return s
}

// teamsOf are the teams whose work a clause of that side is.
func (a *Agreement) teamsOf(side Side) []string {
	if side == Sales {
		return a.everyone()
	}
	return nil
}
