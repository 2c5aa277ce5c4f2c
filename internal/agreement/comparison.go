package agreement

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Comparison is one place of a condition in which variables meet literals, as score >= 50. Whoever asks what would have made the condition
// answer otherwise finds there which values to try.
type Comparison struct {
	Variables []Variable
	// Operator is ==, !=, <, <=, >, >=, in, contains, startsWith, endsWith or matches, as it reads with the variables on its left; "is" of
	// a flag that stands by itself.
	Operator string
	Literals []any // string, float64 or bool
}

// Variable is something that conditions look at: {lead employees}, {touch kind}, {did won}, {known budget}, or without a subject score,
// stage, channel and the like.
type Variable struct{ Subject, Name string }

// mirrored are the operators that compare, as people write them, and how they read from the other side.
var mirrored = map[string][2]string{
	operators.Equals: {"==", "=="}, operators.NotEquals: {"!=", "!="}, operators.Less: {"<", ">"}, operators.LessEquals: {"<=", ">="},
	operators.Greater: {">", "<"}, operators.GreaterEquals: {">=", "<="}, operators.In: {"in", "in"},
	"contains": {"contains", "contains"}, "startsWith": {"startsWith", "startsWith"}, "endsWith": {"endsWith", "endsWith"}, "matches": {"matches", "matches"},
}

// Comparisons are those of the condition, terms included, in its order; none of one that holds always.
func (c *Condition) Comparisons() []Comparison {
	if c == nil {
		return nil
	}
	var out []Comparison
	ast.PostOrderVisit(c.expr, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			if c.variables[e.AsIdent()].flag != nil {
				out = append(out, Comparison{[]Variable{variableOf(e.AsIdent())}, "is", []any{true, false}})
			}
		case ast.CallKind:
			if reads, ok := mirrored[e.AsCall().FunctionName()]; ok {
				out = append(out, c.comparison(e, reads))
			}
		default: // literals and lists are met where they are compared
		}
	}))
	return slices.DeleteFunc(out, func(c Comparison) bool { return len(c.Variables) == 0 || len(c.Literals) == 0 })
}

// comparison gathers what stands on both sides of an operator.
func (c *Condition) comparison(e ast.Expr, reads [2]string) Comparison {
	out := Comparison{Operator: reads[0]}
	call := e.AsCall()
	sides := call.Args()
	if call.IsMemberFunction() {
		sides = append([]ast.Expr{call.Target()}, sides...)
	}
	for i, side := range sides {
		ast.PostOrderVisit(side, ast.NewExprVisitor(func(e ast.Expr) {
			switch e.Kind() {
			case ast.IdentKind:
				if i > 0 && len(out.Variables) == 0 {
					out.Operator = reads[1]
				}
				out.Variables = append(out.Variables, variableOf(e.AsIdent()))
			case ast.LiteralKind:
				out.Literals = append(out.Literals, e.AsLiteral().Value())
			default: // what they stand in
			}
		}))
	}
	if len(out.Variables) == 1 && out.Variables[0] == (Variable{"", "known"}) && len(out.Literals) == 1 { // "budget" in known
		if field, ok := out.Literals[0].(string); ok {
			return Comparison{[]Variable{{"known", field}}, "is", []any{true, false}}
		}
	}
	return out
}

// variableOf is a variable by the name that CEL sees.
func variableOf(name string) Variable {
	subject, rest, ok := strings.Cut(strings.TrimPrefix(name, "@"), ".")
	if !ok {
		return Variable{Name: name}
	}
	return Variable{subject, rest}
}
