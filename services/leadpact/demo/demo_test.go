package demo

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(t *testing.T) Options {
	return Options{
		Seed: 7, Duration: 5 * time.Second, HTTP: anyPort, GRPC: anyPort, Version: "test",
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// TestHeadless plays for real. What it sends is given by the seed; what the reps make of it in time is not.
func TestHeadless(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	o := options(t)
	s, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range s.Wrong {
		t.Errorf("wrong: %s", wrong)
	}
	requests := plan(o.Seed, o.Duration, machinePace)
	sent, takeable := 0, 0
	for _, r := range requests {
		sent += max(len(r.IDs), 1)
		if !r.Forged && !r.Broken {
			takeable += len(r.IDs)
		}
	}
	e := s.Events
	if s.Plan != digest(requests) || e.Sent != sent || e.Accepted != takeable || e.Refused != sent-takeable || e.Accepted != e.Applied+e.Duplicate+e.Quarantined {
		t.Errorf("%d events were planned, %d of them good; the summary says %+v", sent, takeable, e)
	}
	if s.Leads == 0 || s.Stages["lead"] == s.Leads || s.Assignments.Made == 0 || s.Clocks.Started == 0 || s.Notices.Received == 0 || s.Notices.Forged != 0 {
		t.Errorf("nothing happened: %+v", s)
	}
	if s.Assignments.Double+s.Breaches.Early+s.Breaches.Duplicate != 0 || s.Latency.WebhookToAssigned.Count == 0 {
		t.Errorf("the referee says %+v", s.Verdict)
	}
	if len(s.Verify) != 13 || strings.Contains(strings.Join(s.Verify, "\n"), "FAIL") {
		t.Errorf("verify says\n%s", strings.Join(s.Verify, "\n"))
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "leadpact-demo-*")); err != nil || len(left) != 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

// TestWatched plays before a person who stops it, on addresses that another program has.
func TestWatched(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() // nothing was accepted
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &stopper{at: "handed to ", stop: stop}
	o := options(t)
	o.HTTP, o.Duration, o.Screen = taken.Addr().String(), 10*time.Minute, NewScreen(out, false, false)
	s, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range s.Wrong {
		t.Errorf("wrong: %s", wrong)
	}
	for _, want := range []string{
		"leadpact: an agreement of seconds", "  webhooks  http://127.0.0.1:", "  metrics   http://127.0.0.1:", "token: " + os.TempDir(),
		"stop      Ctrl-C; it ends by itself after 10m0s", "curl -d '{", "· new lead by ", "▲ MQL, grade ", "→ handed to ", "the play is over",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the screen lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), taken.Addr().String()) {
		t.Errorf("the screen shows colours or the taken address:\n%s", out.String())
	}
}

// stopper stops the play once it has shown a text. The screen writes one at a time.
type stopper struct {
	bytes.Buffer
	at   string
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.at)) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

func TestFolderCannotBeMade(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if _, err := Run(t.Context(), options(t)); err == nil || !strings.Contains(err.Error(), "make a folder for the demonstration") {
		t.Errorf("told %v", err)
	}
}

// TestAppBreaksDown: the play ends with the app's own error, long before its time.
func TestAppBreaksDown(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Duration = time.Hour
	p := newPlay(o, t.TempDir())
	o.Screen = NewScreen(&stopper{at: "leadpact: an agreement of seconds", stop: func() {
		if err := p.app.Bus().Close(deadline(t)); err != nil {
			t.Error(err)
		}
	}}, false, false)
	p.o = o
	if _, err := p.run(t.Context()); err == nil || !strings.Contains(err.Error(), "bus: closed") {
		t.Errorf("it ended with %v", err)
	}
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
