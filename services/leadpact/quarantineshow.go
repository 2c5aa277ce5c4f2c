package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

type quarantineShowCommand struct {
	caller
	Key     string `arg:"" help:"Key, as list shows it."`
	Service string `help:"Whose quarantine, when the key waits in several: scoring, handoff or compliance." placeholder:"NAME"`
	Raw     bool   `xor:"form" help:"Print the raw bytes alone."`
	JSON    bool   `xor:"form" name:"json" help:"Print JSON; the raw bytes in it are base64."`
}

// Run prints a row. Nothing of it is masked.
func (c *quarantineShowCommand) Run(ctx context.Context) error {
	var row *leadpactv1.Quarantined
	err := c.call(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := leadpactv1.NewQuarantineServiceClient(conn).GetQuarantined(ctx, &leadpactv1.GetQuarantinedRequest{Service: c.Service, Key: c.Key})
		row = resp.GetRow()
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "leadpact: this is personal data, as it was sent: keep it out of tickets and mails; that you read it was logged")
	switch {
	case c.Raw:
		_, err = os.Stdout.Write(row.GetRaw())
		return err
	case c.JSON:
		return writeJSON(os.Stdout, quarantinedOf(row))
	}
	_, err = os.Stdout.WriteString(describeRow(row))
	return err
}

// describeRow is a row for people to read.
func describeRow(row *leadpactv1.Quarantined) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(&b, "%-10s %s\n", name, clean(value))
		}
	}
	line("key", row.GetKey())
	attempts := "1 attempt"
	if n := row.GetAttempts(); n != 1 {
		attempts = fmt.Sprintf("%d attempts", n)
	}
	line("waits", fmt.Sprintf("with %s since %s, a %s of %d bytes, %s", row.GetService(), row.GetAt().AsTime().Format(time.RFC3339), row.GetKind(),
		row.GetSize(), attempts))
	if row.GetTriedAt() != nil {
		line("tried", row.GetTriedAt().AsTime().Format(time.RFC3339))
	}
	line("source", row.GetSource())
	line("event", row.GetEventId())
	line("stream", row.GetStream())
	line("agreement", row.GetAgreement())
	line("reason", row.GetReason())
	if len(row.GetRefused()) > 0 {
		line("refused", strings.Trim(fmt.Sprint(row.GetRefused()), "[]")+" (places of the events in the body, from 0; the others were taken)")
	}
	b.WriteString("\n")
	for _, h := range row.GetHeaders() {
		_, _ = fmt.Fprintf(&b, "%s: %s\n", clean(h.GetName()), clean(h.GetValue()))
	}
	if len(row.GetHeaders()) > 0 {
		b.WriteString("\n")
	}
	var e eventv1.Event
	if row.GetKind() == "event" && proto.Unmarshal(row.GetRaw(), &e) == nil {
		b.WriteString(clean(protojson.Format(&e)))
	} else {
		b.WriteString(clean(string(row.GetRaw())))
	}
	b.WriteString("\n")
	return b.String()
}
