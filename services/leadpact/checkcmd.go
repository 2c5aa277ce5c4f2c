package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/calendar"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/check"
)

type checkCommand struct {
	File   string `arg:"" help:"Agreement."` // no path type: faults name it as it was given
	Roster string `help:"Roster to check with it."`
	JSON   bool   `name:"json" help:"Print the faults as JSON." xor:"form"`
	SARIF  bool   `name:"sarif" help:"Print the faults as SARIF, for editors and code review." xor:"form"`
	From   string `help:"Day (2026-11-30) as of which it is checked: whether somebody works when a promise falls due, and which definitions are due for review; today unless given." placeholder:"DAY"`
}

// Run prints the faults and fails when there are any.
func (c *checkCommand) Run() error {
	from := time.Now()
	if c.From != "" {
		var err error
		if from, err = time.Parse(time.DateOnly, c.From); err != nil {
			return fmt.Errorf("--from %s: write a day as 2026-11-30", c.From)
		}
	}
	a, joined, faults, err := app.LoadAgreement(c.File)
	if err != nil {
		return err
	}
	files := joined.Files
	var warnings, pending []agreement.Fault
	if a != nil {
		pending = a.Pending()
		faults = append(faults, a.Stale(calendar.Date{Year: from.Year(), Month: from.Month(), Day: from.Day()})...)
	}
	var r *agreement.Roster
	if c.Roster != "" {
		people, err := app.ReadFile(c.Roster)
		if err != nil {
			return err
		}
		files = append(files, agreement.File{Name: c.Roster, Text: people})
		var unfit []agreement.Fault
		if r, unfit = agreement.ParseRoster(c.Roster, people); a != nil && r != nil {
			unfit = append(unfit, a.CheckRoster(r)...)
		}
		faults = append(faults, unfit...)
	}
	if len(faults) == 0 {
		if warnings, err = doubts(a, r, from); err != nil {
			return err
		}
	}
	hash := ""
	if a != nil {
		hash = a.Hash
	}
	report := check.NewReport(hash, faults, slices.Concat(warnings, pending))
	switch {
	case c.JSON:
		err = report.JSON(os.Stdout)
	case c.SARIF:
		err = report.SARIF(os.Stdout, programVersion())
	default:
		err = c.tell(os.Stdout, files, hash, faults, warnings, pending)
	}
	if err == nil && len(faults) > 0 {
		return failed{1}
	}
	return err
}

// doubts are the warnings about files without faults; the roster may be nil.
func doubts(a *agreement.Agreement, r *agreement.Roster, from time.Time) ([]agreement.Fault, error) {
	out := a.Doubts(r)
	if r == nil {
		return out, nil
	}
	alone, err := a.Understaffed(r, from)
	return append(out, alone...), err
}

// tell shows what was found to a person: warnings only when nothing worse is to be mended first.
func (c *checkCommand) tell(w io.Writer, files []agreement.File, hash string, faults, warnings, pending []agreement.Fault) error {
	show := check.Writer{Colour: term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""}
	if len(faults) > 0 {
		return show.Files(w, files, faults)
	}
	show.Warnings = true
	if err := show.Files(w, files, warnings); err != nil {
		return err
	}
	verdict := c.File + ": no faults"
	if len(warnings) > 0 {
		verdict = "\n" + verdict + ", warnings above"
	}
	if _, err := fmt.Fprintf(w, "%s; hash %s\n", verdict, hash); err != nil {
		return err
	}
	if len(pending) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w, "\nSigned, compared and shown with the rest, but not enforced yet:"); err != nil {
		return err
	}
	for _, f := range pending {
		if _, err := fmt.Fprintf(w, "  %s:%d  %s\n", f.File, f.Line, strings.TrimPrefix(f.Message, "not enforced yet: ")); err != nil {
			return err
		}
	}
	return nil
}

// showFaults tells why files cannot be used.
func showFaults(files []agreement.File, faults []agreement.Fault) error {
	show := check.Writer{Colour: term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("NO_COLOR") == ""}
	if err := show.Files(os.Stderr, files, faults); err != nil {
		return err
	}
	return failed{1}
}

// readAgreement reads an agreement and what it includes; faults are shown, and the error says then how to end.
func readAgreement(name string) (*agreement.Agreement, error) {
	a, joined, faults, err := app.LoadAgreement(name)
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, showFaults(joined.Files, faults)
	}
	return a, nil
}

// readRoster reads a roster that fits to the agreement.
func readRoster(name string, a *agreement.Agreement) (*agreement.Roster, error) {
	text, err := app.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r, faults := agreement.ParseRoster(name, text)
	if r != nil {
		faults = a.CheckRoster(r)
	}
	if len(faults) > 0 {
		return nil, showFaults([]agreement.File{{Name: name, Text: text}}, faults)
	}
	return r, nil
}

type schemaCommand struct {
	Of string `arg:"" help:"Which file it is for: agreement or roster." enum:"agreement,roster" default:"agreement"`
}

// Run prints the JSON Schema for editors.
func (c *schemaCommand) Run() error {
	schema := agreement.Schema
	if c.Of == "roster" {
		schema = agreement.RosterSchema
	}
	text, err := schema()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
