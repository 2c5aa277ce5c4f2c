package agreement

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
)

// Condition is a compiled question about a lead or a touch. It is immutable and safe for concurrent use; a nil Condition
// holds always.
type Condition struct {
	text    string
	program cel.Program
	fields  []Field
}

// Holds says whether the condition is true of the lead. The error is that of a condition that costs too much on this lead.
func (c *Condition) Holds(l Lead) (bool, error) {
	if c == nil {
		return true, nil
	}
	return c.eval(leadVars{lead: l, fields: c.fields})
}

// Matches says whether the condition is true of the touch. Errors as of Holds.
func (c *Condition) Matches(t Touch) (bool, error) {
	if c == nil {
		return true, nil
	}
	return c.eval(touchVars{touch: t, fields: c.fields})
}

// String is the condition as the agreement has it.
func (c *Condition) String() string {
	if c == nil {
		return ""
	}
	return c.text
}

func (c *Condition) eval(vars cel.Activation) (bool, error) {
	out, _, err := c.program.Eval(vars)
	if err != nil {
		return false, fmt.Errorf("ask whether %q holds: %w", c.text, err)
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("ask whether %q holds: the answer is %s, neither true nor false", c.text, out.Type().TypeName())
	}
	return holds, nil
}

// leadVars and touchVars give CEL the values that a condition names, one by one as it asks for them.
type leadVars struct {
	lead   Lead
	fields []Field
}

type touchVars struct {
	touch  Touch
	fields []Field
}

// Parent implements cel.Activation.
func (leadVars) Parent() cel.Activation { return nil }

// Parent implements cel.Activation.
func (touchVars) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (v leadVars) ResolveName(name string) (any, bool) {
	switch name {
	case "score":
		return v.lead.Score, true
	case "fit":
		return v.lead.Fit, true
	case "engagement":
		return v.lead.Engagement, true
	case "stage":
		return v.lead.Stage, true
	case "grade":
		return v.lead.Grade, true
	case "channel":
		return v.lead.Channel, true
	case "source":
		return v.lead.Source, true
	case "known":
		known := []string{}
		for _, f := range v.fields {
			if _, ok := f.value(v.lead.Fields); ok {
				known = append(known, f.Name)
			}
		}
		return known, true
	}
	if field, ok := strings.CutPrefix(name, "lead."); ok {
		return member(v.fields, v.lead.Fields, field)
	}
	if kind, ok := strings.CutPrefix(name, hidden("did", "")); ok {
		return float64(v.lead.Did[kind]), true
	}
	if field, ok := strings.CutPrefix(name, hidden("known", "")); ok {
		for _, f := range v.fields {
			if f.Name == field {
				_, known := f.value(v.lead.Fields)
				return known, true
			}
		}
	}
	return nil, false
}

// ResolveName implements cel.Activation.
func (v touchVars) ResolveName(name string) (any, bool) {
	switch name {
	case "touch.kind":
		return v.touch.Kind, true
	case "touch.source":
		return v.touch.Source, true
	case "touch.channel":
		return v.touch.Channel, true
	}
	if field, ok := strings.CutPrefix(name, "touch."); ok {
		return member(v.fields, v.touch.Fields, field)
	}
	return nil, false
}

func member(declared []Field, values map[string]any, name string) (any, bool) {
	for _, f := range declared {
		if f.Name == name {
			v, _ := f.value(values)
			return v, true
		}
	}
	return nil, false
}

// value is what is known of the field, or the zero value of its type. A value of another type came in under an agreement
// that declared the field otherwise; it is not known under this one.
func (f Field) value(values map[string]any) (any, bool) {
	switch v := values[f.Name].(type) {
	case string:
		if f.Type == Text {
			return v, true
		}
	case float64:
		if f.Type == Number {
			return v, true
		}
	case bool:
		if f.Type == Flag {
			return v, true
		}
	}
	switch f.Type {
	case Number:
		return 0.0, false
	case Flag:
		return false, false
	case Text:
	}
	return "", false
}
