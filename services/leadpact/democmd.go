package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/leadpact/leadpact/internal/collector"
	"github.com/leadpact/leadpact/services/leadpact/demo"
)

type demoCommand struct {
	Headless bool          `help:"Without a person: no ticker, free addresses."`
	Seed     uint64        `help:"Seed of the play; the same seed sends the same ids and bodies." default:"7"`
	Duration time.Duration `help:"How long it plays." default:"5m"`
	JSON     bool          `name:"json" help:"Print one JSON summary on standard output."`
	HTTP     string        `name:"http" help:"Address of the HTTP door; a taken one is replaced." default:"127.0.0.1:8080"`
	GRPC     string        `name:"grpc" help:"Address of the gRPC door; a taken one is replaced." default:"127.0.0.1:9090"`
}

// Run plays; it fails when anything happened that must not.
func (c *demoCommand) Run(ctx context.Context, logger *slog.Logger) error {
	if c.Duration < time.Second || c.Duration > time.Hour {
		return fmt.Errorf("--duration %s: give between 1s and 1h", c.Duration)
	}
	o := demo.Options{Seed: c.Seed, Duration: c.Duration, HTTP: c.HTTP, GRPC: c.GRPC, Version: programVersion(), Logger: logger}
	if c.Headless {
		o.HTTP, o.GRPC = "127.0.0.1:0", "127.0.0.1:0"
	} else {
		out := os.Stdout
		if c.JSON {
			out = os.Stderr // standard output belongs to the summary
		}
		tty := term.IsTerminal(int(out.Fd()))
		o.Screen = demo.NewScreen(out, tty, tty && os.Getenv("NO_COLOR") == "")
	}
	go collector.Run(ctx)
	s, err := demo.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		err = e.Encode(s)
	} else {
		err = printDemo(os.Stdout, s)
	}
	if err == nil && len(s.Wrong) > 0 {
		return failed{1}
	}
	return err
}

func printDemo(w io.Writer, s demo.Summary) error {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(&b, "  %-12s "+format+"\n", append([]any{name}, args...)...)
	}
	_, _ = fmt.Fprintln(&b)
	e := s.Events
	row("events", "%d sent, %d accepted = %d applied + %d duplicate + %d quarantined; %d refused", e.Sent, e.Accepted, e.Applied, e.Duplicate, e.Quarantined, e.Refused)
	var stages []string
	for _, name := range slices.Sorted(maps.Keys(s.Stages)) {
		stages = append(stages, fmt.Sprintf("%s %d", name, s.Stages[name]))
	}
	row("leads", "%d: %s", s.Leads, strings.Join(stages, ", "))
	row("assignments", "%d made, %d of them again, %d double", s.Assignments.Made, s.Assignments.Reassigned, s.Assignments.Double)
	row("clocks", "%d started: %d met, %d breached (%d of them corrected), %d cancelled, %d open",
		s.Clocks.Started, s.Clocks.Met, s.Clocks.Breached, s.Clocks.Corrected, s.Clocks.Cancelled, s.Clocks.Open)
	row("breaches", "%d early, %d duplicate; the referee saw %d, gRPC %d, /metrics %d", s.Breaches.Early, s.Breaches.Duplicate, s.Seen.Referee, s.Seen.GRPC, s.Seen.Metrics)
	row("latency", "webhook to assigned p50 %.1f ms, p99 %.1f ms; breach lateness p50 %.1f ms, p99 %.1f ms",
		s.Latency.WebhookToAssigned.P50, s.Latency.WebhookToAssigned.P99, s.Latency.BreachLateness.P50, s.Latency.BreachLateness.P99)
	row("notices", "%d received, %d of them again", s.Notices.Received, s.Notices.Repeated)
	_, _ = fmt.Fprintln(&b)
	for _, line := range s.Verify {
		_, _ = fmt.Fprintf(&b, "  %s\n", line)
	}
	for _, wrong := range s.Wrong {
		_, _ = fmt.Fprintf(&b, "  WRONG  %s\n", wrong)
	}
	_, _ = fmt.Fprintf(&b, "\n  next: read docs/agreement.md, write your own agreement, leadpact check it, leadpact serve it\n")
	_, err := io.WriteString(w, b.String())
	return err
}
