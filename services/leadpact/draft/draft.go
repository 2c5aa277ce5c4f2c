// Package draft writes a first agreement and its roster from a few answers.
package draft

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
)

// Answers are what the two files are made of.
type Answers struct {
	Company          string
	Marketing, Sales string   // who answers for each side
	Reps             []string // who takes leads, by ids
	Zone             string   // IANA
	// Hours are days and their hours, parted by semicolons: mon-thu 09:00-17:00; fri 09:00-14:00.
	Hours  string
	Within string // the time of these hours within which sales answers: 2h
	Source string // how leads come: form, json or crm
}

// Sources are the ways on which leads come: a form service with Standard Webhooks, one's own JSON with an HMAC, a CRM with a bearer token.
func Sources() []string { return []string{"form", "json", "crm"} }

// Files are a drafted pair.
type Files struct {
	Agreement, Roster []byte
	// Source is the agreement's one source.
	Source agreement.Source
}

//go:embed agreement.yaml.tmpl
var agreementText string

//go:embed roster.yaml.tmpl
var rosterText string

// Draft writes the two files. What it returns has no fault and no warning as of now; the error says which answers do not do, and what would.
func (a Answers) Draft(now time.Time) (Files, error) {
	if err := a.check(); err != nil {
		return Files{}, err
	}
	var f Files
	var err error
	if f.Agreement, err = a.fill("agreement.yaml", agreementText); err != nil {
		return Files{}, err
	}
	if f.Roster, err = a.fill("roster.yaml", rosterText); err != nil {
		return Files{}, err
	}
	if f.Source, err = f.check(now); err != nil {
		return Files{}, err
	}
	return f, nil
}

func (a Answers) check() error {
	var all []error
	for what, text := range map[string]string{"the company's name": a.Company, "who answers for marketing": a.Marketing, "who answers for sales": a.Sales} {
		if err := printable(text); err != nil {
			all = append(all, fmt.Errorf("%s: %w", what, err))
		}
	}
	if !slices.Contains(Sources(), a.Source) {
		all = append(all, fmt.Errorf("how leads come: %q is none of %s", a.Source, strings.Join(Sources(), ", ")))
	}
	if len(a.Reps) == 0 {
		all = append(all, errors.New("who takes the leads: name one rep at least, as ada, or several: ada, ben"))
	}
	for _, rep := range a.Reps {
		if !id.MatchString(rep) {
			all = append(all, fmt.Errorf("who takes the leads: %q is no id: write letters, digits, - and _, as ada or ada-b", rep))
		}
	}
	for _, day := range a.Week() {
		if day.Days == "" || day.Hours == "" {
			all = append(all, errors.New("the working hours: write days and their hours: mon-fri 09:00-17:00, or mon-thu 09:00-17:00; fri 09:00-14:00"))
			break
		}
	}
	slices.SortFunc(all, func(x, y error) int { return strings.Compare(x.Error(), y.Error()) })
	return errors.Join(all...)
}

var id = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// longest is how many characters a name may have.
const longest = 200

// printable wants a text on one line, without what cannot be seen. Joiners belong to the letters of some scripts.
func printable(s string) error {
	hidden := func(r rune) bool { return !unicode.IsGraphic(r) && r != '\u200c' && r != '\u200d' }
	switch {
	case strings.TrimSpace(s) == "":
		return errors.New("a name belongs here")
	case !utf8.ValidString(s):
		return errors.New("it is not UTF-8")
	case utf8.RuneCountInString(s) > longest:
		return fmt.Errorf("it has more than %d characters", longest)
	case strings.ContainsFunc(s, hidden) || strings.ContainsAny(s, "\u2028\u2029"):
		return errors.New("it has a character that cannot be seen, or more than one line")
	}
	return nil
}

// Day is some days and their hours.
type Day struct{ Days, Hours string }

// Week is the hours, taken apart.
func (a Answers) Week() []Day {
	var out []Day
	for part := range strings.SplitSeq(a.Hours, ";") {
		part = strings.TrimSpace(part)
		i := strings.IndexFunc(part, unicode.IsDigit)
		if i < 0 {
			out = append(out, Day{Days: part})
			continue
		}
		out = append(out, Day{strings.TrimRight(part[:i], " :"), part[i:]})
	}
	return out
}

func (a Answers) fill(name, text string) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{"text": scalar, "key": key, "line": strings.TrimSpace}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("draft %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, a); err != nil {
		return nil, fmt.Errorf("draft %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// plain are texts that YAML takes for nothing but a text without quotes: words, and zones.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*([ /][A-Za-z][A-Za-z0-9_-]*)+$`)

// scalar is a text as YAML has it.
func scalar(s string) string {
	s = strings.TrimSpace(s)
	if plain.MatchString(s) || span.MatchString(s) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// span are the days of a week and lengths of time, of which YAML makes texts too.
var span = regexp.MustCompile(`^([a-z]{3}(-[a-z]{3})?|([0-9]+[smhdw])+)$`)

// key is an id as YAML has it. Words that mean something to YAML, and numbers, are put in quotes.
func key(s string) string {
	if strings.ContainsFunc(s[:1], unicode.IsDigit) || slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return `"` + s + `"`
	}
	return s
}

// check reads the files as the product does, and returns the one source.
func (f Files) check(now time.Time) (source agreement.Source, err error) {
	var all []error
	told := map[string]bool{} // an answer stands in several places
	found := func(faults []agreement.Fault) {
		for _, one := range faults {
			text := one.Message
			if one.Hint != "" {
				text += ": " + one.Hint
			}
			if !told[text] {
				told[text] = true
				all = append(all, errors.New(text))
			}
		}
	}
	a, faults := agreement.Parse("agreement.yaml", f.Agreement)
	found(faults)
	r, faults := agreement.ParseRoster("roster.yaml", f.Roster)
	found(faults)
	if a == nil || r == nil {
		return source, errors.Join(all...)
	}
	found(a.CheckRoster(r))
	found(a.Pending())
	found(a.Stale(calendar.Date{Year: now.Year(), Month: now.Month(), Day: now.Day()}))
	if len(all) > 0 {
		return source, errors.Join(all...)
	}
	alone, err := a.Understaffed(r, now)
	found(alone)
	return a.Sources[0], errors.Join(append(all, err)...)
}
