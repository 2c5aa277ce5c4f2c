// Package demo runs the whole of leadpact in one process with simulated senders and reps, over the real doors: signed webhooks in,
// gRPC and signed notices out. A referee looks on.
package demo

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/leadpact/app"
	"github.com/leadpact/leadpact/services/leadpact/referee"
)

//go:embed agreement.yaml
var agreementText []byte

//go:embed roster.yaml
var rosterText []byte

// Options of a demonstration.
type Options struct {
	Seed     uint64
	Duration time.Duration
	// Screen shows the live ticker; nil runs without a person.
	Screen *Screen
	// HTTP and GRPC are addresses to try first; a taken one is replaced by a free one.
	HTTP, GRPC string
	Version    string
	Logger     *slog.Logger
}

// settle is how long the demonstration waits for the last events to arrive.
const settle = 20 * time.Second

// errDark: the app ended in the midst of the play. Its own error says why.
var errDark = errors.New("the demonstration broke off")

// play is a running demonstration.
type play struct {
	o       Options
	dir     string
	secrets map[string]string
	app     *app.App
	desk    *desk
	senders *senders
	referee *referee.Referee
	watched *watch
	began   time.Time
	wrong   chan error
}

// Run plays until the duration has passed or ctx ends, and returns what the referee and the stores say. Nothing is left behind.
func Run(ctx context.Context, o Options) (Summary, error) {
	dir, err := os.MkdirTemp("", "leadpact-demo-")
	if err != nil {
		return Summary{}, fmt.Errorf("make a folder for the demonstration: %w", err)
	}
	defer os.RemoveAll(dir) // a temporary folder; the system clears it too
	return newPlay(o, dir).run(ctx)
}

func newPlay(o Options, dir string) *play {
	return &play{o: o, dir: dir, wrong: make(chan error, 100), secrets: map[string]string{
		"env:LEADPACT_DEMO_WEBSITE": rand.Text(), "env:LEADPACT_DEMO_FORMS": newWebhookSecret(),
		"env:LEADPACT_DEMO_CRM": rand.Text(), "env:LEADPACT_DEMO_NOTICES": newWebhookSecret(),
	}}
}

func (p *play) run(ctx context.Context) (Summary, error) {
	a, faults := agreement.Parse("agreement.yaml", agreementText)
	if len(faults) > 0 {
		return Summary{}, faults[0]
	}
	// The play's own context: when the person stops it, the parts still finish.
	stage, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	crew, stage := errgroup.WithContext(stage)
	defer crew.Wait() //nolint:errcheck // told below unless something else went wrong first
	defer leave()
	reps := map[string]*rep{}
	var err error
	p.desk, err = newDesk(ctx, p.secrets["env:LEADPACT_DEMO_NOTICES"], func(who, lead string) {
		if r := reps[who]; r != nil {
			crew.Go(func() error { r.work(stage, lead); return nil })
		}
	})
	if err != nil {
		return Summary{}, err
	}
	crew.Go(func() error { return ignoreClosed(p.desk.server.Serve(p.desk.listener)) })
	defer p.desk.server.Close() // the play is over

	roster, err := p.open(ctx)
	if err != nil {
		return Summary{}, err
	}
	// Nothing is played before an app that has broken down.
	ctx, dark := context.WithCancelCause(ctx)
	defer dark(nil)
	served := make(chan error, 1)
	go func() {
		served <- p.app.Run(stage)
		close(served) // whoever asks a second time does not wait
		dark(errDark)
	}()
	stop := func() error { leave(); return <-served }
	defer stop() //nolint:errcheck // told by the return below unless something else went wrong first

	if err := p.ready(ctx, served); err != nil {
		return Summary{}, err
	}
	var conns []*grpc.ClientConn
	defer func() {
		for _, c := range conns {
			_ = c.Close() // the play is over
		}
	}()
	for _, r := range roster.Reps {
		conn, err := p.dial(p.app.Token(r.ID))
		if err != nil {
			return Summary{}, err
		}
		conns = append(conns, conn)
		reps[r.ID] = newRep(r.ID, p.o.Seed, conn, p.note)
	}
	if err := p.attend(stage, crew, a); err != nil {
		return Summary{}, err
	}
	summary, err := p.perform(ctx, a)
	err = errors.Join(err, stop(), p.desk.server.Close())
	if lost := crew.Wait(); lost != nil {
		err = errors.Join(err, fmt.Errorf("a part of the demonstration broke down: %w", lost))
	}
	return summary, err
}

