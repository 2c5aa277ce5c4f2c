package river

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/services/scoring/score"
	"github.com/leadpact/leadpact/tools/bench/work"
)

// tuning is what the pipeline's throughput turns on.
type tuning struct {
	workers int           // of each queue
	scoring int           // connections of the workers that score
	assigns int           // connections of those that assign: the pool's row lets one at a time through, more wait there
	fetch   time.Duration // the least time between two fetches of a queue
	notify  time.Duration // the least time between two notifications of a queue
}

// tuned is what came out best on two cores.
func tuned() tuning {
	return tuning{workers: 50, scoring: 12, assigns: 4, fetch: cooldown, notify: poll}
}

// own is how many connections River has for itself: it never waits for the workers' to fetch and complete.
const own = 4

// patience is how long the pipeline may stand still before it counts as stuck.
const patience = 20 * time.Second

// tables are the team's own. What they hold is what leadpact holds of the same job, without its history of stages, its versions and
// its reasons for a pick.
const tables = `
CREATE TABLE aliases (identifier text COLLATE "C" PRIMARY KEY, lead text COLLATE "C" NOT NULL);
CREATE TABLE facts (
    source text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, lead text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL, recorded_at timestamptz NOT NULL, data bytea NOT NULL, PRIMARY KEY (source, id)
);
CREATE INDEX facts_lead ON facts (lead);
CREATE TABLE leads (
    id text COLLATE "C" PRIMARY KEY, profile json NOT NULL, score double precision NOT NULL, stage text NOT NULL, reasons json NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE pools (name text PRIMARY KEY, turns json NOT NULL) WITH (fillfactor = 50);
CREATE TABLE handoffs (lead text COLLATE "C" PRIMARY KEY, pool text NOT NULL, cause text NOT NULL, received_at timestamptz NOT NULL, started_at timestamptz NOT NULL);
CREATE TABLE assignments (
    id text COLLATE "C" PRIMARY KEY, lead text COLLATE "C" NOT NULL, rep text NOT NULL, pool text NOT NULL,
    started_at timestamptz NOT NULL, ended_at timestamptz
);
CREATE UNIQUE INDEX assignments_live ON assignments (lead) WHERE ended_at IS NULL;
CREATE INDEX assignments_inbox ON assignments (rep) WHERE ended_at IS NULL;
CREATE TABLE clocks (
    assignment text COLLATE "C" PRIMARY KEY, name text NOT NULL, state text NOT NULL, started_at timestamptz NOT NULL, due_at timestamptz NOT NULL
);
CREATE INDEX clocks_due ON clocks (due_at) WHERE state = 'open';
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message json NOT NULL, queued_at timestamptz NOT NULL);
`

// Pipeline takes that many leads, of whom a share from 0 to 1 is handed off, from an event job each to a committed score and, if
// handed off, on to a committed assignment, in an empty database. It returns events a second, from the first event's commit to
// the last commit of a fact or an assignment. It is an error when a job failed or a row is missing at the end.
func Pipeline(ctx context.Context, databaseURL string, leads int, share float64) (perSecond float64, err error) {
	return tuned().pipeline(ctx, databaseURL, leads, share)
}

func (t tuning) pipeline(ctx context.Context, databaseURL string, leads int, share float64) (perSecond float64, err error) {
	if leads < 1 {
		return 0, fmt.Errorf("take %d leads through River: give at least one", leads)
	}
	migrated, err := open(ctx, databaseURL)
	if err != nil {
		return 0, err
	}
	migrated.Close()
	queue, err := connect(ctx, databaseURL, own, "force_custom_plan")
	if err != nil {
		return 0, err
	}
	defer queue.Close()
	pool, err := connect(ctx, databaseURL, t.scoring, "force_generic_plan")
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	desk, err := connect(ctx, databaseURL, t.assigns, "force_generic_plan")
	if err != nil {
		return 0, err
	}
	defer desk.Close()
	if err := furnish(ctx, pool, work.Ordinary().Reps); err != nil {
		return 0, err
	}
	handed := 0
	for n := range leads {
		if work.Handed(n, share) {
			handed++
		}
	}
	s := newSpan(leads, handed)
	client, err := t.client(queue, pool, desk, s)
	if err != nil {
		return 0, err
	}
	if err := enqueue(ctx, client, queue, leads, share); err != nil {
		return 0, err
	}
	if err := drain(ctx, client, s); err != nil {
		return 0, err
	}
	if err := count(ctx, pool, leads, handed); err != nil {
		return 0, err
	}
	return float64(leads) / s.length().Seconds(), nil
}

