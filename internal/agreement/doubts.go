package agreement

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// doubter collects what may stand in an agreement, and is surely not meant.
type doubter struct {
	faults
	a     *Agreement
	steps int
}

// Doubts finds clauses that say nothing, or leave a lead without a promise: conditions that no lead meets because the rules bring too
// few points, rules that count twice, grades without a clock, pools without a route. None keeps the agreement from running. With
// a roster, which may be nil, it also finds teams without people and calendars that nobody uses.
func (a *Agreement) Doubts(r *Roster) []Fault {
	d := &doubter{faults: faults{file: a.file}, a: a, steps: stepsOfAll}
	for _, c := range a.clauses() {
		if c.when != nil {
			d.condition(c)
		}
	}
	d.twice()
	d.grades()
	d.pools()
	d.clocks()
	d.days()
	d.recycling()
	d.coverage()
	if r != nil {
		d.people(r)
	}
	return a.joined.Place(d.sorted())
}

// say puts a doubt where something stands.
func (d *doubter) say(path, message, hint string) {
	at := d.a.places[path]
	d.add(Fault{Line: at.line, Column: at.column, Path: path, Message: message, Hint: hint})
}

// condition looks at what a condition leaves out, or lets in.
func (d *doubter) condition(c clause) {
	scored := c
	if c.score {
		scored.limits = d.a.Scoring.bounded(c.limits)
	}
	if c.score && !scored.can(&d.steps) {
		d.add(c.when.fault(c.idle+": "+d.points(c.when.expr, scored.limits), "give more points, or ask for fewer"))
		return
	}
	parts := joined(c.when.expr, operators.LogicalOr)
	for _, e := range parts {
		if len(parts) == 1 {
			break
		}
		one, bounded := c, scored
		one.when = c.when.part(e)
		bounded.when = one.when
		switch {
		case !one.can(&d.steps):
			d.add(one.when.fault("a part of the condition can never hold: "+brief(e), one.why()))
		case c.score && !bounded.can(&d.steps):
			d.add(one.when.fault("a part of the condition can never hold: "+brief(e)+": "+d.points(e, bounded.limits), "give more points, or ask for fewer"))
		}
	}
	if c.counts && c.when.expr.Kind() != ast.LiteralKind && c.always(&d.steps) {
		d.add(c.when.fault("the condition of "+c.what+" always holds", "write true when that is meant; != with || between lets all through"))
	}
}

// always says whether everyone meets the condition.
func (c clause) always(steps *int) bool {
	known := limits{}
	for name, l := range c.limits {
		if name != "stage" { // it says when the condition is asked, and not of whom
			known[name] = l
		}
	}
	return !possible(steps, stepsOfOne, known, []*Condition{c.when}, failing)
}

// points says what the rules bring of that which a condition asks for.
func (d *doubter) points(e ast.Expr, bounded limits) string {
	if len(d.a.Scoring.Rules) == 0 {
		return "without scoring rules there are no points"
	}
	var all []string
	for _, name := range []string{"score", "fit", "engagement"} {
		asked := false
		ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) { asked = asked || ident(e) == name }))
		if l := bounded[name]; asked && !(math.IsInf(l.least, -1) && math.IsInf(l.most, 1)) {
			all = append(all, name+" "+l.span())
		}
	}
	return "the rules bring a " + strings.Join(all, ", and a ")
}

// twice finds rules that ask the same.
func (d *doubter) twice() {
	first := map[string]Rule{}
	for _, r := range d.a.Scoring.Rules {
		c, key := r.When, "when "
		if r.On != nil {
			c, key = r.On, fmt.Sprint("on ", r.HalfLife, r.Cap, " ") // points that fade otherwise are others
		}
		key += sense(c.expr)
		before, known := first[key]
		if !known {
			first[key] = r
			continue
		}
		place := before.When
		if before.On != nil {
			place = before.On
		}
		d.add(c.fault(fmt.Sprintf("the rule %s asks what the rule %s in %s asks: what meets one counts twice", quote(r.Name), quote(before.Name), elsewhere),
			"add their points up in one rule, or change one of the conditions").naming(place.line))
	}
}

