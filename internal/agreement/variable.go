package agreement

import (
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// view is what a condition is asked about: a lead or a touch. It is two pointers, so that asking allocates nothing.
type view struct {
	lead  *Lead
	touch *Touch
}

// variable reads one thing that conditions may name; the reader of its type is set. A field whose type is faulty has none.
type variable struct {
	text   func(view) string
	number func(view) float64
	flag   func(view) bool
	list   func(view) []string
}

// leadVariables are what conditions on leads may name, by the names that CEL sees.
func leadVariables(words vocabulary, persona func(*Lead) string) map[string]variable {
	declared := words.fields
	out := map[string]variable{
		"score":      {number: func(v view) float64 { return v.lead.Score }},
		"fit":        {number: func(v view) float64 { return v.lead.Fit }},
		"engagement": {number: func(v view) float64 { return v.lead.Engagement }},
		"stage":      {text: func(v view) string { return v.lead.Stage }},
		"grade":      {text: func(v view) string { return v.lead.Grade }},
		"persona":    {text: func(v view) string { return persona(v.lead) }},
		"channel":    {text: func(v view) string { return v.lead.Channel }},
		"source":     {text: func(v view) string { return v.lead.Source }},
		"known": {list: func(v view) []string {
			names := []string{}
			for _, f := range declared {
				if f.known(v.lead.Fields) {
					names = append(names, f.Name)
				}
			}
			return names
		}},
	}
	for _, kind := range Kinds() {
		out[hidden("did", kind)] = variable{number: func(v view) float64 { return float64(v.lead.Did[kind]) }}
	}
	for _, purpose := range words.purposes {
		out[hidden("consent", purpose)] = variable{flag: func(v view) bool { return v.lead.Granted[purpose] }}
	}
	for _, f := range declared {
		out["lead."+f.Name] = f.variable(func(v view) map[string]any { return v.lead.Fields })
		out[hidden("known", f.Name)] = variable{flag: func(v view) bool { return f.known(v.lead.Fields) }}
	}
	return out
}

// touchVariables are what conditions on touches may name.
func touchVariables(declared []Field) map[string]variable {
	out := map[string]variable{
		"touch.kind":    {text: func(v view) string { return v.touch.Kind }},
		"touch.source":  {text: func(v view) string { return v.touch.Source }},
		"touch.channel": {text: func(v view) string { return v.touch.Channel }},
	}
	for _, f := range declared {
		out["touch."+f.Name] = f.variable(func(v view) map[string]any { return v.touch.Fields })
	}
	return out
}

// variable reads what is known of the field, or the zero value of its type. A value of another type came in under an agreement
// that declared the field otherwise; it is not known under this one.
func (f Field) variable(of func(view) map[string]any) variable {
	switch f.Type {
	case Text:
		return variable{text: func(v view) string {
			s, _ := of(v)[f.Name].(string)
			return s
		}}
	case Number:
		return variable{number: func(v view) float64 {
			n, _ := of(v)[f.Name].(float64)
			if !finite(n) {
				return 0
			}
			return n
		}}
	case Flag:
		return variable{flag: func(v view) bool {
			b, _ := of(v)[f.Name].(bool)
			return b
		}}
	}
	return variable{}
}

func (f Field) known(values map[string]any) bool {
	switch v := values[f.Name].(type) {
	case string:
		return f.Type == Text
	case float64:
		return f.Type == Number && finite(v)
	case bool:
		return f.Type == Flag
	}
	return false
}

// finite says whether n can be compared: CEL gives no answer about what is no number.
func finite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }

// cel is the variable's type in conditions. One without a reader takes any, so that its fault is said once.
func (v variable) cel() *cel.Type {
	switch {
	case v.text != nil:
		return cel.StringType
	case v.number != nil:
		return cel.DoubleType
	case v.flag != nil:
		return cel.BoolType
	case v.list != nil:
		return cel.ListType(cel.StringType)
	}
	return cel.DynType
}

// value is what CEL gets to see.
func (v variable) value(of view) ref.Val {
	switch {
	case v.text != nil:
		return types.String(v.text(of))
	case v.number != nil:
		return types.Double(v.number(of))
	case v.flag != nil:
		return types.Bool(v.flag(of))
	case v.list != nil:
		return types.NewStringList(types.DefaultTypeAdapter, v.list(of))
	}
	return types.String("")
}

// declarations tells CEL the variables.
func declarations(variables map[string]variable) []cel.EnvOption {
	var out []cel.EnvOption
	for name, v := range variables {
		out = append(out, cel.Variable(name, v.cel()))
	}
	return out
}

// activation gives CEL the values that a condition names, one by one as it asks for them.
type activation struct {
	view
	variables map[string]variable
}

// Parent implements cel.Activation.
func (activation) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	v, ok := a.variables[name]
	if !ok {
		return nil, false
	}
	return v.value(a.view), true
}
