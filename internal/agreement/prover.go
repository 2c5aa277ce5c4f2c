package agreement

import "slices"

// prover decides what can be of conditions: whether some lead, or touch, can meet one, and others not. It says "never" only when that
// is certain: what it does not look into, as sums and patterns, may turn out either way. It has so many steps; when they run out,
// everything can be.
//
// Certain means: of leads that are within the limits, whose numbers are finite and whose texts are no longer than leads bring them
// (maxTested), so that no condition costs too much to be answered.
type prover struct {
	steps    int
	limits   limits
	subjects []*subject
	names    map[string]int
	tests    []textTest
	links    map[int][]consequence
	// costly says of what is being read that it may cost more than is allowed.
	costly bool
}

// consequence is what else is so while a subject stays in some cells.
type consequence struct {
	while   set
	subject int
	then    set
}

// claim is what a condition says: holds is true of whoever meets it, fails of whoever does not. Both are exact but for what is not
// looked into.
type claim struct{ holds, fails *formula }

// newProver reads the conditions, and makes a claim of each; nil conditions hold always.
func newProver(steps int, known limits, conditions ...*Condition) (*prover, []claim) {
	p := &prover{steps: steps, limits: known, names: map[string]int{}, links: map[int][]consequence{}}
	read := make([]*formula, len(conditions))
	costly := make([]bool, len(conditions))
	for i, c := range conditions {
		if c == nil {
			read[i] = truth(true)
			continue
		}
		given := min(p.steps, stepsToRead)
		left := p.steps - given
		p.steps, p.costly = given, false
		read[i] = p.read(c.expr, c.variables, false)
		p.steps, costly[i] = left+p.steps, p.costly
	}
	for _, s := range p.subjects {
		s.cut()
	}
	claims := make([]claim, len(conditions))
	for i, f := range read {
		holds := p.settle(f)
		claims[i] = claim{holds: holds, fails: p.fails(holds)}
		if costly[i] {
			claims[i].fails = truth(true) // without an answer
		}
	}
	return p, claims
}

// possible says whether there may be one of whom the goals are true that are made of the claims of the conditions. It takes at most so
// many steps of those that are there.
func possible(steps *int, most int, known limits, conditions []*Condition, goals func([]claim) []*formula) bool {
	given := min(*steps, most)
	p, claims := newProver(given, known, conditions...)
	can := p.can(goals(claims)...)
	*steps -= given - p.steps
	return can
}

// holding are the formulas that are true of whoever meets all the conditions.
func holding(claims []claim) []*formula {
	var out []*formula
	for _, c := range claims {
		out = append(out, c.holds)
	}
	return out
}

// failing are those that are true of whoever meets none of the conditions.
func failing(claims []claim) []*formula {
	var out []*formula
	for _, c := range claims {
		out = append(out, c.fails)
	}
	return out
}

// subject is the place of the subject of that name.
func (p *prover) subject(name string, v variable) int {
	if i, ok := p.names[name]; ok {
		return i
	}
	known, ok := p.limits[name]
	if !ok {
		known = unlimited()
	}
	p.names[name] = len(p.subjects)
	p.subjects = append(p.subjects, newSubject(name, v, known))
	return p.names[name]
}

// cost is how many steps it takes to look at the formula: sets of many cells take longer.
func (f *formula) cost() int { return 1 + len(f.in)/4 }

// fails is true exactly where the formula is not.
func (p *prover) fails(f *formula) *formula {
	if f.join == lone {
		return &formula{question: f.question, in: p.subjects[f.question.subject].all.without(f.in)}
	}
	out := &formula{join: anyOf, parts: make([]*formula, len(f.parts))}
	if f.join == anyOf {
		out.join = all
	}
	for i, part := range f.parts {
		out.parts[i] = p.fails(part)
	}
	return out
}

// can says whether there may be one of whom all the formulas are true.
func (p *prover) can(formulas ...*formula) bool {
	state := make([]set, len(p.subjects))
	for i, s := range p.subjects {
		state[i] = s.all
	}
	return p.search(state, slices.Clone(formulas))
}

// search narrows the state by what must be true, and tries the parts of what may be true in several ways.
func (p *prover) search(state []set, must []*formula) bool {
	var choices []*formula
	for len(must) > 0 {
		f := must[len(must)-1]
		must = must[:len(must)-1]
		if p.steps -= f.cost(); p.steps < 0 {
			return true
		}
		switch f.join {
		case lone:
			if !p.narrow(state, f.question.subject, f.in) {
				return false
			}
		case all:
			must = append(must, f.parts...)
		case anyOf:
			choices = append(choices, f)
		}
		if len(must) > 0 {
			continue
		}
		open := choices[:0]
		for _, f := range choices {
			left, decided := p.left(state, f)
			switch {
			case decided:
			case len(left) == 0:
				return false
			case len(left) == 1:
				must = append(must, left[0])
			case len(left) < len(f.parts):
				open = append(open, both(anyOf, left...))
			default:
				open = append(open, f)
			}
		}
		choices = open
	}
	if len(choices) == 0 {
		return true
	}
	first := 0
	for i, f := range choices {
		if len(f.parts) < len(choices[first].parts) {
			first = i
		}
	}
	parts := choices[first].parts
	rest := slices.Delete(choices, first, first+1)
	for _, part := range parts {
		if p.search(slices.Clone(state), append(slices.Clone(rest), part)) {
			return true
		}
	}
	return false
}

// narrow keeps a subject in some cells; false when none is left.
func (p *prover) narrow(state []set, subject int, in set) bool {
	if state[subject].within(in) {
		return true
	}
	now := state[subject].and(in)
	state[subject] = now
	if now.empty() {
		return false
	}
	for _, c := range p.links[subject] {
		if now.within(c.while) && !p.narrow(state, c.subject, c.then) {
			return false
		}
	}
	return true
}

// left are the parts of a choice that may still be true; decided says that one is for certain.
func (p *prover) left(state []set, choice *formula) (left []*formula, decided bool) {
	for _, part := range choice.parts {
		may, must := p.seen(state, part)
		if must {
			return nil, true
		}
		if may {
			left = append(left, part)
		}
	}
	return left, false
}

// seen says whether the formula may be true in the state, as far as is seen at once, and whether it must be.
func (p *prover) seen(state []set, f *formula) (may, must bool) {
	p.steps -= f.cost()
	if f.join == lone {
		now := state[f.question.subject]
		return now.meets(f.in), now.within(f.in)
	}
	may, must = f.join == all, f.join == all
	for _, part := range f.parts {
		m, c := p.seen(state, part)
		switch {
		case f.join == all && !m:
			return false, false
		case f.join == anyOf && c:
			return true, true
		case f.join == all:
			must = must && c
		default:
			may = may || m
		}
	}
	return may, must
}
