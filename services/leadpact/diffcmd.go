package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/leadpact/leadpact/internal/agreement"
)

type diffCommand struct {
	Old  string `arg:"" help:"Agreement before."`
	New  string `arg:"" help:"Agreement after."`
	JSON bool   `name:"json" help:"Print the changes as JSON."`
}

// change is an agreement.Change for programs.
type change struct {
	Section string   `json:"section"`
	Subject string   `json:"subject"`
	What    string   `json:"what,omitempty"`
	Before  string   `json:"before,omitempty"`
	After   string   `json:"after,omitempty"`
	Teams   []string `json:"teams,omitempty"`
	Pending bool     `json:"not_enforced_yet,omitempty"`
}

// Run tells the changes: it ends with 1 when there are any, and with 2 when one of the files cannot be used.
func (c *diffCommand) Run() error {
	var both [2]*agreement.Agreement
	for i, name := range []string{c.Old, c.New} {
		a, err := readAgreement(name)
		if err != nil {
			if !errors.As(err, &failed{}) {
				fmt.Fprintln(os.Stderr, "leadpact:", err)
			}
			return failed{2}
		}
		both[i] = a
	}
	changes := agreement.Diff(both[0], both[1])
	if err := c.tell(os.Stdout, changes); err != nil {
		return err
	}
	if len(changes) > 0 {
		return failed{1}
	}
	return nil
}

func (c *diffCommand) tell(w io.Writer, changes []agreement.Change) error {
	if c.JSON {
		out := make([]change, len(changes))
		for i, one := range changes {
			out[i] = change(one)
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(out)
	}
	out := bufio.NewWriter(w)
	section := ""
	for _, one := range changes {
		if one.Section != section {
			if section != "" {
				_, _ = fmt.Fprintln(out) // Flush says what failed
			}
			section = one.Section
			_, _ = fmt.Fprintln(out, section)
		}
		_, _ = fmt.Fprintln(out, "  "+one.String())
	}
	if len(changes) == 0 {
		_, _ = fmt.Fprintln(out, "nothing that the contract says has changed")
	}
	return out.Flush()
}
