package agreement_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
)

// TestEveryClauseHasAnAnswer reads the table of what is asked of an SLA: no row and no cell is missing, and the keys that it names are
// keys of the language.
func TestEveryClauseHasAnAnswer(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, schema := range []func() ([]byte, error){agreement.Schema, agreement.RosterSchema} {
		text, err := schema()
		if err != nil {
			t.Fatal(err)
		}
		var root any
		if err := json.Unmarshal(text, &root); err != nil {
			t.Fatal(err)
		}
		gather(root, keys)
	}
	key := regexp.MustCompile(`(?:^|[{\[,] ?)([a-z_]+)(?::|$)`)
	code := regexp.MustCompile("`([^`]*)`")
	row := 0
	for line := range strings.Lines(string(read(t, "../../docs/clauses.md"))) {
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "| "), " |"), " | ")
		if len(cells) != 4 || cells[0] == "#" || cells[0] == "---" {
			continue
		}
		if row++; cells[0] != fmt.Sprint(row) {
			t.Errorf("row %d is numbered %s", row, cells[0])
		}
		for i, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("row %d: cell %d is empty", row, i+1)
			}
		}
		spans := code.FindAllStringSubmatch(cells[2], -1)
		if len(spans) == 0 {
			t.Errorf("row %d names no clause of the language", row)
		}
		for _, span := range spans {
			for _, k := range key.FindAllStringSubmatch(span[1], -1) {
				if !keys[k[1]] && !named[k[1]] {
					t.Errorf("row %d: the language has no key %q", row, k[1])
				}
			}
		}
	}
	if row != 57 {
		t.Errorf("%d rows, want 57", row)
	}
}

// named are names of the writer's choice and values in the table's examples.
var named = map[string]bool{
	"employees": true, "forms": true, "crm": true, "demand": true, "late": true, "big": true, "mql": true, "bant": true, "accepted": true, "attempt": true, "outcome_reason": true,
}

// gather collects the names of all properties.
func gather(v any, keys map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if properties, ok := v["properties"].(map[string]any); ok {
			for k := range properties {
				keys[k] = true
			}
		}
		for _, inner := range v {
			gather(inner, keys)
		}
	case []any:
		for _, inner := range v {
			gather(inner, keys)
		}
	}
}
