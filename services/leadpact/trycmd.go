package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/leadpact/leadpact/services/leadpact/trial"
)

type tryCommand struct {
	Agreement string `required:"" help:"Agreement."` // no path type: faults name it as it was given
	Roster    string `help:"Roster, to see who would get the lead."`
	Lead      string `required:"" help:"The lead as JSON: source, channel, fields, touches, did, reason, stage. docs/examples/hubspot/lead.json is one."`
	At        string `help:"The moment of the trial, as 2026-11-25T16:20:00Z; now unless given." placeholder:"TIME"`
	JSON      bool   `name:"json" help:"Print the answer as JSON."`
}

// Run shows what would become of the lead. It writes nothing.
func (c *tryCommand) Run() error {
	a, err := readAgreement(c.Agreement)
	if err != nil {
		return err
	}
	q := trial.Question{Agreement: a, At: time.Now().UTC().Truncate(time.Microsecond)}
	if c.At != "" {
		if q.At, err = trial.Moment(c.At); err != nil {
			return err
		}
	}
	if c.Roster != "" {
		if q.Roster, err = readRoster(c.Roster, a); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(c.Lead)
	if err != nil {
		return err
	}
	if q.Lead, err = trial.Read(text); err != nil {
		return fmt.Errorf("%s: %w", c.Lead, err)
	}
	answer, err := trial.Ask(q)
	if err != nil {
		return fmt.Errorf("%s:\n%w", c.Lead, err)
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(answer)
	}
	return answer.Write(os.Stdout)
}
