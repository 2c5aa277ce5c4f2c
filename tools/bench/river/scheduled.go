package river

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// The settings at which River is at its best on this job: it fetches as often as it may, and looks for what has fallen due 20
// times a second.
const (
	cooldown = time.Millisecond
	poll     = 50 * time.Millisecond
)

// due is a scheduled job: a promise that somebody must look at.
type due struct {
	Clock string    `json:"clock"`
	At    time.Time `json:"at"`
}

func (due) Kind() string { return "due" }

// punctual notes how late each job begins.
type punctual struct {
	river.WorkerDefaults[due]
	mu   sync.Mutex
	from time.Time // what falls due before is not noted
	want int
	late []float64
	done chan struct{}
}

func (p *punctual) Work(_ context.Context, job *river.Job[due]) error {
	late := time.Since(job.Args.At)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !job.Args.At.Before(p.from) {
		p.late = append(p.late, float64(late)/float64(time.Millisecond))
	}
	if p.want--; p.want == 0 {
		close(p.done)
	}
	return nil
}

// Scheduled lets rate scheduled jobs a second fall due for warmUp and then d, and returns by how many milliseconds after its due
// time each of those of d began.
func Scheduled(ctx context.Context, databaseURL string, rate int, warmUp, d time.Duration) (late []float64, err error) {
	pool, err := open(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	n := int(float64(rate) * (warmUp + d).Seconds())
	begin := time.Now().Add(3*time.Second + time.Duration(n)*50*time.Microsecond)
	worker := &punctual{from: begin.Add(warmUp), want: n, done: make(chan struct{})}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		FetchCooldown: cooldown, FetchPollInterval: poll, Logger: slog.New(slog.DiscardHandler), Workers: workers,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1000}},
	})
	if err != nil {
		return nil, fmt.Errorf("make a River client: %w", err)
	}
	step := time.Second / time.Duration(rate)
	jobs := make([]river.InsertManyParams, n)
	for i := range jobs {
		at := begin.Add(time.Duration(i) * step)
		jobs[i] = river.InsertManyParams{Args: due{fmt.Sprint("clock-", i), at}, InsertOpts: &river.InsertOpts{ScheduledAt: at}}
	}
	for from := 0; from < n; from += 1000 {
		if _, err := client.InsertManyFast(ctx, jobs[from:min(from+1000, n)]); err != nil {
			return nil, fmt.Errorf("insert scheduled jobs: %w", err)
		}
	}
	if err := client.Start(ctx); err != nil {
		return nil, fmt.Errorf("start River: %w", err)
	}
	defer func() {
		if stopErr := client.Stop(context.WithoutCancel(ctx)); err == nil {
			err = stopErr
		}
	}()
	select {
	case <-worker.done:
		worker.mu.Lock()
		defer worker.mu.Unlock()
		return worker.late, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Until(begin) + warmUp + d + time.Minute):
		return nil, fmt.Errorf("work %d scheduled jobs on River: not done within a minute of the last due time", n)
	}
}

// open connects to the database and brings River's tables to its version.
func open(ctx context.Context, databaseURL string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("read the database's URL: %w", err)
	}
	config.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err == nil {
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("make River's tables: %w", err)
	}
	return pool, nil
}
