package main

import (
	"encoding/json"
	"os"

	"golang.org/x/term"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/check"
	"github.com/leadpact/leadpact/services/leadpact/due"
)

type dueCommand struct {
	Agreement string `required:"" help:"Agreement."` // no path type: faults name it as it was given
	Roster    string `help:"Roster, for promises that run on a rep's own hours."`
	Clock     string `required:"" help:"The promise's name; unassigned is the one on a lead that nobody has."`
	At        string `required:"" help:"When it is made: 2026-11-27T16:20:00-05:00, or 2026-11-27 16:20 in the promise's own zone."`
	Rep       string `help:"Who has the lead."`
	JSON      bool   `name:"json" help:"Print the answer as JSON."`
}

// Run answers.
func (c *dueCommand) Run() error {
	text, err := os.ReadFile(c.Agreement)
	if err != nil {
		return err
	}
	q := due.Question{Clock: c.Clock, Rep: c.Rep, At: c.At}
	var faults []agreement.Fault
	if q.Agreement, faults = agreement.Parse(c.Agreement, text); len(faults) > 0 {
		return showFaults(text, faults)
	}
	if c.Roster != "" {
		people, err := os.ReadFile(c.Roster)
		if err != nil {
			return err
		}
		if q.Roster, faults = agreement.ParseRoster(c.Roster, people); len(faults) > 0 {
			return showFaults(people, faults)
		}
		if faults = q.Agreement.CheckRoster(q.Roster); len(faults) > 0 {
			return showFaults(people, faults)
		}
	}
	answer, err := due.Ask(q)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(answer)
	}
	return answer.Write(os.Stdout)
}

// showFaults tells why a file cannot be used.
func showFaults(text []byte, faults []agreement.Fault) error {
	show := check.Writer{Colour: term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("NO_COLOR") == ""}
	if err := show.Write(os.Stderr, text, faults); err != nil {
		return err
	}
	return failed{1}
}
