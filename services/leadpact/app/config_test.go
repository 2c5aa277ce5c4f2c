package app_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/services/leadpact/app"
)

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	production := func(c app.Config) app.Config {
		c.NATS, c.Database = "nats://127.0.0.1:1", "postgres://127.0.0.1:1/x"
		return c
	}
	for name, c := range map[string]struct {
		cfg  app.Config
		want string
	}{
		"unknown role":             {app.Config{Data: "x", Roles: []string{"console"}}, `role "console" does not exist: roles are ingest, scoring, handoff, compliance`},
		"role twice":               {app.Config{Data: "x", Roles: []string{"ingest", "ingest", "scoring", "handoff"}}, `role "ingest" is named twice`},
		"role alone, embedded":     {app.Config{Data: "x", Roles: []string{"ingest"}}, "embedded, one process has all roles"},
		"no data":                  {app.Config{}, "--data is missing"},
		"NATS alone":               {app.Config{Data: "x", NATS: "nats://x"}, "--nats and --database go together"},
		"database alone":           {app.Config{Data: "x", Database: "postgres://x"}, "--nats and --database go together"},
		"monitor, embedded":        {app.Config{Data: "x", NATSMonitors: []string{"x"}}, "--nats-monitor and --durability-unproven are about a NATS cluster"},
		"unproven, embedded":       {app.Config{Data: "x", DurabilityUnproven: true}, "--nats-monitor and --durability-unproven are about a NATS cluster"},
		"partitions":               {app.Config{Data: "x", Partitions: -1}, "--partitions -1: give 1 or more"},
		"proxy":                    {app.Config{Data: "x", TrustedProxies: []string{"10.0.0.0/8", "proxy.example.com"}}, "--trusted-proxies proxy.example.com: write an address"},
		"public address":           {app.Config{Data: t.TempDir(), PublicURL: "leads.example.com", HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0"}, "--public-url"},
		"drain delay":              {app.Config{Data: "x", DrainDelay: -time.Second}, "--drain-delay -1s: give 0s or more"},
		"agreement, production":    {production(app.Config{Agreement: "a.yaml"}), "--agreement activates on the embedded way only"},
		"no lead key, production":  {production(app.Config{Tokens: "t"}), "--lead-key is missing"},
		"no tokens, production":    {production(app.Config{Roles: []string{"handoff"}}), "--tokens is missing"},
		"ingest and another":       {production(app.Config{Roles: []string{"ingest", "handoff"}}), "--tokens is missing"},
		"lead key is no reference": {app.Config{Data: t.TempDir(), LeadKey: "hunter2", HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0"}, "write env:NAME or file:PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := app.New(t.Context(), c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("told %v, not %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows what may be a secret: %v", err)
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSecret(t *testing.T) {
	t.Setenv("LEADPACT_TEST_SECRET", "from the environment")
	file := t.TempDir() + "/secret"
	write(t, file, " from a file\n")
	empty := t.TempDir() + "/empty"
	write(t, empty, " \n")
	for ref, want := range map[string]string{
		"env:LEADPACT_TEST_SECRET": "from the environment", "file:" + file: "from a file",
		"env:LEADPACT_TEST_NONE": "", "file:" + file + "x": "", "file:" + empty: "", "hunter2": "", "": "", "vault:x": "",
	} {
		got, err := app.Secret(ref)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows what may be a secret: %v", err)
		}
	}
}
