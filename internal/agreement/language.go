package agreement

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The kinds of activities and outcomes: what clocks stop on and did("…") counts.
const (
	Accepted  = "accepted"
	Rejected  = "rejected"
	Attempt   = "attempt"
	Reached   = "reached"
	Qualified = "qualified"
	Won       = "won"
	Lost      = "lost"
)

// Kinds are all of them, in the order in which they tend to happen.
func Kinds() []string {
	return []string{Accepted, Rejected, Attempt, Reached, Qualified, Won, Lost}
}

// leadWords are the variables of conditions on leads, besides the fields.
var leadWords = []string{"score", "fit", "engagement", "stage", "grade", "persona", "channel", "source", "known", "did", "consent", "is"}

// dialect is what one sort of conditions may say.
type dialect struct {
	env *cel.Env
	// variables by the names that CEL sees.
	variables map[string]variable
	subject   string   // lead or touch
	members   []string // what may follow the subject's dot
	words     []string // what else may be named, for hints
}

// vocabulary is what the conditions of one agreement may name.
type vocabulary struct {
	fields   []Field
	channels []string
	sources  []string
	grades   []string
	stages   []string
	personas []string
	purposes []string
}

func (v vocabulary) fieldNames() []string {
	var out []string
	for _, f := range v.fields {
		out = append(out, f.Name)
	}
	return out
}

// language compiles conditions. It is CEL without loops and without other numbers than double: a condition costs at most a
// few passes over the texts that it looks at, and 50, 50.0 and a field are numbers alike.
type language struct {
	words vocabulary
	types map[string]FieldType
	lead  dialect
	touch dialect
	// left is how much text of conditions may still come; checking takes time.
	left int
	// terms are what is("…") may name, and expanded how much text those of the present condition stand for.
	terms     map[string]*meaning
	termNames []string // sorted
	expanded  int
}

// meaning is the condition that a term stands for.
type meaning struct {
	text string   // "" when no rule is bound to it
	expr ast.Expr // parsed; nil before, and when it cannot be
	size int      // of the text with the terms in it
	// open says that it is being defined, and circular that it was met again meanwhile.
	open, tried, circular bool
	used                  bool
}

const (
	// maxCondition bounds one condition, in characters.
	maxCondition = 2000
	// maxConditions bounds all conditions of an agreement together.
	maxConditions = 192 << 10
	// maxCost bounds one evaluation, in CEL's units; an ordinary condition takes some tens.
	maxCost = 1_000_000
)

// newLanguage takes the words that conditions may name, and who tells a lead's persona.
func newLanguage(words vocabulary, persona func(*Lead) string) (*language, error) {
	l := &language{words: words, types: map[string]FieldType{}, left: maxConditions}
	for _, f := range words.fields {
		l.types[f.Name] = f.Type
	}
	functions := []string{"lower", "contains", "startsWith", "endsWith", "matches"}
	l.lead = dialect{
		variables: leadVariables(words, persona), subject: "lead", members: words.fieldNames(),
		words: slices.Concat(leadWords, []string{"lead"}, functions),
	}
	l.touch = dialect{
		variables: touchVariables(words.fields), subject: "touch", members: append(words.fieldNames(), "kind", "source", "channel"),
		words: append(functions, "touch"),
	}
	counters := cel.Macros(l.counter("did", "activity", Kinds()), l.counter("known", "field", words.fieldNames()),
		l.counter("consent", "purpose", words.purposes), cel.GlobalMacro("is", 1, l.term))
	var err error
	if l.lead.env, err = cel.NewCustomEnv(slices.Concat(base(), declarations(l.lead.variables), []cel.EnvOption{counters})...); err != nil {
		return nil, fmt.Errorf("set up the conditions on leads: %w", err)
	}
	if l.touch.env, err = cel.NewCustomEnv(append(base(), declarations(l.touch.variables)...)...); err != nil {
		return nil, fmt.Errorf("set up the conditions on touches: %w", err)
	}
	return l, nil
}

