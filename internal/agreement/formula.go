package agreement

import (
	"math"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// formula is a condition as the prover sees it: questions about subjects, joined by all and anyOf. What the condition denies is
// denied in the questions, so that a formula is true exactly when the condition is, errors included: who meets one has no answer, and
// neither the question nor its denial is true.
type formula struct {
	join join
	// parts of one that is joined: all of none are true, any of none is false.
	parts []*formula
	// question of one that is not; in are the cells of the subject in which it is true, once they are cut.
	question question
	in       set
}

type join int

const (
	lone join = iota
	all
	anyOf
)

// question is one that has no smaller parts.
type question struct {
	subject int
	denied  bool
	// lower says that it is asked about the text in lower case.
	lower bool
	// One of these answers about a cell.
	number func(float64) bool
	text   func(string) bool
	flag   func(cell) bool
	// looks says that the text is looked into: of other texts than those that are named, text does not know. how is then its kind
	// and word what it looks for.
	looks     bool
	how, word string
}

// read makes the formula of a condition, or of its denial, and keeps what it compares with.
func (p *prover) read(e ast.Expr, of map[string]variable, denied bool) *formula {
	const cost = 4 // what is read is settled and denied later on
	if p.steps -= cost; p.steps < 0 {
		return p.unread(e, of, denied)
	}
	if e.Kind() == ast.LiteralKind {
		if holds, ok := e.AsLiteral().Value().(bool); ok {
			return truth(holds != denied)
		}
	}
	if name := ident(e); name != "" {
		return p.readFlag(e, name, of, denied)
	}
	if e.Kind() != ast.CallKind {
		return p.unread(e, of, denied)
	}
	call := e.AsCall()
	args, op := call.Args(), call.FunctionName()
	switch {
	case op == operators.LogicalAnd, op == operators.LogicalOr:
		how := all
		if (op == operators.LogicalOr) != denied {
			how = anyOf
		}
		f := &formula{join: how}
		for _, part := range joined(e, op) {
			f.parts = append(f.parts, p.read(part, of, denied))
		}
		return f
	case op == operators.LogicalNot:
		return p.read(args[0], of, !denied)
	case op == operators.Conditional:
		return p.choice(args[0], of, p.reading(args[1], of, denied), p.reading(args[2], of, denied))
	case op == operators.In:
		return p.readMembership(e, args[0], args[1], of, denied)
	case (op == operators.Equals || op == operators.NotEquals) && answers(args[0], of) && answers(args[1], of):
		same := denied == (op == operators.NotEquals)
		return p.choice(args[0], of, p.reading(args[1], of, !same), p.reading(args[1], of, same))
	case call.IsMemberFunction():
		return p.readTest(e, of, denied)
	case len(args) == 2:
		return p.readComparison(e, op, args[0], args[1], of, denied)
	}
	return p.unread(e, of, denied)
}

func (p *prover) reading(e ast.Expr, of map[string]variable, denied bool) func() *formula {
	return func() *formula { return p.read(e, of, denied) }
}

// choice is one formula where a condition holds, and another where it does not.
func (p *prover) choice(when ast.Expr, of map[string]variable, then, otherwise func() *formula) *formula {
	return both(anyOf,
		both(all, p.read(when, of, false), then()),
		both(all, p.read(when, of, true), otherwise()))
}

func both(how join, parts ...*formula) *formula { return &formula{join: how, parts: parts} }

// truth holds always, or never.
func truth(holds bool) *formula {
	if holds {
		return &formula{join: all}
	}
	return &formula{join: anyOf}
}

// answers says whether the expression is true or false, as far as can be seen.
func answers(e ast.Expr, of map[string]variable) bool {
	switch e.Kind() {
	case ast.IdentKind:
		return of[e.AsIdent()].flag != nil
	case ast.LiteralKind:
		_, isFlag := e.AsLiteral().Value().(bool)
		return isFlag
	case ast.CallKind:
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.In, operators.Equals, operators.NotEquals,
			operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
			"contains", "startsWith", "endsWith", "matches":
			return true
		}
	default:
	}
	return false
}

func (p *prover) readFlag(e ast.Expr, name string, of map[string]variable, denied bool) *formula {
	if field, ok := strings.CutPrefix(name, hidden("known", "")); ok {
		return p.readKnown(field, of, denied)
	}
	v, ok := of[name]
	if !ok || v.flag == nil {
		return p.unread(e, of, denied)
	}
	return &formula{question: question{subject: p.subject(name, v), denied: denied, flag: func(c cell) bool { return c.flag }}}
}

func (p *prover) readKnown(field string, of map[string]variable, denied bool) *formula {
	name := "lead." + field
	return &formula{question: question{subject: p.subject(name, of[name]), denied: denied, flag: func(c cell) bool { return !c.unknown }}}
}

func (p *prover) readMembership(e, item, list ast.Expr, of map[string]variable, denied bool) *formula {
	if field, ok := literal(item); ok && ident(list) == "known" && of[hidden("known", field)].flag != nil {
		return p.readKnown(field, of, denied)
	}
	if numbers, ok := literals[float64](list); ok && of[ident(item)].number != nil {
		s := p.subject(ident(item), of[ident(item)])
		for _, n := range numbers {
			p.subjects[s].numbers[n] = true
		}
		return &formula{question: question{subject: s, denied: denied, number: among(numbers)}}
	}
	if texts, ok := literals[string](list); ok {
		if name, lower, ok := textOf(item, of); ok {
			return p.oneOf(name, of[name], lower, texts, denied)
		}
	}
	return p.unread(e, of, denied)
}

