package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/leadpact/leadpact/services/leadpact/draft"
)

type initCommand struct {
	Dir       string `arg:"" optional:"" help:"Folder to write agreement.yaml and roster.yaml into; it may exist." default:"."`
	Company   string `help:"The company's name."`
	Marketing string `help:"Who answers for marketing."`
	Sales     string `help:"Who answers for sales."`
	Reps      string `help:"Who takes the leads, by ids: ada, ben."`
	Zone      string `help:"IANA time zone of the working hours: Europe/Berlin."`
	Hours     string `help:"Working hours: mon-fri 09:00-17:00, or mon-thu 09:00-17:00; fri 09:00-14:00."`
	Within    string `help:"The time of these hours within which sales answers a lead: 2h."`
	Source    string `help:"How leads come: form (a service with Standard Webhooks), json (your own, signed with HMAC), crm (bearer token)."`
}

// Run writes a first agreement and its roster. It asks at a terminal for what no flag says, and never writes over a file.
func (c *initCommand) Run() error {
	files := []string{filepath.Join(c.Dir, "agreement.yaml"), filepath.Join(c.Dir, "roster.yaml")}
	for _, name := range files {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("%s is there already and is left as it is: name another folder", name)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	a := draft.Answers{
		Company: c.Company, Marketing: c.Marketing, Sales: c.Sales, Reps: draft.Reps(c.Reps), Zone: c.Zone, Hours: c.Hours, Within: c.Within, Source: c.Source,
	}
	now := time.Now()
	if missing := a.Missing(); len(missing) > 0 {
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return fmt.Errorf("give %s, or run it at a terminal, where it asks", strings.Join(missing, ", "))
		}
		var err error
		if a, err = a.Ask(os.Stdin, os.Stdout, now); err != nil {
			return err
		}
	}
	drafted, err := a.Draft(now)
	if err != nil {
		return fmt.Errorf("nothing is written, because of the answers:\n%w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o750); err != nil {
		return err
	}
	if err := create(files[0], drafted.Agreement); err != nil {
		return err
	}
	if err := create(files[1], drafted.Roster); err != nil {
		return errors.Join(err, os.Remove(files[0])) // it was made a moment ago
	}
	_, err = fmt.Printf("\nWritten:\n  %s\n  %s\nWhat comes next:\n  leadpact check %[1]s --roster %[2]s\n  export %[3]s=…    # the secret that you share with whoever sends\n"+
		"  leadpact serve --agreement %[1]s --roster %[2]s --data data\n  leadpact source curl %[4]s --agreement %[1]s | sh    # a first lead\n",
		files[0], files[1], strings.TrimPrefix(drafted.Source.Verify.Secrets[0], "env:"), drafted.Source.Name)
	return err
}

// create writes a file that is not there.
func create(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
