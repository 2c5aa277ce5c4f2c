package agreement

import (
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// closure compiles a checked condition to a closure; nil when it says more than comparisons with literals and tests of texts, joined by
// &&, || and !. Most conditions say no more, and closures answer some thirty times faster than CEL.
//
// They answer as CEL does, but for its limit of cost. Comparing with a literal costs no more than the literal is long, which never
// comes near it. A test of a text costs its length times the literal's: texts are those that are tested, and as long as none has
// more than maxTested bytes, the tests of a condition stay below it too. CEL answers about longer ones.
func closure(e ast.Expr, variables map[string]variable) (answer func(view) bool, texts []func(view) string) {
	c := closer{variables: variables}
	answer = c.close(e)
	return answer, c.texts
}

// maxTested times maxCondition, in CEL's units of a tenth of a byte by a quarter, is a fifth of maxCost.
const maxTested = 4096

type closer struct {
	variables map[string]variable
	texts     []func(view) string
}

func (c *closer) close(e ast.Expr) func(view) bool {
	if o, ok := operandOf(e, c.variables); ok {
		return o.flag
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	if o, holds, ok := testOf(e, c.variables); ok {
		c.texts = append(c.texts, o.whole)
		return func(v view) bool { return holds(o.text(v)) }
	}
	call := e.AsCall()
	args, op := call.Args(), call.FunctionName()
	switch op {
	case operators.LogicalAnd, operators.LogicalOr:
		if len(args) != 2 {
			return nil
		}
		a, b := c.close(args[0]), c.close(args[1])
		switch {
		case a == nil || b == nil:
			return nil
		case op == operators.LogicalAnd:
			return func(v view) bool { return a(v) && b(v) }
		}
		return func(v view) bool { return a(v) || b(v) }
	case operators.LogicalNot:
		if a := c.close(args[0]); a != nil {
			return func(v view) bool { return !a(v) }
		}
	case operators.In:
		return membership(args[0], args[1], c.variables)
	default:
		if len(args) == 2 {
			a, isA := operandOf(args[0], c.variables)
			b, isB := operandOf(args[1], c.variables)
			if isA && isB && (a.literal != nil || b.literal != nil) {
				return comparison(op, a.variable, b.variable)
			}
		}
	}
	return nil
}

// testOf reads what looks into a text, as lead.title.contains("VP").
func testOf(e ast.Expr, variables map[string]variable) (o operand, holds func(string) bool, ok bool) {
	call := e.AsCall()
	if !call.IsMemberFunction() || len(call.Args()) != 1 {
		return operand{}, nil, false
	}
	o, isOperand := operandOf(call.Target(), variables)
	word, isLiteral := literal(call.Args()[0])
	if !isOperand || !isLiteral || o.whole == nil {
		return operand{}, nil, false
	}
	switch call.FunctionName() {
	case "contains":
		holds = func(s string) bool { return strings.Contains(s, word) }
	case "startsWith":
		holds = func(s string) bool { return strings.HasPrefix(s, word) }
	case "endsWith":
		holds = func(s string) bool { return strings.HasSuffix(s, word) }
	case "matches":
		pattern, err := regexp.Compile(word)
		if err != nil {
			return operand{}, nil, false
		}
		holds = pattern.MatchString
	}
	return o, holds, holds != nil
}

// operand is one side of a comparison: a variable, its text in lower case, or a literal.
type operand struct {
	variable
	// name tells operands apart; "" for a literal.
	name string
	// whole is a variable's text as it is, before it is put in lower case.
	whole func(view) string
	// literal is a string, a float64 or a bool; nil for a variable.
	literal any
}

func operandOf(e ast.Expr, variables map[string]variable) (operand, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		v, ok := variables[e.AsIdent()]
		return operand{variable: v, name: e.AsIdent(), whole: v.text}, ok && v.list == nil
	case ast.LiteralKind:
		switch literal := e.AsLiteral().Value().(type) {
		case string:
			return operand{variable: variable{text: func(view) string { return literal }}, literal: literal}, true
		case float64:
			return operand{variable: variable{number: func(view) float64 { return literal }}, literal: literal}, true
		case bool:
			return operand{variable: variable{flag: func(view) bool { return literal }}, literal: literal}, true
		}
	case ast.CallKind:
		if call := e.AsCall(); call.FunctionName() == "lower" && call.IsMemberFunction() {
			if o, ok := operandOf(call.Target(), variables); ok && o.whole != nil {
				text := o.text
				o.text = func(v view) string { return strings.ToLower(text(v)) }
				o.name += ".lower()"
				return o, true
			}
		}
	default: // no operand
	}
	return operand{}, false
}

// comparison compares two values of one type; nil when it cannot.
func comparison(op string, a, b variable) func(view) bool {
	switch {
	case a.text != nil && b.text != nil:
		return equality(op, a.text, b.text)
	case a.flag != nil && b.flag != nil:
		return equality(op, a.flag, b.flag)
	case a.number == nil || b.number == nil:
		return nil
	}
	x, y := a.number, b.number
	switch op {
	case operators.Less:
		return func(v view) bool { return x(v) < y(v) }
	case operators.LessEquals:
		return func(v view) bool { return x(v) <= y(v) }
	case operators.Greater:
		return func(v view) bool { return x(v) > y(v) }
	case operators.GreaterEquals:
		return func(v view) bool { return x(v) >= y(v) }
	}
	return equality(op, x, y)
}

func equality[T comparable](op string, a, b func(view) T) func(view) bool {
	switch op {
	case operators.Equals:
		return func(v view) bool { return a(v) == b(v) }
	case operators.NotEquals:
		return func(v view) bool { return a(v) != b(v) }
	}
	return nil
}

// membership is a variable in a list of literals, or a field's name in known.
func membership(item, list ast.Expr, variables map[string]variable) func(view) bool {
	if field, ok := literal(item); ok && ident(list) == "known" {
		return variables[hidden("known", field)].flag
	}
	o, ok := operandOf(item, variables)
	if !ok || o.name == "" {
		return nil
	}
	switch {
	case o.text != nil:
		if all, ok := literals[string](list); ok {
			return func(v view) bool { return slices.Contains(all, o.text(v)) }
		}
	case o.number != nil:
		if all, ok := literals[float64](list); ok {
			return func(v view) bool { return slices.Contains(all, o.number(v)) }
		}
	}
	return nil
}

// literals are the elements of a list of literals of one type; false when it is something else.
func literals[T any](list ast.Expr) ([]T, bool) {
	if list.Kind() != ast.ListKind || len(list.AsList().OptionalIndices()) > 0 {
		return nil, false
	}
	out := make([]T, 0, list.AsList().Size())
	for _, e := range list.AsList().Elements() {
		if e.Kind() != ast.LiteralKind {
			return nil, false
		}
		v, ok := e.AsLiteral().Value().(T)
		if !ok {
			return nil, false
		}
		out = append(out, v)
	}
	return out, true
}
