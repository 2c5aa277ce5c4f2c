package agreement

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// phrase writes a checked condition, or a part of it, as people write it: one way for all that say the same word for word, but for
// spaces and brackets.
func phrase(e ast.Expr) string { return phraser{}.write(e, 0) }

// brief is phrase, cut where it becomes long.
func brief(e ast.Expr) string {
	const most = 120
	if r := []rune(phrase(e)); len(r) > most {
		return string(r[:most]) + "…"
	}
	return phrase(e)
}

// sense is phrase without the order of what is joined by && and ||, and without the side on which a comparison has its literal.
func sense(e ast.Expr) string { return phraser{ordered: true}.write(e, 0) }

type phraser struct {
	// ordered brings into one order what may stand in any.
	ordered bool
}

// binding is how closely an operator holds together what it joins.
var binding = map[string]int{
	operators.Conditional: 1, operators.LogicalOr: 2, operators.LogicalAnd: 3,
	operators.Equals: 4, operators.NotEquals: 4, operators.Less: 4, operators.LessEquals: 4, operators.Greater: 4, operators.GreaterEquals: 4, operators.In: 4,
	operators.Add: 5, operators.Subtract: 5, operators.Multiply: 6, operators.Divide: 6,
	operators.LogicalNot: 7, operators.Negate: 7,
}

// write is the expression, in brackets when it holds together less closely than what is around it.
func (p phraser) write(e ast.Expr, around int) string {
	switch e.Kind() {
	case ast.IdentKind:
		name := e.AsIdent()
		if call, ok := strings.CutPrefix(name, "@"); ok {
			function, word, _ := strings.Cut(call, ".")
			return function + "(" + strconv.Quote(word) + ")"
		}
		return name
	case ast.LiteralKind:
		switch v := e.AsLiteral().Value().(type) {
		case string:
			return strconv.Quote(v)
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		default:
			return fmt.Sprint(v)
		}
	case ast.ListKind:
		return "[" + strings.Join(p.all(e.AsList().Elements(), 0), ", ") + "]"
	case ast.CallKind:
		return p.call(e, around)
	default:
		return "…" // conditions have no other expressions
	}
}

func (p phraser) all(list []ast.Expr, around int) []string {
	var out []string
	for _, e := range list {
		out = append(out, p.write(e, around))
	}
	return out
}

func (p phraser) call(e ast.Expr, around int) string {
	call := e.AsCall()
	name, args := call.FunctionName(), call.Args()
	own, isOperator := binding[name]
	var out string
	switch {
	case !isOperator && call.IsMemberFunction():
		return p.write(call.Target(), 8) + "." + name + "(" + strings.Join(p.all(args, 0), ", ") + ")"
	case !isOperator:
		return name + "(" + strings.Join(p.all(args, 0), ", ") + ")"
	case name == operators.Conditional && len(args) == 3:
		out = p.write(args[0], own+1) + " ? " + p.write(args[1], own+1) + " : " + p.write(args[2], own)
	case len(args) == 1:
		out = operator(name) + p.write(args[0], own)
	case name == operators.LogicalAnd || name == operators.LogicalOr:
		parts := p.all(joined(e, name), own)
		if p.ordered {
			slices.Sort(parts)
			parts = slices.Compact(parts)
		}
		out = strings.Join(parts, " "+operator(name)+" ")
	default:
		if turned, ok := turn[name]; ok && p.ordered && len(args) == 2 && args[0].Kind() == ast.LiteralKind && args[1].Kind() != ast.LiteralKind {
			name, args = turned, []ast.Expr{args[1], args[0]}
		}
		var parts []string
		for i, a := range args {
			inner := own + min(i, 1)
			if turn[name] != "" {
				inner = own + 1 // a comparison of a comparison is read with brackets
			}
			parts = append(parts, p.write(a, inner))
		}
		out = strings.Join(parts, " "+operator(name)+" ")
	}
	if own < around {
		return "(" + out + ")"
	}
	return out
}

// turn are the comparisons that say the same from the other side.
var turn = map[string]string{
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals, operators.Less: operators.Greater,
	operators.LessEquals: operators.GreaterEquals, operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
}

// joined are the parts that an operator joins, through all levels of it.
func joined(e ast.Expr, op string) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != op {
		return []ast.Expr{e}
	}
	var out []ast.Expr
	for _, a := range e.AsCall().Args() {
		out = append(out, joined(a, op)...)
	}
	return out
}
