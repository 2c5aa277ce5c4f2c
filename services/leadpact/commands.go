package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/replay"
)

type tokenCommand struct {
	Person string        `required:"" help:"Who it is for; a rep's id as the roster has it."`
	Role   identity.Role `help:"rep, manager or admin." enum:"rep,manager,admin" default:"rep"`
	Tokens string        `required:"" help:"Token file that it is added to; made when missing." env:"LEADPACT_TOKENS"`
}

// Run prints the token, once. Running processes read the file at their start.
func (c *tokenCommand) Run() error {
	t, err := identity.Load(c.Tokens)
	if err != nil {
		return err
	}
	token, err := t.Issue(identity.Person{ID: c.Person, Role: c.Role})
	if err != nil {
		return err
	}
	if err := t.Save(c.Tokens); err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}

type migrateCommand struct {
	Database string `required:"" help:"PostgreSQL: postgres://user:password@host:port/database." env:"LEADPACT_DATABASE"`
}

// Run migrates every schema.
func (c *migrateCommand) Run(ctx context.Context) error {
	for _, role := range []string{"scoring", "handoff", "compliance"} {
		s, err := app.OpenStores(ctx, "", c.Database, []string{role}, app.Migrate)
		if err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
		fmt.Printf("%s: at this program's schema\n", role)
	}
	return nil
}

type replayCommand struct {
	Events   string        `required:"" help:"Recorded rows: .csv with a header line, or .jsonl." type:"existingfile"`
	Map      string        `required:"" help:"Mapping of a row to an event." type:"existingfile"`
	To       string        `required:"" help:"Address of the source's hook: http://host:port/v1/hooks/NAME."`
	Accepted string        `help:"File to append the accepted events to, as verify --accepted reads them."`
	JSON     bool          `name:"json" help:"Print the report as JSON."`
	Patience time.Duration `help:"How long a batch is tried." default:"5m"`
}

// Run replays and reports; refused rows make it fail after the rest was sent.
func (c *replayCommand) Run(ctx context.Context) error {
	text, err := os.ReadFile(c.Map)
	if err != nil {
		return err
	}
	m, err := replay.ParseMapping(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Map, err)
	}
	o := replay.Options{Events: c.Events, To: c.To, Mapping: m, Secret: app.Secret, Patience: c.Patience}
	if c.Accepted != "" {
		f, err := os.OpenFile(c.Accepted, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close() // each line is written through
		o.Accepted = f
	}
	if info, err := os.Stat(c.Events); err == nil && term.IsTerminal(int(os.Stderr.Fd())) {
		bar := progressbar.NewOptions64(info.Size(), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription("replaying"), progressbar.OptionSetWidth(32), progressbar.OptionThrottle(100*time.Millisecond))
		o.Progress = func(done int64) { _ = bar.Set64(done) }
		defer fmt.Fprintln(os.Stderr)
	}
	report, err := replay.Run(ctx, o)
	if printErr := printReplay(os.Stdout, report, c.JSON); printErr != nil {
		return printErr
	}
	if err == nil && len(report.Refused) > 0 {
		return failed{1}
	}
	return err
}

func printReplay(w io.Writer, r replay.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "rows      %d\naccepted  %d\nrefused   %d\nretries   %d\n", r.Rows, r.Accepted, len(r.Refused), r.Retries)
	const shown = 20
	for i, refused := range r.Refused {
		if i == shown {
			_, _ = fmt.Fprintf(&b, "  … and %d more; --json lists them all\n", len(r.Refused)-shown)
			break
		}
		_, _ = fmt.Fprintf(&b, "  line %d: %s\n", refused.Line, refused.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
