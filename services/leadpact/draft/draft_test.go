package draft_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/preset"
	"github.com/leadpact/leadpact/services/leadpact/draft"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// good are answers that do.
func good() draft.Answers {
	return draft.Answers{
		Company: "Acme", Marketing: "Mara Lind", Sales: "Theo Brandt", Reps: []string{"ada", "ben"},
		Zone: "Europe/Berlin", Hours: "mon-thu 09:00-12:00, 13:00-17:00; fri 09:00-14:00", Within: "2h", Source: "json",
	}
}

// fatal is a test of either kind.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

// demand reads drafted files as the product does, and wants what was answered in them.
func demand(t fatal, a draft.Answers, f draft.Files) *agreement.Agreement {
	t.Helper()
	got, faults := agreement.Parse("agreement.yaml", f.Agreement)
	if len(faults) > 0 {
		t.Fatalf("%v\n%s", faults, f.Agreement)
	}
	r, faults := agreement.ParseRoster("roster.yaml", f.Roster)
	if len(faults) > 0 {
		t.Fatalf("%v\n%s", faults, f.Roster)
	}
	faults = append(got.CheckRoster(r), got.Pending()...)
	alone, err := got.Understaffed(r, now)
	if faults = append(faults, alone...); err != nil || len(faults) > 0 {
		t.Fatalf("%v %v\n%s", err, faults, f.Agreement)
	}
	if got.Title != "Leads of "+strings.TrimSpace(a.Company) && got.Title != strings.TrimSpace("Leads of "+a.Company) ||
		got.Parties != (agreement.Parties{Marketing: agreement.Party{Name: strings.TrimSpace(a.Marketing)}, Sales: agreement.Party{Name: strings.TrimSpace(a.Sales)}}) {
		t.Fatalf("title %q and parties %q of %+v", got.Title, got.Parties, a)
	}
	if len(r.Reps) != len(a.Reps) {
		t.Fatalf("reps %+v of %q", r.Reps, a.Reps)
	}
	for i, rep := range r.Reps {
		if rep.ID != a.Reps[i] {
			t.Fatalf("rep %q for %q", rep.ID, a.Reps[i])
		}
	}
	return got
}

func TestDraft(t *testing.T) {
	t.Parallel()
	for source, verify := range map[string]preset.ProofKind{"form": preset.StandardWebhook, "json": preset.HMAC, "crm": preset.Bearer} {
		a := good()
		a.Source = source
		f, err := a.Draft(now)
		if err != nil {
			t.Fatal(err)
		}
		got := demand(t, a, f)
		office, _ := got.Calendar("office")
		if len(got.Sources) != 1 || got.Sources[0].Verify.Kind != verify || office.Zone != "Europe/Berlin" || len(office.Weekly[time.Friday]) != 1 || len(office.Weekly[time.Monday]) != 2 ||
			got.Clocks[0].Within != 2*time.Hour || got.Clocks[0].Breach != agreement.Reassign {
			t.Errorf("%s:\n%s", source, f.Agreement)
		}
	}
	alone := good()
	alone.Reps = []string{"ada"}
	f, err := alone.Draft(now)
	if err != nil {
		t.Fatal(err)
	}
	if demand(t, alone, f).Clocks[0].Breach != agreement.Notify {
		t.Error("a lead is handed on from the only rep")
	}
}

// TestOddNames: whatever stands in a name stands in the file as it was said.
func TestOddNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		`A: B`, `"Quoted" & Sons`, `O'Hara`, `#1 Leads`, `- dash`, `null`, `true`, `123`, `1.5`, `2026-12-25`, `[brackets]`, `{braces}`, `a, b`, `*star`, `&anchor`, `!tag`,
		`%percent`, `@at`, "`tick`", `back\slash`, `\n`, `C:\dir\new`, `Ünïcödé GmbH`, `株式会社リード`, `שלום בע"מ`, "می\u200cخواهم", `🦉 Owls`, `ends with colon:`, `a #b`, `>folded`, `|block`,
		`~`, `=`, `<<`, `{{.Company}}`, `? question`, `...`, `---`, `yes`, ` spaced `, strings.Repeat("x", 200),
	} {
		a := good()
		a.Company, a.Marketing, a.Sales = name, name, name
		f, err := a.Draft(now)
		if err != nil {
			t.Errorf("%q is refused: %v", name, err)
			continue
		}
		demand(t, a, f)
	}
	ids := good()
	ids.Reps = []string{"null", "true", "no", "123", "0x1", "1e5", "A_b-c", "y", "2026-12-25"}
	f, err := ids.Draft(now)
	if err != nil {
		t.Fatal(err)
	}
	demand(t, ids, f)
}

