package agreement

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// Condition is a compiled question about a lead or a touch. It is immutable and safe for concurrent use; a nil Condition
// holds always.
type Condition struct {
	text string
	// Where it stands in the agreement.
	place
	path      string
	expr      ast.Expr // checked
	variables map[string]variable
	// closure answers; where it cannot program does: when it is nil, or one of the texts is long.
	closure func(view) bool
	texts   []func(view) string
	program cel.Program // nil when it is never needed
}

// Holds says whether the condition is true of the lead. The error is that of a condition that costs too much on this lead.
func (c *Condition) Holds(l *Lead) (bool, error) { return c.ask(view{lead: l}) }

// Matches says whether the condition is true of the touch. Errors as of Holds.
func (c *Condition) Matches(t *Touch) (bool, error) { return c.ask(view{touch: t}) }

// String is the condition as the agreement has it.
func (c *Condition) String() string {
	if c == nil {
		return ""
	}
	return c.text
}

func (c *Condition) ask(of view) (bool, error) {
	switch {
	case c == nil:
		return true, nil
	case c.closure != nil && !c.long(of):
		return c.closure(of), nil
	}
	out, _, err := c.program.Eval(activation{of, c.variables})
	if err != nil {
		return false, fmt.Errorf("ask whether %q holds: %w", c.text, err)
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("ask whether %q holds: the answer is %s, neither true nor false", c.text, out.Type().TypeName())
	}
	return holds, nil
}

// long says whether one of the texts that the closure looks into may be too long for it.
func (c *Condition) long(of view) bool {
	for _, text := range c.texts {
		if len(text(of)) > maxTested {
			return true
		}
	}
	return false
}
