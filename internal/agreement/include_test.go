package agreement_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
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
		"braces":          {map[string]string{"x/a.yaml": "{title: x, include: b.yaml}\n", "x/b.yaml": "version: 1\n"}, "a key in column 1"},
		"a text goes on":  {map[string]string{"x/a.yaml": "include: b.yaml\n" + whole + "summary: |\n  Calls.\n", "x/b.yaml": "  scope: {includes: [Calls.]}\n"}, "x/b.yaml:1:3: a file that is joined"},
		"rows go on":      {map[string]string{"x/a.yaml": "include: b.yaml\n" + whole + "proposals:\n", "x/b.yaml": "- {clause: first, by: ana}\n"}, "x/b.yaml:1:1: a file that is joined"},
		"indented":        {map[string]string{"x/a.yaml": "  include: b.yaml\n", "x/b.yaml": "  title: x\n"}, "x/a.yaml:1:3: a file that is joined"},
		"two documents":   {map[string]string{"x/a.yaml": "include: b.yaml\n", "x/b.yaml": "---\ntitle: x\n---\nversion: 1\n"}, "x/b.yaml:4:"},
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

// TestWhatStandsBeforeTheFirstKey of an included file: a mark of a document is emptied, and no comment goes on with the text above.
func TestWhatStandsBeforeTheFirstKey(t *testing.T) {
	t.Parallel()
	files := parts(t, "include: [hours.yaml, sales/clocks.yaml]\nsummary: |\n  Calls.\n")
	files["x/a.yaml"] = strings.Replace(files["x/a.yaml"], "summary: |\n  Calls.\n", "", 1) + "summary: |\n  Calls.\n"
	files["x/hours.yaml"] = "  # The hours.\n    \n--- # from here\n" + files["x/hours.yaml"] + "proposals:\n"
	files["x/sales/clocks.yaml"] = "---\n" + files["x/sales/clocks.yaml"]
	a, joined, faults, err := agreement.Load("x/a.yaml", folder(files))
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	if a.Summary != "Calls.\n" {
		t.Errorf("the summary goes on: %q", a.Summary)
	}
	for name, want := range files {
		if !slices.ContainsFunc(joined.Files, func(f agreement.File) bool { return filepath.ToSlash(f.Name) == name && string(f.Text) == want }) {
			t.Errorf("%s is not what was read", name)
		}
	}
	files["x/sales/clocks.yaml"] = strings.Replace(files["x/sales/clocks.yaml"], "calendar: rep", "calendar: moon", 1)
	_, _, faults, _ = agreement.Load("x/a.yaml", folder(files))
	if len(faults) != 1 || !strings.Contains(strings.Split(files["x/sales/clocks.yaml"], "\n")[faults[0].Line-1], "moon") {
		t.Errorf("%v", faults)
	}
}

// TestWordsNameTheLinesOfTheirFiles: what a fault says of another place is said of the file in which it stands.
func TestWordsNameTheLinesOfTheirFiles(t *testing.T) {
	t.Parallel()
	files := parts(t, "include: [hours.yaml, sales/clocks.yaml]\n")
	files["x/hours.yaml"] = strings.NewReplacer("2026-12-30:", "2026-12-24:", "- {name: visit,", "- {name: size,").Replace(files["x/hours.yaml"])
	files["x/sales/clocks.yaml"] += "# again\nchannels: [a]\nobligations:\n  - {name: any}\n"
	_, _, faults, err := agreement.Load("x/a.yaml", folder(files))
	if err != nil {
		t.Fatal(err)
	}
	line := func(file, word string) int {
		before, _, ok := strings.Cut(files[file], word)
		if !ok {
			t.Fatalf("%s has no %s", file, word)
		}
		return 1 + strings.Count(before, "\n")
	}
	all := fmt.Sprint(faults)
	for _, want := range []string{
		fmt.Sprintf("its first value is in line %d of x/a.yaml; keep one", line("x/a.yaml", "channels:")),
		fmt.Sprintf("line %d has it; names are unique", line("x/hours.yaml", "name: size")),
		fmt.Sprintf("line %d has it; names are unique", line("x/sales/clocks.yaml", "{name: any")),
		fmt.Sprintf("its first value is in line %d; keep one", line("x/hours.yaml", "2026-12-24")),
	} {
		if !strings.Contains(filepath.ToSlash(all), want) {
			t.Errorf("%s; want %q", all, want)
		}
	}
	// Doubts and proofs name other lines too.
	files = parts(t, "include: [hours.yaml, sales/clocks.yaml]\n")
	files["x/hours.yaml"] = strings.Replace(files["x/hours.yaml"], "  - {name: visit,", "  - {name: again, points: 2, when: 50 <= lead.employees}\n  - {name: visit,", 1)
	a, _, faults, err := agreement.Load("x/a.yaml", folder(files))
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	want := fmt.Sprintf(`the rule "size" in line %d asks`, line("x/hours.yaml", "name: size"))
	if all := fmt.Sprint(a.Doubts(nil)); !strings.Contains(all, want) {
		t.Errorf("%s; want %q", all, want)
	}
	files["x/hours.yaml"] = strings.Replace(files["x/hours.yaml"], "    - pool: all\n", "    - {when: lead.employees > 300, pool: big}\n    - pool: all\n", 1)
	_, _, faults, _ = agreement.Load("x/a.yaml", folder(files))
	want = fmt.Sprintf(`in line %d comes first`, line("x/hours.yaml", "lead.employees > 200"))
	if all := fmt.Sprint(faults); !strings.Contains(all, want) {
		t.Errorf("%s; want %q", all, want)
	}
}

// TestAMissingFileHidesNoFault, and brings none but its own.
func TestAMissingFileHidesNoFault(t *testing.T) {
	t.Parallel()
	section := regexp.MustCompile(`(?m)^[a-z]+:.*\n( .*\n)*`)
	for _, at := range section.FindAllStringIndex(wholly, -1) {
		text := "include: none.yaml\n" + wholly[:at[0]] + wholly[at[1]:]
		for _, c := range []struct{ old, broken, want string }{{"count: 2", "count: two", "a whole number"}, {"version: 1.10", `version: ""`, "the text is empty"}} {
			want := []string{"cannot be read"}
			if strings.Contains(text, c.old) {
				want = append(want, c.want)
			}
			a, _, faults, err := agreement.Load("x/a.yaml", folder(map[string]string{"x/a.yaml": strings.Replace(text, c.old, c.broken, 1)}))
			if err != nil || a != nil || !slices.EqualFunc(faults, want, func(f agreement.Fault, want string) bool { return strings.Contains(f.Message, want) }) {
				t.Errorf("without %q: %v, %v; want %q", wholly[at[0]:at[1]], faults, err, want)
			}
		}
	}
	// A file that is no YAML is as good as missing.
	files := parts(t, "include: [hours.yaml, sales/clocks.yaml]\n")
	files["x/hours.yaml"] = "a: b: c\n"
	files["x/sales/clocks.yaml"] = strings.Replace(files["x/sales/clocks.yaml"], "count: 2", "count: two", 1)
	_, _, faults, _ := agreement.Load("x/a.yaml", folder(files))
	if len(faults) != 2 || filepath.ToSlash(faults[0].File) != "x/hours.yaml" || filepath.ToSlash(faults[1].File) != "x/sales/clocks.yaml" {
		t.Errorf("%v", faults)
	}
}