// TestWhatIsAcceptedPasses: any answers that are accepted give files that pass the check, and hold the answers.
func TestWhatIsAcceptedPasses(t *testing.T) {
	t.Parallel()
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		// Most answers do, so that many drafts are accepted; one that does not refuses the whole.
		draw := func(name string, does, not *rapid.Generator[string]) string {
			if rapid.IntRange(0, 29).Draw(t, name+" does") == 0 {
				return not.Draw(t, name)
			}
			return does.Draw(t, name)
		}
		odd := rapid.StringOfN(rapid.SampledFrom([]rune(":#\"'\\{}[],&*!|>%@` -?~=.aA1é漢\u200d\u00a0")), 1, 40, -1)
		text := func(name string) string { return draw(name, odd, rapid.String()) }
		of := func(all ...string) *rapid.Generator[string] { return rapid.SampledFrom(all) }
		a := draft.Answers{
			Company: text("company"), Marketing: text("marketing"), Sales: text("sales"),
			Reps:   rapid.SliceOfNDistinct(of("ada", "ben", "null", "007", "x_y", "-", "ß"), 1, 3, rapid.ID[string]).Draw(t, "reps"),
			Zone:   draw("zone", of("Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Asia/Kathmandu", "Etc/GMT+5"), of("Mars/Base", "", "Local")),
			Hours:  draw("hours", of("mon-fri 09:00-17:00", "mon 00:00-24:00; tue, thu 10:00-11:00", "sun: 22:00-24:00", "sat-mon 01:00-02:00, 03:00-04:00"), of("never", "mon-fri closed", "mon 17:00-09:00", ";")),
			Within: draw("within", of("2h", "90s", "1h30m", "5d", "2w"), of("400w", "", "soon", "2h}", "0h")),
			Source: draw("source", of(draft.Sources()...), of("fax", "")),
		}
		f, err := a.Draft(now)
		if err != nil {
			return
		}
		accepted++
		demand(t, a, f)
	})
	if t.Logf("%d drafts were accepted", accepted); accepted == 0 {
		t.Error("nothing was ever accepted")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*draft.Answers){
		"the company's name: a name belongs here":             func(a *draft.Answers) { a.Company = "  " },
		"who answers for marketing: it has a character":       func(a *draft.Answers) { a.Marketing = "two\nlines" },
		"who answers for sales: it is not UTF-8":              func(a *draft.Answers) { a.Sales = "\xff" },
		"the company's name: it has more than 200 characters": func(a *draft.Answers) { a.Company = strings.Repeat("x", 201) },
		"the company's name: it has a character that":         func(a *draft.Answers) { a.Company = "abc\u202edef" },
		"who takes the leads: name one rep at least":          func(a *draft.Answers) { a.Reps = nil },
		`"ada b" is no id`:                                    func(a *draft.Answers) { a.Reps = []string{"ada b"} },
		`"Mars/Base" is not a time zone`:                      func(a *draft.Answers) { a.Zone = "Mars/Base" },
		"write days and their hours":                          func(a *draft.Answers) { a.Hours = "always" },
		"a length of time belongs here: write 90s":            func(a *draft.Answers) { a.Within = "soon" },
		`how leads come: "fax" is none of form, json, crm`:    func(a *draft.Answers) { a.Source = "fax" },
		"opens too little to keep so long a promise":          func(a *draft.Answers) { a.Hours, a.Within = "mon 09:00-09:01", "500w" },
	} {
		a := good()
		change(&a)
		f, err := a.Draft(now)
		if err == nil || !strings.Contains(err.Error(), want) || f.Agreement != nil {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestAsk is a conversation: what a flag said is not asked again, and an answer that does not do is.
func TestAsk(t *testing.T) {
	t.Parallel()
	said := strings.Join([]string{"", "Acme", "Mara Lind", "ada, b#n", "ada, ben", "Berlin", "Europe/Berlin", "", "soon", "", "json"}, "\n") + "\n"
	var out strings.Builder
	a, err := draft.Answers{Sales: "Theo Brandt"}.Ask(strings.NewReader(said), &out, now)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	want := good()
	want.Hours = "mon-fri 09:00-17:00"
	f, err := a.Draft(now)
	if err != nil {
		t.Fatal(err)
	}
	demand(t, want, f)
	if a.Within != "2h" || a.Hours != want.Hours || len(a.Missing()) != 0 {
		t.Errorf("%+v", a)
	}
	for _, line := range []string{
		"1  Who are you?", "That does not do: the company's name: a name belongs here", `"b#n" is no id`, `"Berlin" is not a time zone`, "Working hours [mon-fri 09:00-17:00]:",
		"a length of time belongs here", "5  How do leads come?",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, out.String())
		}
	}
	if strings.Contains(out.String(), "answers for sales") {
		t.Error("it asks for what a flag said")
	}
	if _, err := (draft.Answers{}).Ask(strings.NewReader("Acme\nMara\n"), &out, now); err == nil || !strings.Contains(err.Error(), "nothing is written") {
		t.Errorf("answers that end: %v", err)
	}
	if got := strings.Join(draft.Answers{}.Missing(), " "); got != "--company --marketing --sales --reps --zone --hours --within --source" {
		t.Errorf("missing: %s", got)
	}
}
