package agreement_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/preset"
)

// TestExamples reads every pair of files that users are shown.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/examples/*/agreement.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("find the examples: %v, %v", files, err)
	}
	for _, file := range append(files, "../../services/leadpact/demo/agreement.yaml") {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			t.Parallel()
			a, _, faults, err := agreement.Load(file, os.ReadFile)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range faults {
				t.Error(f)
			}
			file := filepath.Join(filepath.Dir(file), "roster.yaml")
			r, faults := agreement.ParseRoster(file, read(t, file))
			for _, f := range faults {
				t.Error(f)
			}
			if a == nil || r == nil {
				t.FailNow()
			}
			for _, f := range a.CheckRoster(r) {
				t.Error(f)
			}
			if strings.Contains(file, "/history/") {
				return // of the past, when other hours were promised
			}
			alone, err := a.Understaffed(r, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range alone {
				t.Error(f)
			}
		})
	}
	rosters, err := filepath.Glob("../../docs/examples/*/roster.yaml")
	if err != nil || len(rosters) != len(files) {
		t.Errorf("the examples have agreements %v and rosters %v; each has both", files, rosters)
	}
}

// TestExampleSources wants sources that work as they stand.
func TestExampleSources(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/examples/*/agreement.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("find the examples: %v, %v", files, err)
	}
	for _, file := range files {
		a, _, faults, err := agreement.Load(file, os.ReadFile)
		if a == nil {
			t.Fatal(err, faults)
		}
		for _, s := range a.Sources {
			if len(s.Verify.Secrets) != 1 {
				t.Errorf("%s: source %s has %d secrets: a second one that is not set shuts the source", file, s.Name, len(s.Verify.Secrets))
			}
			if s.History && !cmp.Equal(s.Map, s.Tool.Map, cmp.AllowUnexported(preset.Path{})) {
				t.Errorf("%s: source %s brings history and has a map: a replay writes the generic names", file, s.Name)
			}
		}
	}
}

// TestReference reads the agreement in the reference of the language.
func TestReference(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(string(read(t, "../../docs/agreement.md")), "```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the reference has no example")
	}
	_, faults := agreement.Parse("docs/agreement.md", []byte(text))
	for _, f := range faults {
		t.Error(f)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