// open writes the files and builds the app.
func (p *play) open(ctx context.Context) (*agreement.Roster, error) {
	text := fmt.Appendf(rosterText[:len(rosterText):len(rosterText)],
		"\nnotices:\n  desk: {url: %q, secret: env:LEADPACT_DEMO_NOTICES}\n", p.desk.url())
	roster, faults := agreement.ParseRoster("roster.yaml", text)
	if len(faults) > 0 {
		return nil, faults[0]
	}
	files := map[string][]byte{"agreement.yaml": agreementText, "roster.yaml": text}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), data, 0o600); err != nil {
			return nil, fmt.Errorf("write the demonstration's files: %w", err)
		}
	}
	people := []identity.Person{{ID: "viewer", Role: identity.Manager}}
	for _, r := range roster.Reps {
		people = append(people, identity.Person{ID: r.ID, Role: identity.Rep})
	}
	cfg := app.Config{
		Agreement: filepath.Join(p.dir, "agreement.yaml"), Roster: filepath.Join(p.dir, "roster.yaml"), Data: filepath.Join(p.dir, "data"),
		HTTP: p.o.HTTP, GRPC: p.o.GRPC, People: people, PrivateNotices: true, Secret: p.secret, Version: p.o.Version, Logger: p.o.Logger,
		NoticeRetries: []time.Duration{0, 200 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second},
	}
	var err error
	if p.app, err = app.New(ctx, cfg); errors.Is(err, syscall.EADDRINUSE) {
		cfg.HTTP, cfg.GRPC = anyPort, anyPort // another program has the usual addresses
		p.app, err = app.New(ctx, cfg)
	}
	return roster, err
}

// anyPort is a free port on loopback.
const anyPort = "127.0.0.1:0"

func (p *play) secret(ref string) (string, error) {
	if s, ok := p.secrets[ref]; ok {
		return s, nil
	}
	return "", fmt.Errorf("the demonstration has no secret %s", ref)
}

// ready waits until webhooks would be accepted.
func (p *play) ready(ctx context.Context, served <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := p.app.Ready(ctx)
		if err == nil {
			return nil
		}
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			select {
			case failed := <-served:
				return errors.Join(errors.New("the demonstration did not start"), failed)
			default:
			}
			return fmt.Errorf("the demonstration did not become ready: %w", err)
		}
	}
}

// attend attaches the referee, the ticker and a watcher over gRPC, before the first webhook.
func (p *play) attend(ctx context.Context, crew *errgroup.Group, a *agreement.Agreement) error {
	p.referee = referee.New(hours(a))
	tap, err := p.app.Bus().Attach(ctx, []string{event.Ingest, event.Scoring, event.Handoff})
	if err != nil {
		return err
	}
	crew.Go(func() error {
		return tap.Run(ctx, func(_ string, _ int, events []*eventv1.Event, at time.Time) {
			p.referee.See(events, at)
			p.o.Screen.see(events)
		})
	})
	conn, err := p.dial(p.app.Token("viewer"))
	if err != nil {
		return err
	}
	p.watched = newWatch(conn)
	crew.Go(func() error {
		defer conn.Close() // the play is over
		return p.watched.run(ctx)
	})
	return nil
}

// perform sends the plan, lets it settle, and sums up.
func (p *play) perform(ctx context.Context, a *agreement.Agreement) (Summary, error) {
	requests := plan(p.o.Seed, p.o.Duration, p.o.Screen.pace())
	var err error
	if p.senders, err = newSenders(a, "http://"+p.app.HTTPAddr(), p.secret); err != nil {
		return Summary{}, err
	}
	defer p.senders.close()
	p.began = time.Now()
	p.o.Screen.open(p)
	show, cancel := context.WithTimeout(ctx, p.o.Duration)
	defer cancel()
	drawn := make(chan struct{})
	go func() { defer close(drawn); p.o.Screen.draw(show) }()
	p.senders.play(ctx, p.began, requests) // to its end, also on a machine that lags behind: one seed sends one set of events
	<-show.Done()
	<-drawn
	if cause := context.Cause(ctx); errors.Is(cause, errDark) {
		return Summary{}, cause // there is nobody left to ask
	}
	p.o.Screen.closing()
	return p.sum(context.WithoutCancel(ctx), requests)
}

func (p *play) dial(token string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(p.app.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(identity.Bearer(token)))
	if err != nil {
		return nil, fmt.Errorf("reach the demonstration over gRPC: %w", err)
	}
	return conn, nil
}

// note keeps what should not have happened; when too much did, the first hundred say enough.
func (p *play) note(err error) {
	select {
	case p.wrong <- err:
	default:
	}
}

// hours gives the referee the calendars as plain numbers; the demonstration's are of UTC and have no special dates.
func hours(a *agreement.Agreement) map[string]referee.Hours {
	out := map[string]referee.Hours{}
	for _, c := range a.Calendars {
		h := referee.Hours{Always: c.Always, Zone: time.UTC}
		for day, spans := range c.Weekly {
			for _, s := range spans {
				h.Weekly[day] = append(h.Weekly[day], [2]int{int(s.Open), int(s.Close)})
			}
		}
		out[c.Name] = h
	}
	return out
}

func newWebhookSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(raw[:])
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
