package agreement_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
)

// folder reads from texts by name.
func folder(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := files[filepath.ToSlash(name)]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
}

// parts are whole in three files: the head, the clocks, and the rest.
func parts(t *testing.T, include string) map[string]string {
	t.Helper()
	head, rest, ok1 := strings.Cut(whole, "calendars:\n")
	middle, clocks, ok2 := strings.Cut(rest, "clocks:\n")
	if !ok1 || !ok2 {
		t.Fatal("the text has other sections")
	}
	return map[string]string{
		"x/a.yaml": "# Our agreement.\n" + include + head, "x/hours.yaml": "calendars:\n" + middle, "x/sales/clocks.yaml": "# What sales promises.\nclocks:\n" + clocks,
	}
}

func TestAnAgreementOfSeveralFiles(t *testing.T) {
	t.Parallel()
	files := parts(t, "include:\n  - hours.yaml\n  # and the promises\n  - sales/clocks.yaml\n")
	a, joined, faults, err := agreement.Load("x/a.yaml", folder(files))
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	if len(joined.Files) != 3 || len(a.Clocks) != 2 || !bytes.Equal(a.Text, joined.Text) {
		t.Errorf("%d files, %d clocks", len(joined.Files), len(a.Clocks))
	}
	if again, faults := agreement.Parse("joined", joined.Text); len(faults) > 0 || again.Hash != a.Hash {
		t.Errorf("the joined text is another: %v", faults)
	}
	// A fault stands in its own file.
	files["x/sales/clocks.yaml"] = strings.Replace(files["x/sales/clocks.yaml"], "calendar: rep", "calendar: moon", 1)
	files["x/hours.yaml"] = strings.Replace(files["x/hours.yaml"], "Europe/Berlin", "Europe/Berlim", 1)
	_, _, faults, err = agreement.Load("x/a.yaml", folder(files))
	if err != nil || len(faults) != 2 {
		t.Fatal(err, faults)
	}
	for i, want := range []struct{ file, word string }{{"x/hours.yaml", "Europe/Berlim"}, {"x/sales/clocks.yaml", "moon"}} {
		line := strings.Split(files[want.file], "\n")[faults[i].Line-1]
		if filepath.ToSlash(faults[i].File) != want.file || !strings.Contains(line, want.word) {
			t.Errorf("%v stands at %q", faults[i], line)
		}
	}
}

func TestIncludesThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"of itself":       {map[string]string{"x/a.yaml": "include: a.yaml\n"}, `"a.yaml" includes itself`},
		"in a circle":     {map[string]string{"x/a.yaml": "include: b.yaml\n", "x/b.yaml": "include: c.yaml\n", "x/c.yaml": "include: b.yaml\n"}, `"b.yaml" includes itself`},
		"twice":           {map[string]string{"x/a.yaml": "include: [b.yaml, b.yaml]\n", "x/b.yaml": "title: x\n"}, "included already"},
		"outside":         {map[string]string{"x/a.yaml": "include: ../b.yaml\n"}, "not the name of a file beside"},
		"absolute":        {map[string]string{"x/a.yaml": "include: /etc/passwd\n"}, "not the name of a file beside"},
		"missing":         {map[string]string{"x/a.yaml": "include: b.yaml\n"}, "file does not exist"},
		"a section split": {map[string]string{"x/a.yaml": whole + "include: b.yaml\n", "x/b.yaml": "clocks: []\n"}, `"clocks" stands twice`},
		"no YAML":         {map[string]string{"x/a.yaml": "include: b.yaml\n", "x/b.yaml": "a: b: c\n"}, "not YAML"},
		"braces":          {map[string]string{"x/a.yaml": "{title: x, include: b.yaml}\n", "x/b.yaml": "version: 1\n"}, "a line of its own"},
		"too large":       {map[string]string{"x/a.yaml": "include: b.yaml\n", "x/b.yaml": strings.Repeat("#", 1<<20)}, "bytes together"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _, faults, err := agreement.Load("x/a.yaml", folder(c.files))
			if err != nil || a != nil || len(faults) == 0 {
				t.Fatalf("%v, %v, %v", a, faults, err)
			}
			if all := fmt.Sprint(faults); !strings.Contains(all, c.want) {
				t.Errorf("%s; want %q", all, c.want)
			}
		})
	}
	many := map[string]string{"x/a.yaml": "include:\n"}
	for i := range 40 {
		many["x/a.yaml"] += fmt.Sprintf("  - f%d.yaml\n", i)
		many[fmt.Sprintf("x/f%d.yaml", i)] = "# nothing\n"
	}
	if _, _, faults, _ := agreement.Load("x/a.yaml", folder(many)); len(faults) == 0 || !strings.Contains(fmt.Sprint(faults), "at most 32 files") {
		t.Errorf("%v", faults)
	}
	if _, _, _, err := agreement.Load("none.yaml", folder(nil)); err == nil {
		t.Error("a file that is not there was read")
	}
}
