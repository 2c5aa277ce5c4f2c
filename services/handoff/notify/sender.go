// Package notify tells people at once by signed webhooks, as Standard Webhooks writes them.
//
// A notice is written in the transaction that causes it and sent afterwards, at least once: its key goes out as webhook-id,
// however often it is sent, so that the receiver can drop a repeat. Nothing personal is stored with it; the text is rendered when
// it is sent.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/store"
)

// Store is what a Sender needs of handoff's store.
type Store interface {
	Now(ctx context.Context) (time.Time, error)
	DueNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Notice, error)
	SaveNotices(ctx context.Context, rows []store.Notice) error
}

// Config is what a Sender is made of.
type Config struct {
	Store Store
	// Endpoint returns the address of that name, as of now.
	Endpoint func(name string) (agreement.Endpoint, bool)
	// Render writes a notice's body, JSON.
	Render func(ctx context.Context, n store.Notice) ([]byte, error)
	// Secret resolves a reference, "env:NAME" or "file:PATH", to a Standard Webhooks secret.
	Secret func(reference string) (string, error)
	// Private networks that may be told besides the public internet; none by default.
	Private []netip.Prefix
	// PlainHTTP allows addresses without TLS.
	PlainHTTP bool
	// Schedule holds the pause before each attempt; as many attempts are made. Empty means Schedule().
	Schedule []time.Duration
	// Timeout of one attempt; 0 means 15 s.
	Timeout time.Duration
	// Poll is how often due notices are looked for unasked; 0 means 1 s.
	Poll time.Duration
	// Parallel attempts at most; 0 means 32.
	Parallel   int
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Schedule is the usual one: ten attempts over three days.
func Schedule() []time.Duration {
	return []time.Duration{
		0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Sender delivers notices. Several may run over one store: a notice that one has claimed is hidden from the others.
type Sender struct {
	cfg    Config
	client *http.Client
	kick   chan struct{}
	slots  chan struct{}
	sent   *prometheus.CounterVec

	mu sync.Mutex
	// gone are the addresses that answered 410, until the roster names another or the program starts anew.
	gone map[agreement.Endpoint]bool
}

// New checks the configuration.
func New(cfg Config) (*Sender, error) {
	if cfg.Store == nil || cfg.Endpoint == nil || cfg.Render == nil || cfg.Secret == nil || cfg.Registerer == nil || cfg.Log == nil {
		return nil, errors.New("make a notice sender: Store, Endpoint, Render, Secret, Registerer and Log must be set")
	}
	if len(cfg.Schedule) == 0 {
		cfg.Schedule = Schedule()
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.Poll == 0 {
		cfg.Poll = time.Second
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 32
	}
	s := &Sender{
		cfg: cfg, client: client(cfg), kick: make(chan struct{}, 1), slots: make(chan struct{}, cfg.Parallel),
		gone: make(map[agreement.Endpoint]bool),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadpact_handoff_notices_total", Help: "Attempts to deliver a notice, by result.",
		}, []string{"result"}),
	}
	for _, result := range []string{"sent", "failed", "dead"} {
		s.sent.WithLabelValues(result)
	}
	if err := cfg.Registerer.Register(s.sent); err != nil {
		return nil, fmt.Errorf("register the notice counter: %w", err)
	}
	return s, nil
}

// Kick makes Run look at once; it never blocks.
func (s *Sender) Kick() {
	select {
	case s.kick <- struct{}{}:
	default: // it will look anyway
	}
}

// Run sends what is due until ctx ends, then waits for the attempts under way. An error of the store is logged and tried again.
func (s *Sender) Run(ctx context.Context) error {
	poll := time.NewTicker(s.cfg.Poll)
	defer poll.Stop()
	defer s.client.CloseIdleConnections()
	var sending sync.WaitGroup
	defer sending.Wait()
	for {
		more, err := s.claim(ctx, &sending)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("due notices were not read", "error", err)
		}
		if more && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.kick:
		case <-poll.C:
		}
	}
}

// claim takes as many due notices as there are free slots and sends each on its own; more says that others may be due.
func (s *Sender) claim(ctx context.Context, sending *sync.WaitGroup) (more bool, err error) {
	free := 0
	for free < cap(s.slots) {
		select {
		case s.slots <- struct{}{}:
			free++
			continue
		default:
		}
		break
	}
	if free == 0 {
		return false, nil // a slot that falls free kicks
	}
	rows, err := s.due(ctx, free)
	for range free - len(rows) {
		<-s.slots
	}
	for _, n := range rows {
		sending.Go(func() {
			s.deliver(ctx, n)
			full := len(s.slots) == cap(s.slots)
			<-s.slots
			if full {
				s.Kick()
			}
		})
	}
	return err == nil && len(rows) == free, err
}

func (s *Sender) due(ctx context.Context, limit int) ([]store.Notice, error) {
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	// The lease outlasts the attempt and the writing of its result: nobody else sends it meanwhile.
	return s.cfg.Store.DueNotices(ctx, now, 2*s.cfg.Timeout+30*time.Second, limit)
}
