package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/internal/quarantine"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/timer"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/services/compliance"
	"github.com/leadpact/leadpact/services/handoff"
	"github.com/leadpact/leadpact/services/ingest"
	"github.com/leadpact/leadpact/services/ingest/fetch"
	"github.com/leadpact/leadpact/services/scoring"
)

// clockShards is how many parts the clocks are cut into; each has one owner at a time. It is fixed, as it stands in the rows.
const clockShards = 8

// commandLine is the actor of what was given as a flag.
const commandLine = "command line"

// openRoles builds the services of this process.
func (a *App) openRoles(ctx context.Context, s Stores) error {
	if a.cfg.has(event.Ingest) {
		if err := a.openIngest(); err != nil {
			return err
		}
	}
	if s.Scoring != nil {
		if err := a.openScoring(s.Scoring); err != nil {
			return err
		}
	}
	if s.Handoff != nil {
		if err := a.openHandoff(ctx, s.Handoff); err != nil {
			return err
		}
	}
	if s.Compliance != nil {
		if err := a.openCompliance(s.Compliance); err != nil {
			return err
		}
	}
	return a.openQuarantine()
}

// openQuarantine answers for the quarantines of all roles that the process has: a server has each gRPC service once.
func (a *App) openQuarantine() error {
	if len(a.quarantines) == 0 {
		return nil
	}
	svc, err := quarantine.New(a.quarantines, a.logger.With("role", "quarantine"))
	if err != nil {
		return err
	}
	leadpactv1.RegisterQuarantineServiceServer(a.grpc, svc)
	return nil
}

func (a *App) openIngest() error {
	svc, err := ingest.New(ingest.Config{
		Agreements: a.versions, Bus: a.bus, Secret: a.cfg.Secret, Now: time.Now, Logger: a.logger.With("role", event.Ingest), Registerer: a.registry,
		Follow: a.follow, PublicURL: a.cfg.PublicURL, TrustedProxies: a.cfg.proxies,
	})
	if err != nil {
		return err
	}
	a.hooks = svc.Handler()
	a.workers = append(a.workers, runner{"ingest", svc.Run})
	a.checks = append(a.checks, check{"ingest", svc.Ready})
	fetcher, err := fetch.New(fetch.Config{
		Agreements: a.versions, Bus: a.bus, Secret: a.cfg.Secret, Now: time.Now, Logger: a.logger.With("role", event.Ingest), Registerer: a.registry,
		HubSpot: a.cfg.HubSpot,
	})
	if err != nil {
		return err
	}
	a.workers = append(a.workers, runner{"fetcher", func(ctx context.Context) error {
		select {
		case <-a.declared:
			return fetcher.Run(ctx)
		case <-ctx.Done():
			return nil
		}
	}})
	return nil
}

// follow hands over what scoring and handoff say from now on.
func (a *App) follow(ctx context.Context, f func(*eventv1.Event)) error {
	select {
	case <-a.declared:
	case <-ctx.Done():
		return nil
	}
	return a.bus.Tap(ctx, []string{event.Scoring, event.Handoff}, func(_ string, _ int, events []*eventv1.Event, _ time.Time) {
		for _, e := range events {
			f(e)
		}
	})
}

func (a *App) openScoring(s store.Scoring) error {
	key, err := a.leadKey()
	if err != nil {
		return err
	}
	relay := a.relay(event.Scoring, s)
	svc, err := scoring.New(scoring.Config{
		Store: s, Agreements: a.versions, Partitions: a.bus.Partitions(), Key: key, Kick: relay.Kick, Errand: a.bus.PublishErrand,
		Metrics: a.registry, Log: a.logger.With("role", event.Scoring),
	})
	if err != nil {
		return err
	}
	leadpactv1.RegisterLeadServiceServer(a.grpc, svc)
	a.quarantines[event.Scoring] = quarantine.Room{Store: s, Retry: svc.Retry}
	a.consume(event.Scoring, svc)
	return nil
}

