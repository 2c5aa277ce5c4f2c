package door

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/embedded"
	"github.com/leadpact/leadpact/internal/collector"
	"github.com/leadpact/leadpact/services/ingest"
	"github.com/leadpact/leadpact/tools/bench/work"
)

// ours is ingest with the embedded event log, as one process runs them, every 202 after its fsync. Nobody takes the events out.
func ours(ctx context.Context, dir string) (_ http.Handler, stop func() error, err error) {
	a, err := work.Ordinary().Parse()
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.DiscardHandler)
	srv, err := embedded.Start(embedded.Config{Dir: filepath.Join(dir, "nats")})
	if err != nil {
		return nil, nil, err
	}
	b, err := bus.Open(ctx, bus.Config{Server: srv, Partitions: 1, MaxBytes: 4 << 30, Logger: log})
	if err != nil {
		return nil, nil, err
	}
	if err := b.Declare(ctx); err != nil {
		return nil, nil, err
	}
	svc, err := ingest.New(ingest.Config{
		Bus: b, Agreements: only{a}, Secret: func(string) (string, error) { return work.Secret, nil }, Now: time.Now,
		Registerer: prometheus.NewRegistry(), Logger: log,
	})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = svc.Run(ctx) }) // it ends with ctx
	running.Go(func() { collector.Run(ctx) })
	return svc.Handler(), func() error {
		cancel()
		running.Wait()
		ctx, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		if err := b.Close(ctx); err != nil {
			return err
		}
		return srv.Stop(ctx)
	}, nil
}

type only struct{ a *agreement.Agreement }

func (o only) At(time.Time) (*agreement.Agreement, bool) { return o.a, true }
