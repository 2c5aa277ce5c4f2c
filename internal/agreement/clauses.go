package agreement

import "slices"

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
	persona := unlimited()
	for _, p := range a.Personas {
		persona.words = append(persona.words, p.Name)
	}
	persona.words = append(persona.words, Unmatched)
	return limits{"channel": channel, "touch.channel": channel, "grade": grade, "persona": persona}
}