// grades finds those that no lead has, and leads for whom nothing is promised.
func (d *doubter) grades() {
	grades := d.a.Grades
	if len(grades) == 0 {
		return
	}
	var conditions []*Condition
	for _, g := range grades {
		conditions = append(conditions, g.When)
	}
	last := len(grades) - 1
	above := func(claims []claim) []*formula { return failing(claims[:last]) }
	if grades[last].When == nil && last > 0 && !possible(&d.steps, stepsOfOne, d.a.Scoring.bounded(d.a.limits()), conditions, above) {
		d.say("grades."+grades[last].Name, fmt.Sprintf("no lead ever has the grade %s: those before it leave none", quote(grades[last].Name)),
			"remove it, or let one of them take less")
		return
	}
	for i, g := range grades {
		if len(d.a.ClocksFor(g.Name)) == 0 && d.handed(g.Name, conditions, func(claims []claim) []*formula {
			return append(failing(claims[:i]), claims[i].holds)
		}) {
			d.say("grades."+g.Name, fmt.Sprintf("nothing is promised for a lead of grade %s", quote(g.Name)), "name the grade in a clock, or add a clock without grades")
		}
	}
	if grades[last].When != nil && len(d.a.ClocksFor("")) == 0 && d.handed("", conditions, failing) {
		d.say("grades."+grades[last].Name, "a lead may have no grade, and nothing is promised for it", "add a last grade without 'when', or a clock without grades")
	}
}

// handed says whether a lead of the grade, of which the goals are true, can meet the guard of the handoff's stage.
func (d *doubter) handed(grade string, grades []*Condition, goals func([]claim) []*formula) bool {
	i := slices.IndexFunc(d.a.Stages, func(s Stage) bool { return s.Name == d.a.Handoff.At })
	guard := d.a.stageClauses()[i]
	known, given := d.a.Scoring.bounded(guard.limits), unlimited()
	given.words = []string{grade}
	known["grade"] = given
	return possible(&d.steps, stepsOfOne, known, append(slices.Clone(grades), guard.when), func(claims []claim) []*formula {
		return append(goals(claims[:len(grades)]), claims[len(grades)].holds)
	})
}

// pools finds those that no lead comes to.
func (d *doubter) pools() {
	routes := d.a.Handoff.Routes
	led := map[string]bool{}
	for _, r := range routes {
		led[r.Pool] = true
	}
	for _, p := range d.a.Pools {
		if !led[p.Name] {
			d.say("pools."+p.Name, fmt.Sprintf("no route leads to the pool %s", quote(p.Name)), "add a route to it, or remove it")
		}
	}
	above, last := routes[:len(routes)-1], routes[len(routes)-1]
	if len(above) == 0 || slices.ContainsFunc(above, func(r Route) bool { return r.Pool == last.Pool }) {
		return
	}
	var conditions []*Condition
	for _, r := range above {
		conditions = append(conditions, r.When)
	}
	if !possible(&d.steps, stepsOfOne+100*len(above), d.a.limits(), conditions, failing) {
		d.say("pools."+last.Pool, fmt.Sprintf("no lead comes to the pool %s: the routes before the last take all", quote(last.Pool)),
			"let the last route lead to another pool, or take less before it")
	}
}

// clocks finds promises that another makes already, and warnings that come at once.
func (d *doubter) clocks() {
	for i, c := range d.a.Clocks {
		for j, tighter := range d.a.Clocks {
			if i != j && tighter.says(c) && (!c.says(tighter) || j < i) {
				when := "before"
				if tighter.Within == c.Within {
					when = "at the same moment"
				}
				d.say("clocks."+c.Name, fmt.Sprintf("who breaks %s has broken %s %s, with the same remedy", quote(c.Name), quote(tighter.Name), when),
					"remove it, or give it another remedy")
				break
			}
		}
		d.warnings("clocks."+c.Name, c)
	}
	d.warnings("handoff.unassigned", d.a.Handoff.Unassigned)
}

// says whether the promise says all that another does: who keeps it has kept the other, and who breaks the other broke it.
func (c Clock) says(o Clock) bool {
	subset := func(some, of []string) bool {
		return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(of, s) })
	}
	atOnce := o.MetBy
	if o.Count == 1 {
		atOnce = slices.Concat(o.MetBy, o.StopsOn)
	}
	return c.Calendar == o.Calendar && c.Breach == o.Breach && c.Within <= o.Within && c.Count >= o.Count &&
		o.Channels <= c.Channels && o.Least <= c.Least && (o.Most == 0 || c.Most > 0 && c.Most <= o.Most) && (o.Remedies == "" || o.Remedies == c.Remedies) &&
		(len(c.Grades) == 0 || len(o.Grades) > 0 && subset(o.Grades, c.Grades)) && subset(c.StopsOn, o.StopsOn) && subset(c.MetBy, atOnce)
}

