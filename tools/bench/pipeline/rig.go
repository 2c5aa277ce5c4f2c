package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/embedded"
	"github.com/leadpact/leadpact/internal/collector"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	"github.com/leadpact/leadpact/internal/timer"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/compliance"
	"github.com/leadpact/leadpact/services/handoff"
	"github.com/leadpact/leadpact/services/scoring"
	"github.com/leadpact/leadpact/tools/bench/row"
	"github.com/leadpact/leadpact/tools/bench/work"
)

const (
	partitions = 1
	shards     = 8
	// perMessage is how many events the door packs into one message under load.
	perMessage = 50
)

// An engine of the store.
const (
	SQLite   = "SQLite"
	Postgres = "PostgreSQL"
)

// rig is scoring and handoff, and compliance when asked, over the embedded event log and one engine, without the doors: the same
// parts as services/leadpact wires, so that a row can leave some out and look between them.
type rig struct {
	shape      work.Shape
	agreement  *agreement.Agreement
	scoring    store.Scoring
	handoff    store.Handoff
	compliance store.Compliance
	bus        *bus.Bus
	// url of the database, or the files of scoring's and handoff's.
	url   string
	files []string
	close []func() error
}

// open makes the stores and the event log anew.
func open(ctx context.Context, e *row.Env, engine string, shape work.Shape, withCompliance bool) (_ *rig, err error) {
	r := &rig{shape: shape}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	dir, remove, err := e.Folder("rig")
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, remove)
	if r.agreement, err = shape.Parse(); err != nil {
		return nil, err
	}
	if engine == SQLite {
		err = r.openSQLite(ctx, dir)
	} else {
		err = r.openPostgres(ctx, e)
	}
	if err != nil {
		return nil, err
	}
	if !withCompliance {
		r.compliance = nil
	}
	srv, err := embedded.Start(embedded.Config{Dir: filepath.Join(dir, "nats")})
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, within(ctx, srv.Stop))
	// Room for everything that compliance would have taken, as rows without it leave it lying.
	r.bus, err = bus.Open(ctx, bus.Config{Server: srv, Partitions: partitions, MaxBytes: row.Of[int64](e, 5<<30, 256<<20), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, within(ctx, r.bus.Close))
	if err := r.bus.Declare(ctx); err != nil {
		return nil, err
	}
	err = r.adopt(ctx)
	return r, err
}

func (r *rig) openSQLite(ctx context.Context, dir string) (err error) {
	r.files = []string{filepath.Join(dir, "scoring.db"), filepath.Join(dir, "handoff.db")}
	if r.scoring, err = sqlite.OpenScoring(ctx, r.files[0], sqlite.Options{}); err != nil {
		return err
	}
	r.close = append(r.close, r.scoring.Close)
	if r.handoff, err = sqlite.OpenHandoff(ctx, r.files[1], sqlite.Options{}); err != nil {
		return err
	}
	r.close = append(r.close, r.handoff.Close)
	if r.compliance, err = sqlite.OpenCompliance(ctx, filepath.Join(dir, "compliance.db"), sqlite.Options{}); err != nil {
		return err
	}
	r.close = append(r.close, r.compliance.Close)
	return nil
}

func (r *rig) openPostgres(ctx context.Context, e *row.Env) error {
	url, drop, err := e.Database(ctx)
	if err != nil {
		return err
	}
	r.url = url
	r.close = append(r.close, drop)
	if r.scoring, err = postgres.OpenScoring(ctx, url, postgres.Options{}); err != nil {
		return err
	}
	r.close = append(r.close, r.scoring.Close)
	if r.handoff, err = postgres.OpenHandoff(ctx, url, postgres.Options{}); err != nil {
		return err
	}
	r.close = append(r.close, r.handoff.Close)
	if r.compliance, err = postgres.OpenCompliance(ctx, url, postgres.Options{}); err != nil {
		return err
	}
	r.close = append(r.close, r.compliance.Close)
	return nil
}

