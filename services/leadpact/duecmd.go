package main

import (
	"encoding/json"
	"os"

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
	a, err := readAgreement(c.Agreement)
	if err != nil {
		return err
	}
	q := due.Question{Agreement: a, Clock: c.Clock, Rep: c.Rep, At: c.At}
	if c.Roster != "" {
		if q.Roster, err = readRoster(c.Roster, a); err != nil {
			return err
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