func (d *doubter) warnings(path string, c Clock) {
	for i := 1; i < len(c.Warn); i++ {
		at := func(percent int) time.Duration {
			return (c.Within * time.Duration(percent) / 100).Truncate(time.Second)
		}
		if at(c.Warn[i-1]) == at(c.Warn[i]) {
			d.say(path, fmt.Sprintf("the warnings of %s at %d %% and %d %% fall into one second", quote(c.Name), c.Warn[i-1], c.Warn[i]), "keep one")
			return
		}
	}
}

// days finds promises in whole days on a calendar whose day is shorter: 24 hours of office hours are three working days.
func (d *doubter) days() {
	const day = 24 * time.Hour
	look := func(path, what, name string, within time.Duration) {
		spec, ok := d.a.Calendar(name)
		if !ok || within == 0 || within%day != 0 {
			return
		}
		longest := time.Duration(0)
		for _, spans := range spec.Weekly {
			longest = max(longest, opening(spans))
		}
		if longest == 0 || longest >= day {
			return
		}
		d.say(path, fmt.Sprintf("%s gives %s of the hours %s, which open %s a day at most: that takes %s working days or more",
			what, spell(within), quote(name), spell(longest), number(math.Ceil(float64(within)/float64(longest)))),
			"write the hours that are meant, or let it run on a calendar that is open all day")
	}
	for _, c := range d.a.Clocks {
		look("clocks."+c.Name, quote(c.Name), c.Calendar, c.Within)
	}
	for _, r := range d.a.Records {
		look("records."+r.Name, quote(r.Name), r.Calendar, r.Within)
	}
	for _, c := range d.a.Caps {
		look("caps."+c.Name, "the overflow of "+quote(c.Name), c.Calendar, c.Within)
	}
	look("handoff.unassigned", quote(Unassigned), d.a.Handoff.Unassigned.Calendar, d.a.Handoff.Unassigned.Within)
}

// recycling finds a way back that no rejection takes.
func (d *doubter) recycling() {
	for _, s := range d.a.Stages {
		if s.Recycled && !slices.ContainsFunc(d.a.Rejections, func(r Rejection) bool { return r.Recycle }) {
			d.say("stages."+s.Name, fmt.Sprintf("no lead ever comes back to the stage %s: no rejection recycles", quote(s.Name)), "write a reason with recycle under rejections, or remove the stage")
		}
	}
}

// coverage finds what marketing owes material for and has none.
func (d *doubter) coverage() {
	for _, o := range d.a.Obligations {
		if gaps := d.a.Gaps(o.Measure); len(gaps) > 0 {
			d.say("obligations."+o.Name, "no asset serves "+few(gaps), "add one under assets, or name the stages and personas that "+quote(o.Name)+" covers")
		}
	}
}

// few names five, and counts the rest.
func few(names []string) string {
	const shown = 5
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// people finds teams and calendars of the agreement that nobody in the roster is in, or works by.
func (d *doubter) people(r *Roster) {
	teams, used := map[string]bool{}, map[string]bool{}
	for _, name := range d.a.calendarsNamed() {
		used[name] = true
	}
	for _, rep := range r.Reps {
		teams[rep.Team], used[rep.Calendar] = true, true
	}
	for _, p := range d.a.Pools {
		for _, team := range p.Teams {
			if !teams[team] {
				d.say("pools."+p.Name, fmt.Sprintf("nobody is in the team %s of the pool %s", quote(team), quote(p.Name)), "give a rep of the roster that team, or take it out of the pool")
			}
		}
	}
	for _, c := range d.a.Calendars {
		if !used[c.Name] {
			d.say("calendars."+c.Name, fmt.Sprintf("no promise runs on the calendar %s, and nobody works by it", quote(c.Name)), "name it in a clock or in the roster, or remove it")
		}
	}
}

// calendarsNamed are the calendars that clauses run on.
func (a *Agreement) calendarsNamed() []string {
	out := []string{a.Handoff.Unassigned.Calendar}
	for _, c := range a.Clocks {
		out = append(out, c.Calendar)
	}
	for _, c := range a.Caps {
		out = append(out, c.Calendar)
	}
	for _, r := range a.Records {
		out = append(out, r.Calendar)
	}
	for _, o := range a.Obligations {
		out = append(out, o.Calendar)
	}
	for _, g := range a.Goals {
		out = append(out, g.Calendar)
	}
	if a.Disputes != nil {
		out = append(out, a.Disputes.Calendar)
	}
	return out
}
