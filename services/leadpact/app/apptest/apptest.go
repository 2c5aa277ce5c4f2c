// Package apptest runs the real embedded App for tests: in a temporary folder, on free addresses, with an agreement of one second.
package apptest

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/sender"
)

// Agreement hands each lead that raises its hand to one of two reps, who has a second to answer. Its sources are website, whose
// proof is an HMAC, and crm, whose proof is a bearer token, which may send history and is a witness.
//
//go:embed agreement.yaml
var Agreement []byte

// Roster has the reps ann and bob.
//
//go:embed roster.yaml
var Roster []byte

// waitMost bounds every wait here. It is long, because machines that build are busy, and says so only when something is broken.
const waitMost = time.Minute

// Site is one running process on one data folder.
type Site struct {
	*app.App
	Data string

	stop  context.CancelFunc
	ended chan error
}

// Config is the configuration of a process on data: everything embedded, the agreement activated at the start, a token for each of
// the roster's reps and for the manager "mia".
func Config(t testing.TB, data string) app.Config {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string][]byte{"agreement.yaml": Agreement, "roster.yaml": Roster} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return app.Config{
		Agreement: filepath.Join(dir, "agreement.yaml"), Roster: filepath.Join(dir, "roster.yaml"), Data: data,
		HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Secret: Secret, Version: "test",
		People: []identity.Person{{ID: "ann", Role: identity.Rep}, {ID: "bob", Role: identity.Rep}, {ID: "mia", Role: identity.Manager}},
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// Secret resolves the agreement's references to secrets.
func Secret(ref string) (string, error) {
	switch ref {
	case "env:WEBSITE", "env:CRM":
		return "a secret for " + ref, nil
	}
	return "", fmt.Errorf("no secret %s", ref)
}

// Start runs a process and waits until it takes webhooks. It is stopped when the test ends.
func Start(t testing.TB, cfg app.Config) *Site {
	t.Helper()
	s := Run(t, cfg)
	Until(t, "readiness", func() error { return s.Ready(t.Context()) })
	return s
}

// Run runs a process. It is stopped when the test ends.
func Run(t testing.TB, cfg app.Config) *Site {
	t.Helper()
	a, err := app.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background()) // ended by Stop, after the test's own context
	s := &Site{App: a, Data: cfg.Data, stop: stop, ended: make(chan error, 1)}
	go func() { s.ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

// Stop stops the process and returns what Run returned; called again, nil.
func (s *Site) Stop() error {
	s.stop()
	err, running := <-s.ended
	if running {
		close(s.ended)
	}
	return err
}

// Wait waits for the process to end by itself, and returns what Run returned.
func (s *Site) Wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-s.ended:
		close(s.ended)
		return err
	case <-time.After(waitMost):
		t.Fatal("the process goes on")
		return nil
	}
}

// Post sends events as a source does, and demands that all are taken.
func (s *Site) Post(t testing.TB, source string, events ...map[string]any) {
	t.Helper()
	Post(t, s.HTTPAddr(), source, events...)
}

// Post sends events to a door as a source of Agreement does, and demands that all are taken.
func Post(t testing.TB, door, source string, events ...map[string]any) {
	t.Helper()
	body, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	a, faults := agreement.Parse("agreement.yaml", Agreement)
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	src, ok := a.Source(source)
	if !ok {
		t.Fatalf("no source %s", source)
	}
	secret, err := Secret(src.Verify.Secrets[0])
	if err != nil {
		t.Fatal(err)
	}
	from := sender.New("http://"+door+"/v1/hooks/"+source, src.Verify.Proof, secret, waitMost)
	defer from.Close()
	answer, err := from.Post(t.Context(), "", body)
	if err != nil || answer.Status != http.StatusAccepted || len(answer.IDs) != len(events) {
		t.Fatalf("post as %s: %+v, %v", source, answer, err)
	}
}

// Get asks the HTTP door.
func (s *Site) Get(t testing.TB, path string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.HTTPAddr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// Dial is a connection to the gRPC door with a token; "" sends none.
func (s *Site) Dial(t testing.TB, token string) *grpc.ClientConn {
	t.Helper()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if token != "" {
		options = append(options, grpc.WithPerRPCCredentials(identity.Bearer(token)))
	}
	conn, err := grpc.NewClient(s.GRPCAddr(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Inbox is what a rep sees.
func (s *Site) Inbox(t testing.TB, rep string) []*leadpactv1.Assignment {
	t.Helper()
	resp, err := leadpactv1.NewHandoffServiceClient(s.Dial(t, s.Token(rep))).ListInbox(t.Context(), &leadpactv1.ListInboxRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetAssignments()
}

// Assigned waits until a rep holds the lead with that address, and returns the assignment.
func (s *Site) Assigned(t testing.TB, email string) (found *leadpactv1.Assignment) {
	t.Helper()
	Until(t, "an assignment of "+email, func() error {
		for _, rep := range []string{"ann", "bob"} {
			for _, a := range s.Inbox(t, rep) {
				if a.GetContact().GetEmail() == email {
					found = a
					return nil
				}
			}
		}
		return errors.New("nobody has it")
	})
	return found
}

// Stores opens the site's stores to look at.
func Stores(t testing.TB, data string) app.Stores {
	t.Helper()
	s, err := app.OpenStores(t.Context(), data, "", []string{event.Scoring, event.Handoff, event.Compliance}, app.Look)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Until waits for what other goroutines bring about.
func Until(t testing.TB, what string, done func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitMost)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s in vain: %v", what, err)
		case <-tick.C:
		}
	}
}
