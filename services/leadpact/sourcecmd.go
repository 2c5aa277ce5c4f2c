package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/preset"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/rehearsal"
	"github.com/leadpact/leadpact/services/leadpact/trial"
)

type sourceCommand struct {
	List sourceListCommand `cmd:"" help:"List the tools that are known: how each proves itself, and what its secret is."`
	Test sourceTestCommand `cmd:"" help:"Show what would be taken of a request to a source, and why not the rest. Nothing is written or sent."`
	Curl sourceCurlCommand `cmd:"" help:"Print a curl command that a source's door takes. No secret stands in it."`
}

type sourceListCommand struct {
	JSON bool `name:"json" help:"Print the list as JSON."`
}

// tool is one preset, for a person who looks for his.
type tool struct {
	Name    string           `json:"name"`
	Title   string           `json:"title"`
	Formats []preset.Format  `json:"formats"`
	Proof   preset.ProofKind `json:"proof"`
	Secret  string           `json:"secret"`
}

// Run lists the presets.
func (c *sourceListCommand) Run() error {
	var all []tool
	for _, name := range preset.Names() {
		p, err := preset.ByName(name)
		if err != nil {
			return err
		}
		all = append(all, tool{name, p.Title, p.Formats, p.Proof.Kind, p.Secret})
	}
	if c.JSON {
		return writeJSON(os.Stdout, all)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "preset\ttool\tformats\tproof") // Flush says what failed
	secrets := make([]string, 0, len(all))
	for _, t := range all {
		formats := make([]string, 0, len(t.Formats))
		for _, f := range t.Formats {
			formats = append(formats, string(f))
		}
		secrets = append(secrets, "secret: "+t.Secret)
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, t.Title, strings.Join(formats, ", "), t.Proof)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return writeUnder(os.Stdout, table.String(), secrets)
}

type sourceTestCommand struct {
	Name      string   `arg:"" help:"Source, as the agreement calls it."`
	Agreement string   `required:"" help:"Agreement."` // no path type: faults name it as it was given
	Body      string   `required:"" help:"File with the body as the tool sends it." type:"existingfile"`
	Header    []string `help:"A header of the request; several may be given." placeholder:"NAME: VALUE" sep:"none"`
	Query     []string `help:"A parameter in the address; several may be given." placeholder:"NAME=VALUE" sep:"none"`
	PublicURL string   `name:"public-url" help:"What stands before /v1/hooks in the address that the tool was given; some signatures cover it." default:"http://127.0.0.1:8080" placeholder:"URL"`
	Unsigned  bool     `help:"Leave the proof out. It is also left out when the request has none."`
	At        string   `help:"When the request arrives, as 2026-11-25T16:20:00Z; now unless given." placeholder:"TIME"`
	JSON      bool     `name:"json" help:"Print the answer as JSON."`
}

// Run ends with 1 when the door would refuse the request.
func (c *sourceTestCommand) Run() error {
	a, s, err := readSource(c.Agreement, c.Name)
	if err != nil {
		return err
	}
	q := rehearsal.Question{Agreement: a, Source: s, Secret: app.Secret, Unsigned: c.Unsigned, At: time.Now().UTC().Truncate(time.Microsecond)}
	if c.At != "" {
		if q.At, err = trial.Moment(c.At); err != nil {
			return err
		}
	}
	body, err := os.ReadFile(c.Body)
	if err != nil {
		return err
	}
	if q.Request, err = rehearsal.Request(c.PublicURL, c.Name, c.Header, c.Query, body); err != nil {
		return err
	}
	answer, err := rehearsal.Ask(q)
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(os.Stdout, answer)
	} else {
		err = answer.Write(os.Stdout)
	}
	if err == nil && !answer.Taken() {
		return failed{1}
	}
	return err
}

type sourceCurlCommand struct {
	Name      string `arg:"" help:"Source, as the agreement calls it."`
	Agreement string `required:"" help:"Agreement."` // no path type: faults name it as it was given
	To        string `help:"Address of the door." default:"http://127.0.0.1:8080" placeholder:"URL"`
	PublicURL string `name:"public-url" help:"What the door was told to be its public address, when it differs; some signatures cover it." placeholder:"URL"`
	Body      string `help:"File with the body; a sample of the tool's unless given." type:"existingfile"`
}

// Run prints the command on standard output, and what is to be known of it on standard error.
func (c *sourceCurlCommand) Run() error {
	a, s, err := readSource(c.Agreement, c.Name)
	if err != nil {
		return err
	}
	command := rehearsal.Curl{Source: s, To: c.To, Public: c.PublicURL, File: c.Body, Secret: app.Secret, At: time.Now()}
	if c.Body != "" {
		command.Body, err = os.ReadFile(c.Body)
	} else {
		command.Body, command.Media, err = rehearsal.Sample(a, s)
	}
	if err != nil {
		return err
	}
	if err := command.Write(os.Stdout); err != nil {
		return err
	}
	if command.Timely() {
		fmt.Fprintln(os.Stderr, "The signature covers the time: the command is good for five minutes.")
	}
	return nil
}

// readSource reads an agreement and finds one of its sources.
func readSource(file, name string) (*agreement.Agreement, agreement.Source, error) {
	a, err := readAgreement(file)
	if err != nil {
		return nil, agreement.Source{}, err
	}
	s, ok := a.Source(name)
	if !ok {
		var names []string
		for _, s := range a.Sources {
			names = append(names, s.Name)
		}
		return nil, s, fmt.Errorf("%s names no source %q: choose one of %s", file, name, strings.Join(names, ", "))
	}
	return a, s, nil
}
