package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"github.com/leadpact/leadpact/internal/collector"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/services/leadpact/app"
)

// serveCommand is how the program runs; embedded unless --nats and --database are given.
type serveCommand struct {
	Role      []string `help:"Roles of this process: ingest, scoring, handoff, compliance. All when none is given." env:"LEADPACT_ROLE"`
	Agreement string   `help:"Agreement to activate at the start; embedded only." type:"existingfile" env:"LEADPACT_AGREEMENT"`
	Roster    string   `help:"Roster: people, hours, absences." type:"existingfile" env:"LEADPACT_ROSTER"`
	Data      string   `help:"Folder of the embedded way: event log, databases, keys." default:"data" env:"LEADPACT_DATA"`
	HTTP      string   `name:"http" help:"Address of the webhook door, /livez, /readyz and /metrics." default:"127.0.0.1:8080" env:"LEADPACT_HTTP"`
	GRPC      string   `name:"grpc" help:"Address of the gRPC door." default:"127.0.0.1:9090" env:"LEADPACT_GRPC"`

	PublicURL      string   `name:"public-url" help:"What stands before /v1/hooks in the address that senders are given, as https://leads.example.com; some of their signatures cover it. Without it, the scheme and host of each request." env:"LEADPACT_PUBLIC_URL"`
	TrustedProxies []string `help:"Addresses or networks of proxies, with commas between, whose X-Forwarded-Proto and X-Forwarded-Host are believed." env:"LEADPACT_TRUSTED_PROXIES"`

	Admin string `help:"Address of the admin door: profiles (/debug/pprof/), /livez, /readyz and /metrics, to anyone who reaches it; keep it on loopback. None unless given." env:"LEADPACT_ADMIN"`

	NATS               string        `name:"nats" help:"NATS cluster: nats:// addresses, with commas between." env:"LEADPACT_NATS"`
	NATSMonitor        []string      `name:"nats-monitor" help:"Monitoring addresses of the NATS servers, to prove that they fsync." env:"LEADPACT_NATS_MONITOR"`
	DurabilityUnproven bool          `help:"Start although nobody proved that the NATS servers fsync before they acknowledge."`
	Database           string        `help:"PostgreSQL: postgres://user:password@host:port/database." env:"LEADPACT_DATABASE"`
	Partitions         int           `help:"Partitions of the event log; fixed once it exists. 1 embedded, else 8." env:"LEADPACT_PARTITIONS"`
	StreamBytes        int64         `help:"Bytes that each stream of the event log may hold before ingest answers 503; 0 is 256 MiB embedded, else 1 GiB." env:"LEADPACT_STREAM_BYTES"`
	LeadKey            string        `help:"Reference (env:NAME, file:PATH) to the secret that lead ids are made with." env:"LEADPACT_LEAD_KEY"`
	Tokens             string        `help:"File of the tokens that gRPC takes; leadpact token adds to it." env:"LEADPACT_TOKENS"`
	PrivateNotices     bool          `help:"Let notices go to loopback and private addresses, without TLS."`
	DrainDelay         time.Duration `help:"How long a stopping process says that it is not ready before it closes its door." default:"0s"`
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, logger *slog.Logger) error {
	a, err := app.New(ctx, app.Config{
		Roles: c.Role, Agreement: c.Agreement, Roster: c.Roster, Data: c.Data, HTTP: c.HTTP, GRPC: c.GRPC, Admin: c.Admin,
		PublicURL: c.PublicURL, TrustedProxies: c.TrustedProxies,
		NATS: c.NATS, NATSMonitors: c.NATSMonitor, DurabilityUnproven: c.DurabilityUnproven, Database: c.Database,
		Partitions: c.Partitions, StreamBytes: c.StreamBytes, LeadKey: c.LeadKey, Tokens: c.Tokens, PrivateNotices: c.PrivateNotices, DrainDelay: c.DrainDelay,
		Version: programVersion(), Logger: logger,
	})
	if err != nil {
		return err
	}
	attrs := []any{"http", a.HTTPAddr(), "grpc", a.GRPCAddr()}
	if c.Admin != "" {
		attrs = append(attrs, "admin", a.AdminAddr())
	}
	if c.NATS == "" {
		attrs = append(attrs, "data", c.Data, "admin_token", a.AdminToken())
		if err := writeAddresses(c.Data, a); err != nil {
			logger.Warn("verify will need --http: the addresses were not written down", "error", err)
		}
		defer os.Remove(addressesFile(c.Data)) // verify finds that nobody answers there
	}
	logger.Info("serving", attrs...)
	if term.IsTerminal(int(os.Stderr.Fd())) {
		tellWhere(os.Stderr, a)
	}
	go collector.Run(ctx)
	if err := a.Run(ctx); err != nil {
		return err
	}
	logger.Info("stopped")
	return nil
}

// tellWhere says to a person where everything is.
func tellWhere(w io.Writer, a *app.App) {
	_, _ = fmt.Fprintf(w, "\n  webhooks  http://%[1]s/v1/hooks/{source}\n  metrics   http://%[1]s/metrics\n  gRPC      %[2]s\n", a.HTTPAddr(), a.GRPCAddr())
	if a.AdminAddr() != "" {
		_, _ = fmt.Fprintf(w, "  profiles  http://%s/debug/pprof/\n", a.AdminAddr())
	}
	if token := a.AdminToken(); token != "" {
		_, _ = fmt.Fprintf(w, "  token     %s holds the administrator's; leadpact token makes one for each rep\n", token)
	}
	_, _ = fmt.Fprint(w, "  stop      Ctrl-C\n\n")
}

// addresses is what verify finds a running embedded process by.
type addresses struct {
	HTTP string `json:"http"`
	GRPC string `json:"grpc"`
}

func addressesFile(data string) string { return filepath.Join(data, "addresses.json") }

func writeAddresses(data string, a *app.App) error {
	text, err := json.Marshal(addresses{HTTP: a.HTTPAddr(), GRPC: a.GRPCAddr()})
	if err != nil {
		return err
	}
	return identity.WriteFile(addressesFile(data), text, 0o600)
}

// readAddresses finds the process that runs on a data folder, and makes sure that it does.
func readAddresses(ctx context.Context, data string) (addresses, error) {
	var out addresses
	text, err := os.ReadFile(addressesFile(data))
	if errors.Is(err, os.ErrNotExist) {
		return out, fmt.Errorf("nothing runs on %s, and what waits in its event log cannot be seen from outside: start leadpact serve --data %[1]s (or give --http when it runs elsewhere)", data)
	}
	if err != nil {
		return out, fmt.Errorf("find the running process: %w", err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, fmt.Errorf("find the running process: %s holds no addresses: %w", addressesFile(data), err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", out.HTTP)
	if err != nil {
		return out, fmt.Errorf("the process that ran on %s no longer answers: start leadpact serve --data %[1]s again: %w", data, err)
	}
	return out, conn.Close()
}
