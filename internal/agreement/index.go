package agreement

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// index finds the rules that could hold of a lead or match a touch without asking each: under what must be so for a rule's condition
// to be true, as touch.kind == "form", it keeps the rule's place. It leaves out only rules that are sure not to hold.
type index struct {
	// always are the places of rules of which it knows nothing; ascending, as all places.
	always []int
	by     []lookup
}

// lookup keeps places by the values of one variable; the map or flags of its type are used.
type lookup struct {
	variable
	name    string
	texts   map[string][]int
	numbers map[float64][]int
	flags   [2][]int // false, true
}

// key is that an operand has a value.
type key struct {
	operand
	value any // a string, a float64 or a bool
}

// newIndex takes one condition for each place; nil ones are left out for good.
func newIndex(conditions []*Condition) index {
	w := weights{}
	for _, c := range conditions {
		if c != nil {
			w.count(c)
		}
	}
	var x index
	for place, c := range conditions {
		if c == nil {
			continue
		}
		keys := w.needs(c.expr, c.variables)
		if len(keys) == 0 {
			x.always = append(x.always, place)
		}
		for _, k := range keys {
			x.lookup(k.operand).add(k.value, place)
		}
	}
	return x
}

// find appends the places whose conditions could be true, ascending.
func (x *index) find(places []int, of view) []int {
	before := len(places)
	places = append(places, x.always...)
	for i := range x.by {
		places = append(places, x.by[i].find(of)...)
	}
	slices.Sort(places[before:])
	return places[:before+len(slices.Compact(places[before:]))]
}

func (x *index) lookup(o operand) *lookup {
	i := slices.IndexFunc(x.by, func(l lookup) bool { return l.name == o.name })
	if i < 0 {
		i = len(x.by)
		x.by = append(x.by, lookup{variable: o.variable, name: o.name, texts: map[string][]int{}, numbers: map[float64][]int{}})
	}
	return &x.by[i]
}

func (l *lookup) find(of view) []int {
	switch {
	case l.text != nil:
		return l.texts[l.text(of)]
	case l.number != nil:
		return l.numbers[l.number(of)]
	}
	return l.flags[bit(l.flag(of))]
}

func (l *lookup) add(value any, place int) {
	switch v := value.(type) {
	case string:
		l.texts[v] = append(l.texts[v], place)
	case float64:
		l.numbers[v] = append(l.numbers[v], place)
	case bool:
		l.flags[bit(v)] = append(l.flags[bit(v)], place)
	}
}

func bit(flag bool) int {
	if flag {
		return 1
	}
	return 0
}

// weights are the values that conditions ask of each operand. The more there are, the fewer rules a lead meets under one of them.
type weights map[string]map[any]bool

func (w weights) count(c *Condition) {
	ast.PostOrderVisit(c.expr, ast.NewExprVisitor(func(e ast.Expr) {
		for _, k := range keysOfLeaf(e, c.variables) {
			if w[k.name] == nil {
				w[k.name] = map[any]bool{}
			}
			w[k.name][k.value] = true
		}
	}))
}

// of is the share of leads that keys let through, were all values equally frequent.
func (w weights) of(keys []key) float64 {
	sum := 0.0
	for _, k := range keys {
		sum += 1 / float64(1+len(w[k.name]))
	}
	return sum
}

// needs are keys of which one at least is true whenever the condition is; none when it is not known to need any. Of what several
// conjuncts need it takes what lets the fewest through.
func (w weights) needs(e ast.Expr, variables map[string]variable) []key {
	if e.Kind() == ast.CallKind && len(e.AsCall().Args()) == 2 {
		args := e.AsCall().Args()
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd:
			a, b := w.needs(args[0], variables), w.needs(args[1], variables)
			if len(a) == 0 || len(b) > 0 && w.of(b) < w.of(a) {
				return b
			}
			return a
		case operators.LogicalOr:
			a, b := w.needs(args[0], variables), w.needs(args[1], variables)
			if len(a) == 0 || len(b) == 0 {
				return nil
			}
			return append(a, b...)
		}
	}
	return keysOfLeaf(e, variables)
}

// keysOfLeaf is what a condition needs that is not joined of others.
func keysOfLeaf(e ast.Expr, variables map[string]variable) []key {
	if o, ok := operandOf(e, variables); ok && o.flag != nil && o.name != "" {
		return []key{{o, true}}
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	if o, holds, ok := testOf(e, variables); ok {
		if holds("") {
			return nil
		}
		return []key{{o.something(), true}}
	}
	call := e.AsCall()
	args := call.Args()
	switch {
	case call.FunctionName() == operators.LogicalNot:
		if o, ok := operandOf(args[0], variables); ok && o.flag != nil && o.name != "" {
			return []key{{o, false}}
		}
	case call.FunctionName() == operators.In:
		return keysOfMembership(args[0], args[1], variables)
	case len(args) == 2:
		return keysOfComparison(call.FunctionName(), args[0], args[1], variables)
	}
	return nil
}

func keysOfMembership(item, list ast.Expr, variables map[string]variable) []key {
	if field, ok := literal(item); ok && ident(list) == "known" {
		name := hidden("known", field)
		return []key{{operand{variable: variables[name], name: name}, true}}
	}
	o, ok := operandOf(item, variables)
	if !ok || o.name == "" {
		return nil
	}
	var out []key
	if o.text != nil {
		texts, _ := literals[string](list)
		for _, text := range texts {
			out = append(out, key{o, text})
		}
	}
	if o.number != nil {
		numbers, _ := literals[float64](list)
		for _, number := range numbers {
			out = append(out, key{o, number})
		}
	}
	return out
}

// keysOfComparison is the value of an equality. Other comparisons that nothing known would not pass, as lead.employees > 10,
// need that something is known.
func keysOfComparison(op string, left, right ast.Expr, variables map[string]variable) []key {
	a, isA := operandOf(left, variables)
	b, isB := operandOf(right, variables)
	if !isA || !isB || (a.literal == nil) == (b.literal == nil) {
		return nil
	}
	o, value := a, b.literal
	if a.literal != nil {
		o, value = b, a.literal
	}
	if op == operators.Equals {
		return []key{{o, value}}
	}
	nothing := variable{
		text: func(view) string { return "" }, number: func(view) float64 { return 0 }, flag: func(view) bool { return false },
	}
	sides := [2]variable{nothing, b.variable}
	if a.literal != nil {
		sides = [2]variable{a.variable, nothing}
	}
	if passes := comparison(op, sides[0], sides[1]); passes == nil || passes(view{}) {
		return nil
	}
	return []key{{o.something(), true}}
}

// something is whether the operand is not the zero value.
func (o operand) something() operand {
	v := o.variable
	out := operand{name: o.name + " is something"}
	switch {
	case v.text != nil:
		out.flag = func(of view) bool { return v.text(of) != "" }
	case v.number != nil:
		out.flag = func(of view) bool { return v.number(of) != 0 }
	default:
		out.flag = v.flag
	}
	return out
}
