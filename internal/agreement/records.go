package agreement

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Record is what somebody writes down about a lead, and until when: research before an attempt, the fields that a stage asks for, the
// review of a deal that is won or lost.
type Record struct {
	Name  string
	Says  string
	Party Side
	// Stage is where its time begins; empty at the handoff.
	Stage string
	// Grades it holds for; empty means all.
	Grades []string
	// Fields that must be known.
	Fields   []string
	Within   time.Duration
	Calendar string
	// BeforeAttempt says that it comes before the attempt of this number; 0 before none.
	BeforeAttempt int
	Remedies      string // or ""
}

func (b *builder) readRecords(n *node) {
	b.pending(n, "records")
	for _, item := range b.rows(n, "records") {
		v := b.fields(item, &recordShape)
		if v == nil {
			continue
		}
		r := Record{
			Name: b.name(b.need(v, "name"), b.promisedAt), Says: b.prose(v.get("says")), Party: b.side(b.need(v, "party")),
			Stage: b.ref(v.get("stage"), "stage", b.words.stages), Grades: b.refs(v.get("grades"), "grade", b.words.grades),
			Fields: b.some(b.need(v, "fields"), "field", b.fieldNames), Within: b.duration(b.need(v, "within")),
			Calendar: b.ref(b.need(v, "calendar"), "calendar", append(slices.Clone(b.calendars), RepHours)),
			Remedies: b.ladder(v.get("remedies")),
		}
		if before := v.get("before_attempt"); before != nil {
			r.BeforeAttempt = b.count(before, 1000)
		}
		b.checkReach(v, Clock{Calendar: r.Calendar, Within: r.Within})
		b.checkResearch(v, r)
		b.a.Records = append(b.a.Records, r)
	}
}

// some are names of which there is one at least.
func (b *builder) some(n *node, what string, declared []string) []string {
	if n != nil && len(b.items(n)) == 0 {
		b.at(n, "nothing is named here", "name a "+what)
	}
	return b.refs(n, what, declared)
}

// checkResearch refuses what is due after the attempt that it comes before: a promise of an attempt runs out first, whatever the day. Open
// time runs no faster than the wall's.
func (b *builder) checkResearch(v *node, r Record) {
	for _, c := range b.a.Clocks {
		if r.BeforeAttempt == 0 || r.Stage != "" || c.Count < r.BeforeAttempt || !slices.Contains(c.StopsOn, Attempt) ||
			c.Calendar != Always && c.Calendar != r.Calendar || !gradesMeet(r.Grades, c.Grades) {
			continue
		}
		if r.Within > c.Within {
			b.at(v.get("within"), fmt.Sprintf("the research is due after %s, and the attempt that it comes before is promised within %s (%s)",
				spell(r.Within), spell(c.Within), quote(c.Name)), "ask for it earlier, or before a later attempt")
			return
		}
	}
}

func gradesMeet(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(g string) bool { return slices.Contains(b, g) })
}

func (a *Agreement) sayRecords() Section {
	s := Section{Title: "What is written down", Pending: true}
	for _, r := range a.Records {
		from, before := r.Stage, ""
		if from == "" {
			from = "the handoff"
		}
		if r.BeforeAttempt > 0 {
			before = fmt.Sprintf("attempt %d", r.BeforeAttempt)
		}
		s.add(r.Name, r.Name, a.teamsOf(r.Party), Fact{"", r.Says}, Fact{"by", string(r.Party)}, Fact{"fields", strings.Join(r.Fields, ", ")}, Fact{"grades", grades(r.Grades)},
			Fact{"from", from}, Fact{"within", spell(r.Within)}, Fact{"hours", hoursName(r.Calendar)}, Fact{"before", before}, Fact{"remedies", r.Remedies})
	}
	return s
}
