// Package app wires the roles together: it opens stores and bus, builds the services, binds the doors, runs everything, and takes
// it down in the opposite order. Tests and the demonstration run the same App as the program.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/embedded"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/quarantine"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// stopEach is how long one part may take to stop.
const stopEach = 5 * time.Second

// App is one process.
type App struct {
	cfg      Config
	logger   *slog.Logger
	registry *prometheus.Registry
	tokens   *identity.Tokens
	issued   map[string]string
	bus      *bus.Bus
	declared chan struct{} // closed when the streams stand
	versions *versions
	owner    string

	checks   []check
	draining atomic.Bool
	// workers take work in; relays carry out what they wrote, so they stop after them.
	workers, relays []runner
	hooks           http.Handler
	// quarantines are the rooms of those roles that have one.
	quarantines map[string]quarantine.Room
	// activate runs once the parts run.
	activate func(context.Context) error

	metrics                                   http.Handler
	httpListener, grpcListener, adminListener net.Listener // the last is nil without an admin door
	http, admin                               *http.Server
	grpc                                      *grpc.Server
	health                                    *health.Server
	down                                      teardown
}

// New opens and binds everything; nothing runs yet. On an error what was opened is closed again.
func New(ctx context.Context, cfg Config) (*App, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	a := &App{
		cfg: cfg, logger: cfg.Logger, registry: newRegistry(cfg.Version), owner: cfg.owner(), issued: map[string]string{},
		declared: make(chan struct{}), down: teardown{logger: cfg.Logger}, quarantines: map[string]quarantine.Room{},
	}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.down.run(context.WithoutCancel(ctx), stopEach))
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	if a.cfg.embedded() {
		if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
	}
	// The bus first: embedded, it holds the lock that admits one process to the data folder.
	if err := a.openBus(ctx); err != nil {
		return err
	}
	if err := a.openTokens(); err != nil {
		return err
	}
	s, err := OpenStores(ctx, a.cfg.Data, a.cfg.Database, a.cfg.Roles, Work)
	if err != nil {
		return err
	}
	a.down.push("stores", func(context.Context) error { return s.Close() })
	var kept []store.Agreements
	for _, b := range s.named() {
		kept = append(kept, b)
	}
	a.versions = newVersions(a.logger, kept...)
	if err := a.versions.load(ctx); err != nil {
		return err
	}
	a.workers = append(a.workers, runner{"agreements", func(ctx context.Context) error {
		if err := a.declare(ctx); err != nil {
			return err
		}
		return a.bus.WatchAgreements(ctx, func(e *eventv1.Event) error { return a.versions.take(ctx, e) })
	}})
	a.grpc, a.health = a.grpcDoor()
	a.metrics = a.metricsHandler()
	if err := a.openRoles(ctx, s); err != nil {
		return err
	}
	a.registry.MustRegister(newPlumbing(a.bus, s.named()))
	a.checks = append(a.checks, check{"bus", a.bus.Ready})
	for name, b := range s.named() {
		a.checks = append(a.checks, check{name + " store", b.Ping})
		a.workers = append(a.workers, a.expire(name, b))
	}
	return a.bind(ctx)
}

func (a *App) openBus(ctx context.Context) error {
	cfg := bus.Config{
		URL: a.cfg.NATS, Partitions: a.cfg.Partitions, MaxBytes: a.cfg.StreamBytes, Name: "leadpact " + a.owner,
		MonitorURLs: a.cfg.NATSMonitors, DurabilityUnproven: a.cfg.DurabilityUnproven, Logger: a.logger,
	}
	if a.cfg.embedded() {
		srv, err := embedded.Start(embedded.Config{Dir: filepath.Join(a.cfg.Data, "nats"), Logger: a.logger})
		if err != nil {
			return err
		}
		a.down.push("event log", srv.Stop)
		cfg.Server = srv
	}
	b, err := bus.Open(ctx, cfg)
	if err != nil {
		return err
	}
	a.bus = b
	a.down.push("bus", b.Close)
	if a.cfg.embedded() {
		return a.declare(ctx)
	}
	return nil
}

// declare makes or verifies the streams, and lets the consumers begin. On a cluster it is a part that runs beside the others: while
// NATS is away clocks run, and the doors say why they do not accept.
func (a *App) declare(ctx context.Context) error {
	select {
	case <-a.declared:
		return nil
	default:
	}
	if err := a.bus.Declare(ctx); err != nil {
		return err
	}
	close(a.declared)
	return nil
}

