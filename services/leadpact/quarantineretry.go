package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

type quarantineRetryCommand struct {
	caller
	chosenRows
	DryRun    bool   `help:"Say what would become of each, and change nothing."`
	Agreement string `help:"Agreement to try instead of the one in force, with --dry-run." type:"existingfile" placeholder:"FILE"`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Run retries page by page, and ends with 1 when anything still waits.
func (c *quarantineRetryCommand) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	req := &leadpactv1.RetryQuarantinedRequest{Service: c.Service, Source: c.Source, All: c.All, DryRun: c.DryRun}
	if c.Agreement != "" {
		if !c.DryRun {
			return errors.New("--agreement goes with --dry-run: activate the agreement, and retry then")
		}
		a, err := readAgreement(c.Agreement)
		if err != nil {
			return err
		}
		req.Agreement = a.Text
	}
	var rows []*leadpactv1.Retried
	for keys := c.Keys; ; {
		n := min(len(keys), 100)
		req.Keys = keys[:n]
		err := c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
			resp, err := leadpactv1.NewQuarantineServiceClient(conn).RetryQuarantined(ctx, req)
			rows, req.PageToken = append(rows, resp.GetRows()...), resp.GetNextPageToken()
			return err
		})
		if err != nil {
			return errors.Join(c.tell(os.Stdout, rows), err) // what was done before is done
		}
		if req.PageToken != "" {
			continue // of the same keys
		}
		if keys = keys[n:]; len(keys) == 0 {
			break
		}
	}
	if err := c.tell(os.Stdout, rows); err != nil {
		return err
	}
	for _, row := range rows {
		if row.GetOutcome() != "applied" {
			return failed{1}
		}
	}
	return nil
}

// retried is what became of a row, as JSON.
type retried struct {
	Key     string         `json:"key"`
	Service string         `json:"service,omitempty"`
	Kind    string         `json:"kind,omitempty"`
	Source  string         `json:"source,omitempty"`
	At      time.Time      `json:"at,omitzero"`
	Outcome string         `json:"outcome"`
	Reason  string         `json:"reason,omitempty"`
	Events  []retriedEvent `json:"events,omitempty"`
	Skipped int64          `json:"skipped,omitempty"`
}

type retriedEvent struct {
	ID     string   `json:"id"`
	Kind   string   `json:"kind,omitempty"`
	Result string   `json:"result"`
	Reason string   `json:"reason,omitempty"`
	Lead   string   `json:"lead,omitempty"`
	Stages []string `json:"stages,omitempty"`
}

func retriedOf(row *leadpactv1.Retried) retried {
	out := retried{
		Key: row.GetKey(), Service: row.GetService(), Kind: row.GetKind(), Source: row.GetSource(), Outcome: row.GetOutcome(), Reason: row.GetReason(),
		Skipped: row.GetSkipped(),
	}
	if row.GetAt() != nil {
		out.At = row.GetAt().AsTime()
	}
	for _, e := range row.GetEvents() {
		out.Events = append(out.Events, retriedEvent{e.GetId(), e.GetKind(), e.GetResult(), e.GetReason(), e.GetLead(), e.GetStages()})
	}
	return out
}

func (c *quarantineRetryCommand) tell(w io.Writer, rows []*leadpactv1.Retried) error {
	if c.JSON {
		out := make([]retried, len(rows))
		for i, row := range rows {
			out[i] = retriedOf(row)
		}
		return writeJSON(w, out)
	}
	out := bufio.NewWriter(w)
	counts := map[string]int{}
	for _, row := range rows {
		counts[row.GetOutcome()]++
		c.tellRow(out, row)
	}
	var sums []string
	for _, outcome := range []string{"applied", "kept", "later", "gone"} {
		if n := counts[outcome]; n > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	switch {
	case len(rows) == 0:
		_, _ = fmt.Fprintln(out, "nothing waits") // Flush says what failed
	case c.DryRun:
		_, _ = fmt.Fprintf(out, "a dry run, nothing has changed; it would be: %s\n", strings.Join(sums, ", "))
	default:
		_, _ = fmt.Fprintln(out, strings.Join(sums, ", "))
	}
	return out.Flush()
}

func (c *quarantineRetryCommand) tellRow(out io.Writer, row *leadpactv1.Retried) {
	since := ""
	if row.GetAt() != nil {
		since = fmt.Sprintf("%s  %s %s  ", row.GetAt().AsTime().Format(time.RFC3339), row.GetKind(), clean(row.GetSource()))
	}
	_, _ = fmt.Fprintf(out, "%-8s %s%s\n", row.GetOutcome(), since, row.GetKey())
	if row.GetReason() != "" {
		_, _ = fmt.Fprintf(out, "    %s\n", clean(row.GetReason()))
	}
	for _, e := range row.GetEvents() {
		text := strings.TrimSpace(fmt.Sprintf("%-9s %s %s", e.GetResult(), clean(e.GetKind()), clean(e.GetId())))
		if e.GetLead() != "" {
			text += ", lead " + e.GetLead()
		}
		if len(e.GetStages()) > 0 {
			text += ", enters " + strings.Join(e.GetStages(), ", ")
		}
		if e.GetReason() != "" && e.GetReason() != row.GetReason() {
			text += ": " + clean(e.GetReason())
		}
		_, _ = fmt.Fprintf(out, "    %s\n", text)
	}
	if row.GetSkipped() > 0 {
		_, _ = fmt.Fprintf(out, "    %d left out by the mapping\n", row.GetSkipped())
	}
}