// base is the part of CEL that conditions are written in.
func base() []cel.EnvOption {
	subset := &env.LibrarySubset{DisableMacros: true}
	for _, f := range []string{
		operators.Conditional, operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Equals, operators.NotEquals,
		operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.In,
		operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Negate,
		"contains", "startsWith", "endsWith", "matches",
	} {
		subset.IncludeFunctions = append(subset.IncludeFunctions, env.NewFunction(f))
	}
	return []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(subset)),
		cel.ParserExpressionSizeLimit(maxCondition),
		cel.ParserRecursionLimit(60),
		cel.Function("lower", cel.MemberOverload("text_lower", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(func(v ref.Val) ref.Val {
				s, ok := v.(types.String)
				if !ok {
					return types.MaybeNoSuchOverloadErr(v)
				}
				return types.String(strings.ToLower(string(s)))
			}))),
	}
}

// hidden names the variable behind did("won"); nobody can write it.
func hidden(function, word string) string { return "@" + function + "." + word }

// counter makes did("won") a variable of its own, so that a word which is not in the list is found when the file is read
// and one that never happened counts 0.
func (l *language) counter(function, what string, words []string) cel.Macro {
	return cel.GlobalMacro(function, 1, func(m cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		word, fault := named(m, args[0], function, what, words)
		if fault != nil {
			return nil, fault
		}
		return m.NewIdent(hidden(function, word)), nil
	})
}

// named is the word in quotes that a function takes.
func named(m cel.MacroExprFactory, arg ast.Expr, function, what string, words []string) (string, *cel.Error) {
	word, ok := literal(arg)
	if !ok {
		return "", m.NewError(arg.ID(), fmt.Sprintf("%s takes the name of one %s in quotes", function, what)+hintMark+choose("", words))
	}
	if !slices.Contains(words, word) {
		return "", m.NewError(arg.ID(), fmt.Sprintf("no %s is named %s", what, quote(word))+hintMark+choose(word, words))
	}
	return word, nil
}

// term puts the condition of a term in the place of is("term").
func (l *language) term(m cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	name, fault := named(m, args[0], "is", "term", l.termNames)
	if fault != nil {
		return nil, fault
	}
	t := l.define(name)
	t.used = true
	switch {
	case t.text == "":
		return nil, m.NewError(args[0].ID(), fmt.Sprintf("no rule is bound to the term %s", quote(name))+hintMark+"give it when, stage, bant or checklist")
	case t.open || t.circular:
		t.circular = true
		return nil, m.NewError(args[0].ID(), fmt.Sprintf("the term %s is defined by itself", quote(name))+hintMark+"say it without the term")
	case t.expr == nil && t.size <= maxCondition:
		return m.NewLiteral(types.True), nil // its own fault is reported where it stands
	}
	if l.expanded = min(l.expanded+t.size, maxCondition+1); l.expanded > maxCondition {
		return nil, m.NewError(args[0].ID(), fmt.Sprintf("the condition is too long with its terms: more than %d characters", maxCondition)+hintMark+"use fewer terms, or shorter ones")
	}
	return m.Copy(t.expr), nil
}

// define reads the condition of a term, once, and with it those of the terms that it names. One that has a fault, or for which there is no
// more time, stays without an expression.
func (l *language) define(name string) *meaning {
	t := l.terms[name]
	if t.tried || t.open || t.text == "" || len(t.text) > maxCondition || l.left < 0 {
		return t
	}
	t.open = true
	before := l.expanded
	_, remarks := l.check(l.lead, t.text, nil)
	if t.size = min(len(t.text)+l.expanded, maxCondition+1); len(remarks) == 0 && t.size <= maxCondition {
		l.expanded = 0
		if parsed, issues := l.lead.env.Parse(t.text); issues.Err() == nil { // again: checking rewrites what it reads
			t.expr = parsed.NativeRep().Expr()
		}
	}
	l.left -= t.size
	l.expanded = before
	t.open, t.tried = false, true
	return t
}

// wordsOf are the values that a variable can have, or nil when they are open.
func (l *language) wordsOf(variable string) (what string, words []string) {
	switch variable {
	case "stage":
		return "stage", l.words.stages
	case "grade":
		return "grade", l.words.grades
	case "source", "touch.source":
		return "source", l.words.sources
	case "channel", "touch.channel":
		return "channel", l.words.channels
	case "persona":
		return "persona", l.words.personas
	case "known":
		return "field", l.words.fieldNames()
	}
	return "", nil
}

// remark is a fault within a condition, at a character of its text.
type remark struct {
	line, column  int // line from 1, column from 0, as CEL counts
	message, hint string
}

