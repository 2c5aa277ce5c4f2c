package check_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/check"
)

var update = flag.Bool("update", false, "write what the program shows now into testdata")

// TestGolden reads the first file of each archive, as a roster when its name says so, and compares what is shown with the
// second file. The third, when there is one, is the same in colour.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the cases: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in := archive.Files[0]
			var faults []agreement.Fault
			if in.Name == "roster.yaml" {
				_, faults = agreement.ParseRoster(in.Name, in.Data)
			} else {
				_, faults = agreement.Parse(in.Name, in.Data)
			}
			if len(faults) == 0 {
				t.Fatal("no faults")
			}
			for i := range archive.Files[1:] {
				want := &archive.Files[i+1]
				var got bytes.Buffer
				if err := (check.Writer{Colour: want.Name == "colour"}).Write(&got, in.Data, faults); err != nil {
					t.Fatal(err)
				}
				shown := strings.ReplaceAll(got.String(), "\x1b", "<esc>")
				if *update {
					want.Data = []byte(shown)
				} else if diff := cmp.Diff(string(want.Data), shown); diff != "" {
					t.Errorf("%s: -want +got (run with -update to accept):\n%s", want.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestCaret(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		text string
		f    agreement.Fault
		want string
	}{
		"tab":            {"\ta: b", agreement.Fault{Line: 1, Column: 5}, "  1 | \ta: b\n      \t   ^\n"},
		"wide":           {"a: 東京 x", agreement.Fault{Line: 1, Column: 7}, "  1 | a: 東京 x\n              ^\n"},
		"end of line":    {"a:", agreement.Fault{Line: 1, Column: 3}, "  1 | a:\n        ^\n"},
		"escape":         {"a: \x1b[31m", agreement.Fault{Line: 1, Column: 4}, "  1 | a: ·[31m\n         ^\n"},
		"carriage":       {"a: b\r\nc", agreement.Fault{Line: 1, Column: 1}, "  1 | a: b\n      ^\n"},
		"byte order":     {"\ufeffa: b", agreement.Fault{Line: 1, Column: 1}, "  1 | a: b\n      ^\n"},
		"start of long":  {long, agreement.Fault{Line: 1, Column: 1}, "  1 | " + long[:100] + "…\n      ^\n"},
		"middle of long": {long, agreement.Fault{Line: 1, Column: 151}, "  1 | …" + long[:100] + "…\n       " + strings.Repeat(" ", 50) + "^\n"},
		"secret":         {"a: whsec_123 # x", agreement.Fault{Line: 1, Column: 4, Secret: true}, "  1 | a: …\n         ^\n"},
		"outside":        {"a", agreement.Fault{Line: 9, Column: 9}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.f.File, c.f.Message = "f", "m"
			var got bytes.Buffer
			if err := check.Write(&got, []byte(c.text), []agreement.Fault{c.f}); err != nil {
				t.Fatal(err)
			}
			_, shown, _ := strings.Cut(got.String(), "\n")
			if diff := cmp.Diff(c.want, shown); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestSecretBesideAnotherFault hides the secret of a line from the line's other faults too.
func TestSecretBesideAnotherFault(t *testing.T) {
	t.Parallel()
	text := "desk: {secret: whsec_123, url: x}"
	var got bytes.Buffer
	err := check.Write(&got, []byte(text), []agreement.Fault{{Line: 1, Column: 7, Message: "m"}, {Line: 1, Column: 16, Message: "m", Secret: true}, {Line: 1, Column: 32, Message: "m"}})
	if err != nil || strings.Contains(got.String(), "whsec") || strings.Count(got.String(), "desk") != 3 {
		t.Errorf("%v, shown:\n%s", err, got.String())
	}
}

func TestWriteFails(t *testing.T) {
	t.Parallel()
	if err := check.Write(full{}, nil, []agreement.Fault{{Line: 1}}); err == nil {
		t.Error("no error")
	}
}
