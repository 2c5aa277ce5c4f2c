package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/replay"
)

type replayCommand struct {
	Events    string        `required:"" help:"Recorded rows: .csv with a header line, or .jsonl." type:"existingfile"`
	Map       string        `required:"" help:"Mapping of a row to an event." type:"existingfile"`
	To        string        `help:"Address of the source's hook: http://host:port/v1/hooks/NAME."`
	DryRun    bool          `help:"Map and check every row, and send nothing. It fails when rows would be refused."`
	Agreement string        `help:"Agreement that a dry run holds the rows against; the mapping alone unless given." type:"existingfile"`
	Source    string        `help:"Source of the agreement in a dry run; that of --to unless given."`
	Rate      replay.Rate   `help:"Rows a second, a minute or an hour at most: 200/s, 12000/m, 500000/h. As fast as the door takes them unless given." placeholder:"RATE"`
	Refused   string        `help:"File to write each refused row to, as a line of JSON: its line, its id and the reason." placeholder:"FILE"`
	State     string        `help:"File that says where an interrupted replay goes on; EVENTS.replay unless given." placeholder:"FILE"`
	Restart   bool          `help:"Begin anew where a replay was interrupted."`
	Accepted  string        `help:"File to append the accepted events to, as verify --accepted reads them." placeholder:"FILE"`
	JSON      bool          `name:"json" help:"Print the report as JSON."`
	Patience  time.Duration `help:"How long a batch is tried." default:"5m"`
}

// interrupted is the exit code of a replay that was told to stop, as a shell has it of a program that Ctrl-C ended.
const interrupted = 130

// Run replays and reports; refused rows make it fail after the rest was sent.
func (c *replayCommand) Run(ctx context.Context) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	if c.Accepted != "" {
		f, err := os.OpenFile(c.Accepted, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close() // each line is written through
		o.Accepted = f
	}
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	o.Progress = showProgress(os.Stderr)
	if terminal {
		o.Progress = drawProgress(os.Stderr)
	}
	report, err := replay.Run(ctx, o)
	if terminal {
		fmt.Fprintln(os.Stderr) // behind the bar
	}
	if report.Rows > 0 || err == nil {
		if err := c.print(os.Stdout, report); err != nil {
			return err
		}
	}
	switch {
	case errors.Is(err, replay.ErrInterrupted):
		fmt.Fprintf(os.Stderr, "leadpact: %v after %d rows: run it again to go on from there\n", err, report.Rows)
		return failed{interrupted}
	case err == nil && report.Refused > 0:
		return failed{1}
	}
	return err
}

func (c *replayCommand) options() (replay.Options, error) {
	text, err := os.ReadFile(c.Map)
	if err != nil {
		return replay.Options{}, err
	}
	m, err := replay.ParseMapping(text)
	if err != nil {
		return replay.Options{}, fmt.Errorf("%s: %w", c.Map, err)
	}
	o := replay.Options{
		Events: c.Events, To: c.To, Mapping: m, Secret: app.Secret, State: c.State, Restart: c.Restart, Rate: c.Rate, Refused: c.Refused,
		Patience: c.Patience,
	}
	switch {
	case !c.DryRun && (c.Agreement != "" || c.Source != ""):
		return o, errors.New("--agreement and --source are for a dry run: the door has its own")
	case !c.DryRun && c.To == "":
		return o, errors.New("--to is missing: the address of the source's hook, http://host:port/v1/hooks/NAME")
	case !c.DryRun:
		return o, nil
	case c.Accepted != "":
		return o, errors.New("--accepted says what was taken, and a dry run takes nothing")
	}
	o.Rehearse = &replay.Rehearsal{Source: c.Source}
	if c.Agreement == "" {
		return o, nil
	}
	if o.Rehearse.Source == "" && c.To != "" {
		if o.Rehearse.Source, _, err = replay.Hook(c.To); err != nil {
			return o, err
		}
	}
	if o.Rehearse.Source == "" {
		return o, errors.New("--source is missing: the source of the agreement that the rows are to be sent as")
	}
	o.Rehearse.Agreement, err = readAgreement(c.Agreement)
	return o, err
}

// drawProgress draws a bar.
func drawProgress(w io.Writer) func(replay.Progress) {
	var bar *progressbar.ProgressBar
	return func(p replay.Progress) {
		if bar == nil {
			bar = progressbar.NewOptions64(p.Size, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(24),
				progressbar.OptionSetPredictTime(false), progressbar.OptionThrottle(100*time.Millisecond))
		}
		bar.Describe(tellProgress(p))
		_ = bar.Set64(p.Done) // a bar that cannot be drawn stops nothing
	}
}

// showProgress writes a line every half minute.
func showProgress(w io.Writer) func(replay.Progress) {
	const every = 30 * time.Second
	last := time.Now()
	return func(p replay.Progress) {
		if time.Since(last) < every {
			return
		}
		last = time.Now()
		_, _ = fmt.Fprintln(w, tellProgress(p)) // the report comes at the end
	}
}

func tellProgress(p replay.Progress) string {
	return fmt.Sprintf("%d rows, %d refused, %.0f/s, %s left", p.Rows, p.Refused, p.PerSecond, p.Left.Round(time.Second))
}

// print prints the report.
func (c *replayCommand) print(w io.Writer, r replay.Report) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(r)
	}
	var b strings.Builder
	taken, not := "accepted", "refused"
	if c.DryRun {
		taken, not = "would be accepted", "would be refused"
	}
	width := max(len(taken), len("retries")) + 2
	line := func(name string, n int) { _, _ = fmt.Fprintf(&b, "%-*s%d\n", width, name, n) }
	line("rows", r.Rows)
	if r.Resumed > 0 {
		line("before", r.Resumed)
	}
	line(taken, r.Accepted)
	line(not, r.Refused)
	if !c.DryRun {
		line("retries", r.Retries)
	}
	for _, reason := range r.ByNumber() {
		_, _ = fmt.Fprintf(&b, "  %d × %s%s\n", r.Reasons[reason], reason, examples(r, reason))
	}
	if r.Refused > len(r.Examples) && c.Refused == "" {
		_, _ = b.WriteString("  --refused FILE writes each of them down\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// examples are the lines of the first rows that were refused for a reason: " (line 3, 7, …)".
func examples(r replay.Report, reason string) string {
	const most = 5
	var lines []string
	for _, one := range r.Examples {
		if one.Reason == reason && len(lines) < most {
			lines = append(lines, strconv.Itoa(one.Line))
		}
	}
	switch {
	case len(lines) == 0:
		return ""
	case len(lines) < r.Reasons[reason]:
		lines = append(lines, "…")
	}
	return " (line " + strings.Join(lines, ", ") + ")"
}