// openTokens loads the tokens. On the embedded way a first start makes one for an administrator and keeps it in a file.
func (a *App) openTokens() error {
	_, err := os.Stat(a.cfg.Tokens)
	missing := errors.Is(err, os.ErrNotExist)
	if missing && !a.cfg.embedded() && a.cfg.Tokens != "" {
		return fmt.Errorf("the token file %s is missing: leadpact token makes it", a.cfg.Tokens)
	}
	if a.tokens, err = identity.Load(a.cfg.Tokens); err != nil {
		return err
	}
	if missing && a.cfg.embedded() {
		token, err := a.tokens.Issue(identity.Person{ID: "admin", Role: identity.Admin})
		if err != nil {
			return err
		}
		if err := identity.WriteFile(a.adminToken(), []byte(token+"\n"), 0o600); err != nil {
			return err
		}
		if err := a.tokens.Save(a.cfg.Tokens); err != nil {
			return err
		}
	}
	for _, p := range a.cfg.People {
		token, err := a.tokens.Issue(p)
		if err != nil {
			return err
		}
		a.issued[p.ID] = token
	}
	return nil
}

// bind takes the addresses.
func (a *App) bind(ctx context.Context) error {
	var err error
	if a.httpListener, err = listen(ctx, "http", a.cfg.HTTP); err != nil {
		return err
	}
	a.down.push("http listener", closeListener(a.httpListener))
	if a.grpcListener, err = listen(ctx, "grpc", a.cfg.GRPC); err != nil {
		return err
	}
	a.down.push("grpc listener", closeListener(a.grpcListener))
	a.http = a.httpDoor(a.hooks)
	if a.cfg.Admin == "" {
		return nil
	}
	if a.adminListener, err = listen(ctx, "admin", a.cfg.Admin); err != nil {
		return err
	}
	a.down.push("admin listener", closeListener(a.adminListener))
	if at, ok := a.adminListener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		a.logger.Warn("the admin door is open beyond this machine: whoever reaches it reads profiles and can slow the process down", "admin", a.AdminAddr())
	}
	a.admin = a.adminDoor()
	return nil
}

// Run serves until ctx ends or a part fails, and then stops everything: the doors first, then the workers, then what carries their
// last words, then what they stood on.
func (a *App) Run(ctx context.Context) error {
	outside := context.WithoutCancel(ctx) // each crew is stopped in its turn, not all when ctx ends
	broken, fail := context.WithCancel(outside)
	defer fail()
	relays, workers := start(outside, fail, a.relays), start(outside, fail, a.workers)
	served := []runner{
		{"http", func(context.Context) error { return ignoreClosed(a.http.Serve(a.httpListener)) }},
		{"grpc", func(context.Context) error { return a.grpc.Serve(a.grpcListener) }},
	}
	if a.admin != nil {
		served = append(served, runner{"admin", func(context.Context) error { return ignoreClosed(a.admin.Serve(a.adminListener)) }})
	}
	doors := start(outside, fail, served)
	a.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)

	var err error
	if a.activate != nil {
		err = a.activate(ctx)
		if ctx.Err() != nil {
			err = nil // told to stop before it was begun
		}
	}
	if err == nil {
		tidy()
		select {
		case <-ctx.Done():
		case <-broken.Done():
		}
	}
	a.logger.Info("stopping")
	a.draining.Store(true)
	a.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	if err == nil {
		a.wait(broken)
	}
	doors.stop()
	stop := teardown{logger: a.logger}
	stop.push("relays", relays.end)
	stop.push("workers", workers.end)
	stop.push("doors", doors.end)
	stop.push("grpc", stopGRPC(a.grpc))
	stop.push("http", stopHTTP(a.http))
	if a.admin != nil {
		stop.push("admin", stopAdmin(a.admin))
	}
	return errors.Join(err, stop.run(outside, stopEach), a.Close())
}

// wait lets load balancers see that the process is leaving before its door closes.
func (a *App) wait(broken context.Context) {
	t := time.NewTimer(a.cfg.DrainDelay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-broken.Done():
	}
}

// Close closes what New opened. Run does it by itself.
func (a *App) Close() error { return a.down.run(context.Background(), stopEach) }

// HTTPAddr and GRPCAddr are the addresses that the doors are bound to.
func (a *App) HTTPAddr() string { return a.httpListener.Addr().String() }

// GRPCAddr is the address of the gRPC door.
func (a *App) GRPCAddr() string { return a.grpcListener.Addr().String() }

// AdminAddr is the address of the admin door; "" when there is none.
func (a *App) AdminAddr() string {
	if a.adminListener == nil {
		return ""
	}
	return a.adminListener.Addr().String()
}

// Bus is the process's bus, for a referee that looks on.
func (a *App) Bus() *bus.Bus { return a.bus }

// AdminToken is the file that holds the administrator's token on the embedded way; "" when nobody keeps one there.
func (a *App) AdminToken() string {
	if _, err := os.Stat(a.adminToken()); !a.cfg.embedded() || err != nil {
		return ""
	}
	return a.adminToken()
}

func (a *App) adminToken() string { return filepath.Join(a.cfg.Data, "admin.token") }

// Token is the token of one of the configured people.
func (a *App) Token(person string) string { return a.issued[person] }

func closeListener(l net.Listener) func(context.Context) error {
	return func(context.Context) error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// replicaName tells replicas apart in leases and in the server's monitoring.
func replicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), rand.Text()[:8])
}
