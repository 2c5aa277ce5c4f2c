package agreement

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// clause is a place of the agreement that decides by a condition.
type clause struct {
	what string // for people: the route to "emea"
	// idle says what is the matter when the condition never holds, and stands before it in a sentence.
	idle string
	when *Condition
	// limits are of what the condition can look at where it stands.
	limits limits
	// score says that points have been counted where it stands.
	score bool
	// counts says that it is no choice among several, so that it is of no use when it holds always.
	counts bool
}

// ladder are clauses of which the first that holds decides.
type ladder []clause

// clauses are all conditions of the agreement; a new section that decides by conditions adds its own here.
func (a *Agreement) clauses() []clause {
	out := slices.Concat(a.ruleClauses(), a.stageClauses(), a.otherClauses())
	for _, l := range a.ladders() {
		out = append(out, l...)
	}
	return out
}

// ladders are the sections in which the first condition that holds decides.
func (a *Agreement) ladders() []ladder {
	return []ladder{a.gradeClauses(), a.routeClauses()}
}

func (a *Agreement) ruleClauses() ladder {
	var out ladder
	known := a.limits()
	for _, r := range a.Scoring.Rules {
		c := clause{what: "the rule " + quote(r.Name), idle: "no lead ever gets its points", when: r.When, limits: known, counts: true}
		if r.On != nil {
			c.when, c.idle = r.On, "no touch ever gets its points"
		}
		out = append(out, c)
	}
	return out
}

// stageClauses knows which stage a lead is at when a guard is asked: at the one before it in the funnel, but for the final ones, which
// may be reached from any.
func (a *Agreement) stageClauses() ladder {
	var out ladder
	before := ""
	for i, s := range a.Stages {
		known := a.limits()
		if i > 0 && !s.Final && !s.Recycled {
			stage := unlimited()
			stage.words = []string{before}
			known["stage"] = stage
		}
		if !s.Final && !s.Recycled {
			before = s.Name
		}
		out = append(out, clause{
			what: "the stage " + quote(s.Name), idle: "no lead ever enters the stage " + quote(s.Name), when: s.When, limits: known, score: true, counts: true,
		})
	}
	return out
}

func (a *Agreement) gradeClauses() ladder {
	var out ladder
	known := a.limits()
	for _, g := range a.Grades {
		out = append(out, clause{
			what: "the grade " + quote(g.Name), idle: "no lead ever has the grade " + quote(g.Name), when: g.When, limits: known, score: true,
		})
	}
	return out
}

func (a *Agreement) routeClauses() ladder {
	var out ladder
	known := a.limits()
	for _, r := range a.Handoff.Routes {
		out = append(out, clause{
			what: "the route to " + quote(r.Pool), idle: "no lead ever takes the route to " + quote(r.Pool), when: r.When, limits: known, score: true,
		})
	}
	return out
}

// otherClauses are the conditions of sections in which one does not exclude another.
func (a *Agreement) otherClauses() ladder {
	var out ladder
	known := a.limits()
	add := func(what, idle string, when *Condition, score bool) {
		out = append(out, clause{what: what, idle: idle, when: when, limits: known, score: score, counts: true})
	}
	for _, t := range a.Terms {
		add("the term "+quote(t.Name), "the term "+quote(t.Name)+" is true of no lead", t.When, true)
	}
	if a.ICP != nil {
		add("the ideal customer", "no lead is ever an ideal customer", a.ICP.When, false)
	}
	for _, p := range a.Personas {
		for _, t := range p.Traits {
			add("a trait of "+quote(p.Name), "no lead ever has this trait of "+quote(p.Name), t.When, false)
		}
	}
	for _, e := range a.Scope.Excludes {
		add("the exclusion "+quote(e.Name), "no lead is ever excluded as "+quote(e.Name), e.When, true)
	}
	for _, p := range a.Pools {
		for _, s := range p.Skills {
			add("the skill "+quote(s.Name), "no lead ever asks for the skill "+quote(s.Name), s.When, true)
		}
	}
	return out
}

// unlisted is what a channel is called that the agreement does not list.
const unlisted = "unlisted"

// limits are of leads and touches under the agreement. Stages and sources are not among them: a lead may come from one that an
// earlier version had.
func (a *Agreement) limits() limits {
	channel, grade := unlimited(), unlimited()
	channel.words = append([]string{"", unlisted}, a.Channels...)
	for _, g := range a.Grades {
		grade.words = append(grade.words, g.Name)
	}
	if len(a.Grades) == 0 || a.Grades[len(a.Grades)-1].When != nil {
		grade.words = append(grade.words, "")
	}
	return limits{"channel": channel, "touch.channel": channel, "grade": grade}
}

