package agreement_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
)

// TestSchemasAreThoseInTheDocs compares what editors are given with the language; LEADPACT_UPDATE=1 writes it anew.
func TestSchemasAreThoseInTheDocs(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]func() ([]byte, error){"agreement": agreement.Schema, "roster": agreement.RosterSchema} {
		want, err := schema()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("..", "..", "docs", "schema", name+".json")
		if os.Getenv("LEADPACT_UPDATE") == "1" {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(t, file); !bytes.Equal(got, want) {
			t.Errorf("%s is not what the language says: run LEADPACT_UPDATE=1 go test ./internal/agreement", file)
		}
	}
}

// TestTheSchemaRefersToWhatItDefines follows every reference.
func TestTheSchemaRefersToWhatItDefines(t *testing.T) {
	t.Parallel()
	text, err := agreement.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	defs, ok := root["$defs"].(map[string]any)
	if !ok || len(defs) < 40 {
		t.Fatalf("%d definitions", len(defs))
	}
	used := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				name := strings.TrimPrefix(ref, "#/$defs/")
				used[name] = true
				if defs[name] == nil {
					t.Errorf("%s is not defined", ref)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(root)
	for name := range defs {
		if !used[name] {
			t.Errorf("%s is defined and not used", name)
		}
	}
}

// TestTheReferenceNamesEveryKey wants each key of the language in the tables of the docs.
func TestTheReferenceNamesEveryKey(t *testing.T) {
	t.Parallel()
	docs := string(read(t, "../../docs/agreement.md"))
	for _, schema := range []func() ([]byte, error){agreement.Schema, agreement.RosterSchema} {
		text, err := schema()
		if err != nil {
			t.Fatal(err)
		}
		var root map[string]any
		if err := json.Unmarshal(text, &root); err != nil {
			t.Fatal(err)
		}
		shapes := map[string]any{"the file": root}
		for name, def := range root["$defs"].(map[string]any) {
			shapes[name] = def
		}
		for name, s := range shapes {
			properties, _ := s.(map[string]any)["properties"].(map[string]any)
			for key := range properties {
				if !strings.Contains(docs, "`"+key+"`") {
					t.Errorf("docs/agreement.md does not name %q of %s", key, name)
				}
			}
		}
	}
}
