package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
	"google.golang.org/grpc"

	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

type quarantineCommand struct {
	List  quarantineListCommand  `cmd:"" help:"List what waits, the oldest first."`
	Show  quarantineShowCommand  `cmd:"" help:"Print one, whole: personal data."`
	Retry quarantineRetryCommand `cmd:"" help:"Take in again what a changed mapping, or a mended program, can read now; or try it with --dry-run."`
	Drop  quarantineDropCommand  `cmd:"" help:"Give up what nobody can mend."`
}

// chosenRows says which rows a command is about.
type chosenRows struct {
	Keys    []string `arg:"" optional:"" help:"Keys, as list shows them." name:"key"`
	Source  string   `help:"All of a source instead." placeholder:"NAME"`
	All     bool     `help:"All instead."`
	Service string   `help:"Whose quarantine: scoring, handoff or compliance; all that the process answers for unless given." placeholder:"NAME"`
}

func (c *chosenRows) check() error {
	ways := 0
	for _, given := range []bool{len(c.Keys) > 0, c.Source != "", c.All} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("name keys, or --source NAME, or --all: leadpact quarantine list shows what waits")
	}
	return nil
}

type quarantineListCommand struct {
	caller
	Source  string `help:"Of one source only." placeholder:"NAME"`
	Service string `help:"Whose quarantine: scoring, handoff or compliance; all that the process answers for unless given." placeholder:"NAME"`
	Limit   int    `help:"How many at most." default:"100"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run lists page by page.
func (c *quarantineListCommand) Run(ctx context.Context) error {
	if c.Limit < 1 {
		return fmt.Errorf("--limit %d: ask for at least 1", c.Limit)
	}
	var rows []*leadpactv1.Quarantined
	req := &leadpactv1.ListQuarantinedRequest{Service: c.Service, Source: c.Source}
	for more := true; more; {
		req.Limit = int32(min(c.Limit-len(rows), 500))
		err := c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
			resp, err := leadpactv1.NewQuarantineServiceClient(conn).ListQuarantined(ctx, req)
			rows, req.PageToken = append(rows, resp.GetRows()...), resp.GetNextPageToken()
			return err
		})
		if err != nil {
			return err
		}
		more = req.PageToken != "" && len(rows) < c.Limit
	}
	if c.JSON {
		out := make([]quarantined, len(rows))
		for i, row := range rows {
			out[i] = quarantinedOf(row)
		}
		return writeJSON(os.Stdout, out)
	}
	if len(rows) == 0 {
		fmt.Println("nothing waits")
		return nil
	}
	return writeQuarantined(os.Stdout, rows, req.PageToken != "")
}

// writeQuarantined writes the rows as a table, and under each its reason.
func writeQuarantined(out io.Writer, rows []*leadpactv1.Quarantined, more bool) error {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "SINCE\tSERVICE\tKIND\tSOURCE\tATTEMPTS\tBYTES\tKEY") // Flush says what failed
	reasons := make([]string, 0, len(rows))
	for _, row := range rows {
		reasons = append(reasons, clean(row.GetReason()))
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", row.GetAt().AsTime().Format(time.RFC3339), row.GetService(), row.GetKind(), clean(row.GetSource()),
			row.GetAttempts(), row.GetSize(), row.GetKey())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := writeUnder(out, table.String(), reasons); err != nil {
		return err
	}
	if more {
		_, err := fmt.Fprintln(out, "… and more: --limit shows them")
		return err
	}
	return nil
}

// writeUnder writes a table with a head, and under each of its rows a line that is too long for a column.
func writeUnder(out io.Writer, table string, under []string) error {
	for i, line := range strings.Split(strings.TrimSuffix(table, "\n"), "\n") {
		if i > 0 {
			line += "\n  " + under[i-1]
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// quarantined is a row as JSON.
type quarantined struct {
	Key       string            `json:"key"`
	Service   string            `json:"service"`
	Kind      string            `json:"kind"`
	Stream    string            `json:"stream,omitempty"`
	Source    string            `json:"source,omitempty"`
	EventID   string            `json:"event_id,omitempty"`
	Reason    string            `json:"reason"`
	Attempts  int64             `json:"attempts"`
	At        time.Time         `json:"at"`
	TriedAt   time.Time         `json:"tried_at,omitzero"`
	Bytes     int64             `json:"bytes"`
	Agreement string            `json:"agreement,omitempty"`
	Refused   []uint32          `json:"refused,omitempty"`
	Headers   []quarantinedName `json:"headers,omitempty"`
	Raw       []byte            `json:"raw,omitempty"`
}

type quarantinedName struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func quarantinedOf(row *leadpactv1.Quarantined) quarantined {
	out := quarantined{
		Key: row.GetKey(), Service: row.GetService(), Kind: row.GetKind(), Stream: row.GetStream(), Source: row.GetSource(), EventID: row.GetEventId(),
		Reason: row.GetReason(), Attempts: row.GetAttempts(), At: row.GetAt().AsTime(), Bytes: row.GetSize(), Agreement: row.GetAgreement(),
		Refused: row.GetRefused(), Raw: row.GetRaw(),
	}
	if row.GetTriedAt() != nil {
		out.TriedAt = row.GetTriedAt().AsTime()
	}
	for _, h := range row.GetHeaders() {
		out.Headers = append(out.Headers, quarantinedName{h.GetName(), h.GetValue()})
	}
	return out
}

type quarantineDropCommand struct {
	caller
	chosenRows
	Yes bool `help:"Do not ask."`
}

// Run asks, and drops.
func (c *quarantineDropCommand) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := c.confirm(); err != nil {
		return err
	}
	var dropped int64
	for keys := c.Keys; ; {
		n := min(len(keys), 100)
		err := c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
			resp, err := leadpactv1.NewQuarantineServiceClient(conn).DropQuarantined(ctx, &leadpactv1.DropQuarantinedRequest{
				Service: c.Service, Keys: keys[:n], Source: c.Source, All: c.All,
			})
			dropped += resp.GetDropped()
			return err
		})
		if err != nil {
			return err
		}
		if keys = keys[n:]; len(keys) == 0 {
			break
		}
	}
	fmt.Printf("dropped %d\n", dropped)
	if dropped < int64(len(c.Keys)) {
		return fmt.Errorf("%d of the keys do not wait", int64(len(c.Keys))-dropped)
	}
	return nil
}

func (c *quarantineDropCommand) confirm() error {
	if c.Yes {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return errors.New("what is dropped is gone for good: say --yes")
	}
	what := "these " + fmt.Sprint(len(c.Keys))
	switch {
	case c.Source != "":
		what = "all that waits of " + c.Source
	case c.All:
		what = "all that waits"
	}
	fmt.Fprintf(os.Stderr, "Drop %s? What is dropped is gone for good. Type yes: ", what)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was dropped")
	}
	return nil
}

// clean writes what a stranger sent so that a terminal only shows it: control characters, and bytes that are no text, as \x00.
func clean(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		stray := r == utf8.RuneError && n == 1
		if !stray && (r == '\n' || r == '\t' || !unicode.IsControl(r)) {
			b.WriteString(s[:n])
		} else {
			_, _ = fmt.Fprintf(&b, `\x%02x`, s[:n]) // of more than one byte the digits follow each other
		}
		s = s[n:]
	}
	return b.String()
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