// adopt stores the agreement as an activation would have.
func (r *rig) adopt(ctx context.Context) error {
	row := store.AgreementRow{Hash: r.agreement.Hash, ActiveFrom: time.Unix(1, 0).UTC(), Text: r.shape.Agreement(), Actor: "bench"}
	for _, s := range []store.Agreements{r.scoring, r.handoff} {
		if err := s.SaveAgreement(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// within gives f a while of its own, however ctx ended.
func within(ctx context.Context, f func(context.Context) error) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return f(ctx)
	}
}

// Close closes everything, the last first.
func (r *rig) Close() error {
	var errs []error
	for i := len(r.close) - 1; i >= 0; i-- {
		errs = append(errs, r.close[i]())
	}
	r.close = nil
	return errors.Join(errs...)
}

// fill publishes the events of leads from..to as the door would, packed and by partition.
func (r *rig) fill(ctx context.Context, from, to int, share float64) error {
	now := time.Now().UTC()
	waiting := make([][]*eventv1.Event, partitions)
	send := func(p int) error {
		if len(waiting[p]) == 0 {
			return nil
		}
		data, err := proto.Marshal(&eventv1.Batch{Major: event.Major, Events: waiting[p]})
		if err != nil {
			return err
		}
		waiting[p] = nil
		return r.bus.Publish(ctx, event.Ingest, event.Message{Partition: p, Data: data}, rand.Text())
	}
	for n := from; n < to; n++ {
		p := event.Partition("email:"+work.Email(n), partitions)
		if waiting[p] = append(waiting[p], work.Event(n, work.Handed(n, share), now)); len(waiting[p]) == perMessage {
			if err := send(p); err != nil {
				return err
			}
		}
	}
	for p := range waiting {
		if err := send(p); err != nil {
			return err
		}
	}
	return nil
}

// one is the only version of the agreement.
type one struct{ a *agreement.Agreement }

func (o one) At(time.Time) (*agreement.Agreement, bool) { return o.a, true }

func (o one) ByHash(hash string) (*agreement.Agreement, bool) { return o.a, hash == o.a.Hash }

// run works until ctx ends. look may stand between the services and their stores and events; nil looks at nothing.
func (r *rig) run(ctx context.Context, look func(role string, h bus.Handler) bus.Handler) error {
	log := slog.New(slog.DiscardHandler)
	if look == nil {
		look = func(_ string, h bus.Handler) bus.Handler { return h }
	}
	registry := prometheus.NewRegistry()
	var parts []func(context.Context) error
	relay := func(producer string, s store.Relay) *bus.Relay {
		one := bus.NewRelay(r.bus, producer, s, log)
		parts = append(parts, one.Run)
		return one
	}
	consume := func(role string, h bus.Handler) {
		h = look(role, h)
		parts = append(parts, func(ctx context.Context) error { return r.bus.Consume(ctx, role, h) })
	}
	sc, err := scoring.New(scoring.Config{
		Store: r.scoring, Agreements: one{r.agreement}, Partitions: partitions, Key: []byte("the key of the benchmarks"),
		Kick: relay(event.Scoring, r.scoring).Kick, Errand: r.bus.PublishErrand, Metrics: registry, Log: log,
	})
	if err != nil {
		return err
	}
	consume(event.Scoring, sc)
	var clocks *timer.Timer
	ho, err := handoff.New(handoff.Config{
		Store: r.handoff, Partitions: partitions, Shards: shards, Queued: relay(event.Handoff, r.handoff).Kick,
		Arm:        func(shard int, wakes ...store.Wake) { clocks.Arm(shard, wakes...) },
		Secret:     func(string) (string, error) { return work.Secret, nil },
		Registerer: registry, Log: log,
	})
	if err != nil {
		return err
	}
	if clocks, err = timer.New(timer.Config{Name: "clocks", Shards: shards, Owner: "bench", Store: r.handoff, Fire: ho.FireClocks, Logger: log}); err != nil {
		return err
	}
	if _, err := ho.TakeRoster(ctx, r.shape.Roster(), "bench"); err != nil {
		return err
	}
	consume(event.Handoff, ho)
	parts = append(parts, clocks.Run, ho.RunWaiting, ho.RunNotices)
	if r.compliance != nil {
		co, err := compliance.New(compliance.Config{Store: r.compliance, Owner: "bench", Kick: relay(event.Compliance, r.compliance).Kick, Logger: log, Registerer: registry})
		if err != nil {
			return err
		}
		consume(event.Compliance, co)
		parts = append(parts, co.Run)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	all.Go(func() { collector.Run(ctx) })
	for _, p := range parts {
		all.Go(func() {
			if err := p(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("a part of the pipeline ended: %w", err))
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