// connect opens a pool of that many connections, on which the server makes its plans that way. A worker's statements touch single rows
// by key, and to plan River's own among them anew each time costs as much as to run them. A fetch needs a plan of its own: one for any
// number of jobs reads the whole table.
func connect(ctx context.Context, databaseURL string, conns int, plans string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("read the database's URL: %w", err)
	}
	config.MaxConns, config.MinConns = int32(conns), int32(conns)
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = plans
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return pool, nil
}

// client makes a client that works all three kinds of jobs, each in a queue of its own, so that assignments do not wait until all
// events are in.
func (t tuning) client(queue, pool, desk *pgxpool.Pool, s *span) (*river.Client[pgx.Tx], error) {
	a, err := work.Ordinary().Parse()
	if err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &scorer{pool: pool, agreement: a, terms: score.NewTerms(a), span: s})
	river.AddWorker(workers, &assigner{pool: desk, span: s})
	river.AddWorker(workers, &auditor{pool: desk})
	client, err := river.NewClient(riverpgxv5.New(queue), &river.Config{
		FetchCooldown: t.notify, FetchPollInterval: max(poll, t.notify), Logger: slog.New(slog.DiscardHandler), Workers: workers,
		ErrorHandler: s, SoftStopTimeout: patience / 4,
		Queues: map[string]river.QueueConfig{
			events:   {MaxWorkers: t.workers, FetchCooldown: t.fetch},
			assigns:  {MaxWorkers: t.workers, FetchCooldown: t.fetch},
			promises: {MaxWorkers: t.workers, FetchCooldown: t.fetch},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make a River client: %w", err)
	}
	return client, nil
}

// furnish makes the tables, and a pool of reps with the weights of the ordinary roster.
func furnish(ctx context.Context, pool *pgxpool.Pool, reps int) error {
	if _, err := pool.Exec(ctx, tables); err != nil {
		return fmt.Errorf("make the pipeline's tables: %w", err)
	}
	turns := make([]turn, reps)
	for i := range turns {
		turns[i] = turn{Rep: fmt.Sprintf("rep%04d", i), Weight: 1 + i%5, Capacity: 100_000}
	}
	data, err := json.Marshal(turns)
	if err == nil {
		_, err = pool.Exec(ctx, `INSERT INTO pools (name, turns) VALUES ($1, $2)`, sales, data)
	}
	if err != nil {
		return fmt.Errorf("make the pool: %w", err)
	}
	return nil
}

// enqueue inserts the event jobs, and has the server learn how many they are, as it would have in a queue that is in use.
func enqueue(ctx context.Context, client *river.Client[pgx.Tx], queue *pgxpool.Pool, leads int, share float64) error {
	now := time.Now().UTC()
	const batch = 1000
	jobs := make([]river.InsertManyParams, 0, batch)
	for n := range leads {
		data, err := proto.Marshal(work.Event(n, work.Handed(n, share), now))
		if err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
		jobs = append(jobs, river.InsertManyParams{Args: received{data}})
		if len(jobs) < batch && n < leads-1 {
			continue
		}
		if _, err := client.InsertManyFast(ctx, jobs); err != nil {
			return fmt.Errorf("insert event jobs: %w", err)
		}
		jobs = jobs[:0]
	}
	if _, err := queue.Exec(ctx, `ANALYZE river_job`); err != nil {
		return fmt.Errorf("analyze the queue: %w", err)
	}
	return nil
}

// drain runs the client until all is done.
func drain(ctx context.Context, client *river.Client[pgx.Tx], s *span) (err error) {
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("start River: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if stopErr := client.Stop(ctx); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("stop River: %w", stopErr))
		}
	}()
	return s.wait(ctx)
}

// count demands that everything is there, once.
func count(ctx context.Context, pool *pgxpool.Pool, leads, handed int) error {
	for _, c := range []struct {
		from string
		want int
	}{
		{"facts", leads},
		{"leads", leads},
		{"leads WHERE stage = '" + mql + "'", handed},
		{"handoffs", handed},
		{"assignments WHERE ended_at IS NULL", handed},
		{"clocks WHERE state = 'open'", handed},
		{"outbox", handed},
		{"river_job WHERE state = 'scheduled' AND kind = '" + promised{}.Kind() + "'", handed},
		{"river_job WHERE state = 'completed'", leads + handed},
		{"river_job", leads + 2*handed},
	} {
		var n int
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM "+c.from).Scan(&n); err != nil {
			return fmt.Errorf("count %s: %w", c.from, err)
		}
		if n != c.want {
			return fmt.Errorf("the pipeline on River left %d rows in %s, and should have left %d", n, c.from, c.want)
		}
	}
	return nil
}