// compile checks one condition and makes it ready to be asked. barred are variables that may not be looked at here, with the reason.
func (l *language) compile(d dialect, text string, barred map[string]string) (*Condition, []remark) {
	checked, remarks := l.check(d, text, barred)
	if len(remarks) > 0 {
		return nil, remarks
	}
	c := &Condition{text: text, expr: checked.NativeRep().Expr(), variables: d.variables}
	if c.closure, c.texts = closure(c.expr, d.variables); c.closure != nil && len(c.texts) == 0 {
		return c, nil
	}
	var err error
	if c.program, err = d.program(checked); err != nil {
		return nil, []remark{{line: 1, message: "the condition cannot be run: " + err.Error()}}
	}
	return c, nil
}

// program is the condition for CEL to answer.
func (d dialect) program(checked *cel.Ast) (cel.Program, error) {
	return d.env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
}

func (l *language) check(d dialect, text string, barred map[string]string) (*cel.Ast, []remark) {
	l.expanded = 0
	parsed, issues := d.env.Parse(text)
	if issues.Err() != nil {
		return nil, l.explain(d, text, issues)
	}
	onlyDoubles(parsed.NativeRep().Expr())
	checked, issues := d.env.Check(parsed)
	if issues.Err() != nil {
		return nil, l.explain(d, text, issues)
	}
	if remarks := l.review(checked.NativeRep(), text, barred); len(remarks) > 0 {
		return nil, remarks
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		hint := "compare it: score >= 50"
		if t.IsExactType(cel.StringType) {
			hint = `compare it: stage == "mql"`
		}
		if t.IsExactType(cel.DynType) {
			return nil, []remark{{line: 1, message: "the condition may be something else than true or false"}}
		}
		return nil, []remark{{line: 1, message: "the condition is " + typeWord(t.String()) + "; it must be true or false", hint: hint}}
	}
	return checked, nil
}

// onlyDoubles rewrites whole-number literals, so that authors need not know that 50 and 50.0 differ for CEL.
func onlyDoubles(e ast.Expr) {
	factory := ast.NewExprFactory()
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.LiteralKind {
			return
		}
		switch v := e.AsLiteral().(type) {
		case types.Int:
			e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(v)))
		case types.Uint:
			e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(v)))
		}
	}))
}

// review finds what types cannot: values that a variable never has, patterns that do not compile, variables that are not
// decided yet where the condition stands.
func (l *language) review(checked *ast.AST, text string, barred map[string]string) []remark {
	var out []remark
	say := func(e ast.Expr, message, hint string) {
		at := checked.SourceInfo().GetStartLocation(e.ID())
		out = append(out, remark{at.Line(), at.Column(), message, hint})
	}
	word := func(e ast.Expr, what string, words []string) {
		if s, ok := literal(e); ok && !slices.Contains(words, s) {
			say(e, fmt.Sprintf("no %s is named %s", what, quote(s)), choose(s, words))
		}
	}
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind {
			if why, ok := bars(barred, e.AsIdent()); ok {
				message, hint, _ := strings.Cut(why, hintMark)
				say(e, message, hint)
				last := &out[len(out)-1]
				function, _, _ := strings.Cut(strings.TrimPrefix(e.AsIdent(), "@"), ".")
				if strings.HasSuffix(textBefore(text, *last), function) {
					last.column -= len(function) // CEL points at the bracket of a call
				}
			}
			return
		}
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		switch args := call.Args(); call.FunctionName() {
		case operators.Equals, operators.NotEquals:
			for i, a := range args {
				if what, words := l.wordsOf(ident(a)); words != nil {
					word(args[1-i], what, words)
				}
			}
		case operators.In:
			if what, words := l.wordsOf(ident(args[0])); words != nil && args[1].Kind() == ast.ListKind {
				for _, item := range args[1].AsList().Elements() {
					word(item, what, words)
				}
			}
			if ident(args[1]) == "known" {
				word(args[0], "field", l.words.fieldNames())
			}
		case "matches":
			pattern, ok := literal(args[len(args)-1])
			if !ok {
				say(args[len(args)-1], "matches takes a pattern in quotes", "")
			} else if _, err := regexp.Compile(pattern); err != nil {
				say(args[len(args)-1], "the pattern is faulty: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "")
			}
		}
	}))
	return out
}

func ident(e ast.Expr) string {
	if e.Kind() == ast.IdentKind {
		return e.AsIdent()
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().Value().(string)
	return s, ok
}