// oneOf asks whether a text is one of some.
func (p *prover) oneOf(name string, v variable, lower bool, texts []string, denied bool) *formula {
	s := p.subject(name, v)
	for _, t := range texts {
		if lower {
			p.subjects[s].lower[t] = true
		} else {
			p.subjects[s].texts[t] = true
		}
	}
	return &formula{question: question{subject: s, denied: denied, lower: lower, text: among(texts)}}
}

// among says of values whether they are in the list, which may be long.
func among[T comparable](list []T) func(T) bool {
	in := make(map[T]bool, len(list))
	for _, v := range list {
		in[v] = true
	}
	return func(v T) bool { return in[v] }
}

// textOf is the variable of a text, and whether it is taken in lower case.
func textOf(e ast.Expr, of map[string]variable) (name string, lower, ok bool) {
	for e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "lower" && e.AsCall().IsMemberFunction() {
		e, lower = e.AsCall().Target(), true
	}
	return ident(e), lower, of[ident(e)].text != nil
}

func (p *prover) readTest(e ast.Expr, of map[string]variable, denied bool) *formula {
	call := e.AsCall()
	_, holds, isTest := testOf(e, of)
	name, lower, isText := textOf(call.Target(), of)
	if !isTest || !isText {
		return p.unread(e, of, denied)
	}
	word, _ := literal(call.Args()[0])
	if how := call.FunctionName(); how != "matches" {
		switch {
		case word == "":
			return truth(!denied) // every text has nothing in it
		case lower && strings.ToLower(word) != word:
			return truth(denied) // and none has a capital in it that is in lower case
		}
	}
	return p.look(name, of[name], lower, call.FunctionName(), word, holds, denied)
}

// look asks something of a text that other texts than those which are named may answer either way.
func (p *prover) look(name string, v variable, lower bool, how, word string, holds func(string) bool, denied bool) *formula {
	return &formula{question: question{
		subject: p.subject(name, v), denied: denied, lower: lower, text: holds, looks: true, how: how, word: word,
	}}
}

func (p *prover) readComparison(e ast.Expr, op string, left, right ast.Expr, of map[string]variable, denied bool) *formula {
	if turn[op] == "" {
		return p.unread(e, of, denied)
	}
	if a, ok := constant(left); ok {
		if b, ok := constant(right); ok {
			return truth(compare(op, a, b) != denied)
		}
		left, right, op = right, left, turn[op]
	}
	if n, ok := constant(right); ok && of[ident(left)].number != nil {
		s := p.subject(ident(left), of[ident(left)])
		p.subjects[s].numbers[n] = true
		return &formula{question: question{subject: s, denied: denied, number: func(v float64) bool { return compare(op, v, n) }}}
	}
	word, isWord := literal(right)
	if other, ok := literal(left); ok {
		if isWord {
			return truth(compare(op, other, word) != denied)
		}
		left, word, isWord, op = right, other, true, turn[op]
	}
	name, lower, isText := textOf(left, of)
	if !isWord || !isText {
		return p.unread(e, of, denied)
	}
	if op == operators.Equals || op == operators.NotEquals {
		return p.oneOf(name, of[name], lower, []string{word}, denied == (op == operators.Equals))
	}
	return p.look(name, of[name], lower, op, word, func(t string) bool { return compare(op, t, word) }, denied)
}

// compare answers as CEL does about numbers that are finite, and about texts.
func compare[T float64 | string](op string, a, b T) bool {
	switch op {
	case operators.Equals:
		return a == b
	case operators.NotEquals:
		return a != b
	case operators.Less:
		return a < b
	case operators.LessEquals:
		return a <= b
	case operators.Greater:
		return a > b
	}
	return a >= b
}

// constant is the value of a number that no lead has a part in.
func constant(e ast.Expr) (float64, bool) {
	switch e.Kind() {
	case ast.LiteralKind:
		n, ok := e.AsLiteral().Value().(float64)
		return n, ok
	case ast.CallKind:
		var values []float64
		for _, a := range e.AsCall().Args() {
			n, ok := constant(a)
			if !ok {
				return 0, false
			}
			values = append(values, n)
		}
		n := math.NaN()
		switch op := e.AsCall().FunctionName(); {
		case op == operators.Negate && len(values) == 1:
			n = -values[0]
		case len(values) != 2:
		case op == operators.Add:
			n = values[0] + values[1]
		case op == operators.Subtract:
			n = values[0] - values[1]
		case op == operators.Multiply:
			n = values[0] * values[1]
		case op == operators.Divide:
			n = values[0] / values[1]
		}
		return n, finite(n)
	default:
		return 0, false
	}
}

// unread is a question that is not looked into: it is the same wherever it stands in the same words, and that is all that is known.
func (p *prover) unread(e ast.Expr, of map[string]variable, denied bool) *formula {
	s := p.subject("? "+phrase(e), variable{})
	plain := false // a comparison of two values as they are always has an answer
	if e.Kind() == ast.CallKind && len(e.AsCall().Args()) == 2 && turn[e.AsCall().FunctionName()] != "" {
		_, left := operandOf(e.AsCall().Args()[0], of)
		_, right := operandOf(e.AsCall().Args()[1], of)
		plain = left && right
	}
	if !plain {
		p.subjects[s].fails = true
		p.costly = p.costly || readsTexts(e, of)
	}
	return &formula{question: question{subject: s, denied: denied, flag: func(c cell) bool { return c.flag }}}
}

// readsTexts says whether the expression looks at a text or a list, of which nobody knows how long it is.
func readsTexts(e ast.Expr, of map[string]variable) bool {
	found := false
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		v := of[ident(e)]
		found = found || v.text != nil || v.list != nil
	}))
	return found
}