func (a *App) openHandoff(ctx context.Context, s store.Handoff) error {
	log := a.logger.With("role", event.Handoff)
	relay := a.relay(event.Handoff, s)
	var clocks *timer.Timer
	cfg := handoff.Config{
		Store: s, Partitions: a.bus.Partitions(), Shards: clockShards, Queued: relay.Kick, Secret: a.cfg.Secret,
		Arm:      func(shard int, wakes ...store.Wake) { clocks.Arm(shard, wakes...) },
		Schedule: a.cfg.NoticeRetries, Registerer: a.registry, Log: log,
	}
	if a.cfg.PrivateNotices {
		cfg.PlainHTTP = true
		cfg.Private = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8"),
			netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fc00::/7")}
	}
	svc, err := handoff.New(cfg)
	if err != nil {
		return err
	}
	clocks, err = timer.New(timer.Config{
		Name: "clocks", Shards: clockShards, Owner: a.owner, Store: s, Fire: svc.FireClocks, Logger: log,
	})
	if err != nil {
		return err
	}
	if a.cfg.Roster != "" {
		if err := a.startRoster(ctx, s, svc); err != nil {
			return fmt.Errorf("take in the roster %s: %w", a.cfg.Roster, err)
		}
	}
	leadpactv1.RegisterHandoffServiceServer(a.grpc, svc)
	a.quarantines[event.Handoff] = quarantine.Room{Store: s, Retry: quarantine.Again(s, svc)}
	a.consume(event.Handoff, svc)
	a.workers = append(a.workers, runner{"clocks", clocks.Run}, runner{"waiting handoffs", svc.RunWaiting}, runner{"notices", svc.RunNotices})
	return nil
}

// startRoster takes the roster's file in, unless another has taken its place since it did last: a process that starts again must not
// undo what was changed meanwhile.
func (a *App) startRoster(ctx context.Context, s store.Handoff, svc *handoff.Service) error {
	text, err := ReadFile(a.cfg.Roster)
	if err != nil {
		return err
	}
	if r, faults := agreement.ParseRoster(a.cfg.Roster, text); len(faults) == 0 {
		history, err := s.ListRosters(ctx, math.MaxInt32)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(history, func(row store.RosterRow) bool { return row.Hash == r.Hash }); i > 0 {
			a.logger.Warn("the roster that applies stays: another took the place of this file's; leadpact roster FILE makes it apply again", "file", a.cfg.Roster)
			return nil
		}
	}
	warnings, err := svc.TakeRoster(ctx, text, commandLine)
	for _, w := range warnings {
		a.logger.Warn("the roster does not fit a version of the agreement that is scheduled", "fault", w.Error())
	}
	return err
}

func (a *App) openCompliance(s store.Compliance) error {
	relay := a.relay(event.Compliance, s)
	svc, err := compliance.New(compliance.Config{
		Store: s, Owner: a.owner, Kick: relay.Kick, Logger: a.logger.With("role", event.Compliance), Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	leadpactv1.RegisterComplianceServiceServer(a.grpc, svc)
	leadpactv1.RegisterAgreementServiceServer(a.grpc, svc)
	a.quarantines[event.Compliance] = quarantine.Room{Store: s, Retry: quarantine.Again(s, svc)}
	a.consume(event.Compliance, svc)
	a.workers = append(a.workers, runner{"ledger", svc.Run})
	if a.cfg.Agreement != "" {
		a.activate = func(ctx context.Context) error {
			_, joined, faults, err := LoadAgreement(a.cfg.Agreement)
			if err != nil {
				return fmt.Errorf("read the agreement: %w", err)
			}
			if len(faults) > 0 {
				return agreement.Faults(faults)
			}
			signatures, err := os.ReadFile(a.cfg.Agreement + agreement.SealSuffix)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("read the agreement's signatures: %w", err)
			}
			_, err = svc.ActivateText(ctx, compliance.Activation{Text: joined.Text, Signatures: signatures, Actor: commandLine, Trial: true})
			if errors.Is(err, compliance.ErrActivatedBefore) {
				a.logger.Warn("the agreement in force stays", "reason", err)
				return nil
			}
			return err
		}
	}
	return nil
}

// relay carries a service's outbox.
func (a *App) relay(producer string, s store.Relay) *bus.Relay {
	r := bus.NewRelay(a.bus, producer, s, a.logger.With("role", producer))
	a.relays = append(a.relays, runner{producer + " outbox", r.Run})
	return r
}

func (a *App) consume(role string, h bus.Handler) {
	a.workers = append(a.workers, runner{role, func(ctx context.Context) error {
		select {
		case <-a.declared:
			return a.bus.Consume(ctx, role, h)
		case <-ctx.Done():
			return nil
		}
	}})
}

// leadKey is the secret that lead ids are made with. The embedded way makes one at the first start. Known leads
// are found by their identifiers, not by the key; it keeps ids from telling who somebody is.
func (a *App) leadKey() ([]byte, error) {
	if a.cfg.LeadKey != "" {
		key, err := a.cfg.Secret(a.cfg.LeadKey)
		return []byte(key), err
	}
	path := filepath.Join(a.cfg.Data, "lead.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key = []byte(rand.Text() + rand.Text())
		return key, identity.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of lead ids: %w", err)
	}
	return key, nil
}
