package agreement

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

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
				said, lines := first(by)
				b.add(c.when.fault(c.idle+": "+said, "put the narrower condition first, or remove this one").naming(lines...))
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

// first says of clauses that they are asked before another, with elsewhere for each of their lines.
func first(by []clause) (said string, lines []int) {
	var names []string
	for _, c := range by {
		names, lines = append(names, c.what+" in "+elsewhere), append(lines, c.when.line)
	}
	if len(names) == 1 {
		return names[0] + " comes first for every such lead", lines
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " come first for every such lead", lines
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
	reason := ""
	for _, e := range parts {
		said := brief(e)
		words = append(words, said)
		switch {
		case strings.HasPrefix(said, "!known(") || strings.HasPrefix(said, "!(") && strings.HasSuffix(said, " in known)"):
			reason = `; a field that is not known reads as "", 0 or false`
		case len(parts) > 1:
		case strings.Contains(said, ".lower()"):
			reason = "; lower() leaves no capital letters"
		case strings.HasPrefix(said, "did("):
			reason = fmt.Sprintf("; did counts 0, 1, 2 … and stops at %d", counted)
		case strings.HasPrefix(said, "stage "):
			reason = "; a guard is asked while the lead is at the stage before"
		}
	}
	if len(parts) > 1 {
		return strings.Join(words, " and ") + " exclude each other" + reason
	}
	return words[0] + " is true of none" + reason
}
