package main

import (
	"context"
	"fmt"
	"os"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/paper"
	"github.com/leadpact/leadpact/services/leadpact/printer"
)

type renderCommand struct {
	File   string `arg:"" help:"Agreement."`
	Out    string `help:"HTML page to write; standard output when no file at all is asked for." placeholder:"FILE.html"`
	PDF    string `name:"pdf" help:"PDF to write; the Chromium that is installed prints it." placeholder:"FILE.pdf"`
	ICS    string `name:"ics" help:"Calendar file to write: the meetings and the reviews." placeholder:"FILE.ics"`
	Roster string `help:"Roster, to show who works under the agreement."`

	Signatures string `help:"File of signatures, FILE.sig, to show on the last page; both must hold." placeholder:"FILE.sig"`
	After      string `help:"Version in force when this one was signed, when it changes keys." placeholder:"FILE"`

	Paper string `help:"Paper: a4 or letter." enum:"a4,letter" default:"a4"`

	Chromium string `help:"Chromium or Chrome that prints; the first one that is installed unless given." placeholder:"PROGRAM" env:"LEADPACT_CHROMIUM"`
}

// Run writes what is asked for: the page, the PDF, the calendar file.
func (c *renderCommand) Run(ctx context.Context) error {
	a, err := readAgreement(c.File)
	if err != nil {
		return err
	}
	sheet := paper.Sheet{Size: map[string]paper.Size{"a4": paper.A4, "letter": paper.Letter}[c.Paper]}
	if c.Roster != "" {
		if sheet.Roster, err = readRoster(c.Roster, a); err != nil {
			return err
		}
	}
	if c.Signatures != "" {
		if sheet.Seal, err = c.seal(a); err != nil {
			return err
		}
	}
	page, err := paper.HTML(a, sheet)
	if err != nil {
		return err
	}
	if c.Out == "" && c.PDF == "" && c.ICS == "" {
		_, err := os.Stdout.Write(page)
		return err
	}
	if err := publish(c.Out, page); err != nil {
		return err
	}
	if c.ICS != "" {
		file, err := paper.Invitations(a)
		if err != nil {
			return err
		}
		if err := publish(c.ICS, file); err != nil {
			return err
		}
	}
	if c.PDF == "" {
		return nil
	}
	p, err := printer.Find(c.Chromium)
	if err != nil {
		return fmt.Errorf("print %s: %w", c.PDF, err)
	}
	pdf, err := p.PDF(ctx, page)
	if err != nil {
		return fmt.Errorf("print %s: %w", c.PDF, err)
	}
	return publish(c.PDF, pdf)
}

// seal is the file of signatures when both hold; faults are shown.
func (c *renderCommand) seal(a *agreement.Agreement) (*agreement.Seal, error) {
	var before *agreement.Agreement
	if c.After != "" {
		var err error
		if before, err = readAgreement(c.After); err != nil {
			return nil, err
		}
	}
	trusted, err := a.Trusted(before)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	if !trusted.Sign() {
		return nil, fmt.Errorf("%s names no keys, so that no signature on it can be proved", c.File)
	}
	text, err := os.ReadFile(c.Signatures)
	if err != nil {
		return nil, err
	}
	s, faults := agreement.ParseSeal(c.Signatures, text)
	if s != nil {
		faults = s.Verify(a, trusted)
	}
	if len(faults) > 0 {
		return nil, showFaults([]agreement.File{{Name: c.Signatures, Text: text}}, faults)
	}
	return s, nil
}

// publish writes a file for everybody to read; none without a name.
func publish(name string, data []byte) error {
	if name == "" {
		return nil
	}
	return os.WriteFile(name, data, 0o644) //nolint:gosec // papers are there to be read
}
