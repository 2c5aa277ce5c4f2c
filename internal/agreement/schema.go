package agreement

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Schema is the JSON Schema (draft 2020-12) of agreements, for editors that complete and mark the file while it is written. It says
// which keys there are and what stands there; what belongs together the check says.
func Schema() ([]byte, error) { return schemaOf("A leadpact agreement", &agreementShape) }

// RosterSchema is that of rosters.
func RosterSchema() ([]byte, error) { return schemaOf("A leadpact roster", &rosterShape) }

func schemaOf(title string, root *shape) ([]byte, error) {
	defs := map[string]any{}
	root.define(defs)
	out := root.schema()
	delete(defs, root.id())
	out["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	out["title"] = title
	out["$defs"] = defs
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// define adds the shape and all that it refers to.
func (s *shape) define(defs map[string]any) {
	if _, known := defs[s.id()]; known {
		return
	}
	defs[s.id()] = s.schema()
	for _, m := range s.keys {
		for _, inner := range m.form.shapes {
			inner.define(defs)
		}
	}
}

func (s *shape) schema() map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, m := range s.keys {
		property := map[string]any{}
		for k, v := range m.form.schema {
			property[k] = v
		}
		if m.says != "" {
			property["description"] = m.says
		}
		properties[m.key] = property
		if m.need {
			required = append(required, m.key)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	if s.single {
		out["minProperties"], out["maxProperties"] = 1, 1
	}
	return out
}

// id is the shape's name in the schema: "scoring-rule".
func (s *shape) id() string {
	words := strings.Fields(s.what)
	if len(words) > 1 && (words[0] == "a" || words[0] == "an" || words[0] == "the") {
		words = words[1:]
	}
	return strings.Join(words, "-")
}

func reference(s *shape) map[string]any { return map[string]any{"$ref": "#/$defs/" + s.id()} }