// Steps that the prover may take: to read one condition, for one question, and for one agreement. A question takes tens, and one on
// hundreds of routes thousands.
const (
	stepsToRead = 6_000
	stepsOfOne  = 50_000
	stepsOfAll  = 4_000_000
)

// prove refuses clauses that decide nothing: their condition can never hold, or those above it leave nothing to them. In a text with
// other faults nothing is taken for known of leads: what limits them may be what is faulty.
func (b *builder) prove() {
	faulty := len(b.list) > 0
	steps := stepsOfAll
	dead := map[*Condition]bool{}
	for _, c := range b.a.clauses() {
		if c.when == nil {
			continue
		}
		if faulty {
			c.limits = nil
		}
		if !c.can(&steps) {
			dead[c.when] = true
			b.add(c.when.fault("the condition can never hold: "+c.idle, c.why()))
		}
	}
	for _, l := range b.a.ladders() {
		if faulty {
			l = slices.Clone(l)
			for i := range l {
				l[i].limits = nil
			}
		}
		l.shadowed(&steps, func(c clause, by []clause) {
			if !dead[c.when] {
				b.add(c.when.fault(c.idle+": "+first(by), "put the narrower condition first, or remove this one"))
			}
		})
	}
}

// can says whether the condition may hold.
func (c clause) can(steps *int) bool {
	return possible(steps, stepsOfOne, c.limits, []*Condition{c.when}, holding)
}

// part is a condition of its own that says what a part of this one says.
func (c *Condition) part(e ast.Expr) *Condition {
	return &Condition{text: c.text, place: c.place, path: c.path, expr: e, variables: c.variables}
}

// fault stands at the condition.
func (c *Condition) fault(message, hint string) Fault {
	return Fault{Line: c.line, Column: c.column, Path: c.path, Message: message, Hint: hint}
}

// shadowed finds the clauses to which those above leave nothing, with as few of them as take all.
func (l ladder) shadowed(steps *int, found func(c clause, by []clause)) {
	if len(l) < 2 {
		return
	}
	var conditions []*Condition
	for _, c := range l {
		conditions = append(conditions, c.when)
	}
	p, claims := newProver(*steps, l[0].limits, conditions...)
	*steps = p.steps
	covered := func(i int, by []int) bool {
		p.steps = min(*steps, stepsOfOne+100*len(by))
		before := p.steps
		goals := []*formula{claims[i].holds}
		for _, j := range by {
			goals = append(goals, claims[j].fails)
		}
		can := p.can(goals...)
		*steps -= before - p.steps
		return !can
	}
	var above []int
	for i, c := range l {
		if c.when == nil {
			continue // the last is for all that are left, were it none
		}
		if len(above) > 0 && covered(i, above) {
			by := slices.Clone(above)
			for j := len(by) - 1; j >= 0 && len(by) > 1; j-- {
				if without := slices.Delete(slices.Clone(by), j, j+1); covered(i, without) {
					by = without
				}
			}
			var names []clause
			for _, j := range by {
				names = append(names, l[j])
			}
			found(c, names)
			continue // what is shadowed takes nothing from those below
		}
		above = append(above, i)
	}
}

// first says of clauses that they are asked before another.
func first(by []clause) string {
	var names []string
	for _, c := range by {
		names = append(names, fmt.Sprintf("%s in line %d", c.what, c.when.line))
	}
	if len(names) == 1 {
		return names[0] + " comes first for every such lead"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " come first for every such lead"
}

// why names the parts of the condition that exclude each other, as few as do.
func (c clause) why() string {
	parts := joined(c.when.expr, operators.LogicalAnd)
	never := func(parts []ast.Expr) bool {
		var conditions []*Condition
		for _, e := range parts {
			conditions = append(conditions, c.when.part(e))
		}
		steps := stepsOfOne
		return !possible(&steps, steps, c.limits, conditions, holding)
	}
	const most = 12 // parts are tried without each; longer conditions explain themselves worse anyway
	if len(parts) > most {
		return ""
	}
	for i := len(parts) - 1; i >= 0 && len(parts) > 1; i-- {
		if without := slices.Delete(slices.Clone(parts), i, i+1); never(without) {
			parts = without
		}
	}
	var words []string
	for _, e := range parts {
		words = append(words, brief(e))
	}
	said := strings.Join(words, " and ")
	if len(parts) > 1 {
		said += " exclude each other"
	} else {
		said += " is true of none"
	}
	for _, reason := range []struct{ sign, why string }{
		{"known(", `a field that is not known reads as "", 0 or false`},
		{".lower()", "lower() leaves no capital letters"},
		{"did(", fmt.Sprintf("did counts 0, 1, 2 … and stops at %d", counted)},
		{"stage", "a guard is asked while the lead is at the stage before"},
	} {
		if strings.Contains(said, reason.sign) {
			said += "; " + reason.why
			break
		}
	}
	return said
}
