package river

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// The queues, the pool and the promise.
const (
	assigns  = "assigns"
	promises = "promises"
	sales    = "sales"
	within   = 4 * time.Hour
)

// staged is the job to find a rep for a lead.
type staged struct {
	Lead       string    `json:"lead"`
	Cause      string    `json:"cause"`
	ReceivedAt time.Time `json:"received_at"`
}

func (staged) Kind() string { return "staged" }

func (staged) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: assigns} }

// promised is the job to look at a promise when it falls due.
type promised struct {
	Assignment string `json:"assignment"`
}

func (promised) Kind() string { return "promised" }

func (promised) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: promises} }

// assigner hands a lead to a rep, starts the promise, and queues what is to be told: one transaction a job.
type assigner struct {
	river.WorkerDefaults[staged]
	pool *pgxpool.Pool
	span *span
}

func (w *assigner) Work(ctx context.Context, job *river.Job[staged]) error {
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		now := time.Now().UTC()
		tag, err := tx.Exec(ctx, `INSERT INTO handoffs (lead, pool, cause, received_at, started_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			job.Args.Lead, sales, job.Args.Cause, job.Args.ReceivedAt, now)
		if err != nil {
			return fmt.Errorf("begin the handoff of lead %s: %w", job.Args.Lead, err)
		}
		// Whatever does not turn on the rep comes before the pool is locked: until the commit all others wait for it.
		if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil || tag.RowsAffected() == 0 {
			return err
		}
		assignment := job.Args.Lead + "/1"
		_, err = river.ClientFromContext[pgx.Tx](ctx).InsertTx(ctx, tx, promised{assignment}, &river.InsertOpts{ScheduledAt: now.Add(within)})
		if err != nil {
			return fmt.Errorf("start the promise on lead %s: %w", job.Args.Lead, err)
		}
		return assign(ctx, tx, job.Args.Lead, assignment, now)
	})
	if err == nil {
		w.span.committed()
	}
	return err
}

// assign gives the lead to the rep whose turn it is.
func assign(ctx context.Context, tx pgx.Tx, lead, assignment string, now time.Time) error {
	var data []byte
	if err := tx.QueryRow(ctx, `SELECT turns FROM pools WHERE name = $1 FOR UPDATE`, sales).Scan(&data); err != nil {
		return fmt.Errorf("lock pool %s: %w", sales, err)
	}
	var turns []turn
	if err := json.Unmarshal(data, &turns); err != nil {
		return fmt.Errorf("read the turns of pool %s: %w", sales, err)
	}
	rep, err := next(turns)
	if err != nil {
		return fmt.Errorf("assign lead %s: %w", lead, err)
	}
	data, err = json.Marshal(turns)
	if err != nil {
		return fmt.Errorf("write the turns of pool %s: %w", sales, err)
	}
	message, err := json.Marshal(map[string]any{"type": "lead.assigned", "lead": lead, "assignment": assignment, "rep": rep, "at": now, "due": now.Add(within)})
	if err != nil {
		return fmt.Errorf("write what is to be told of lead %s: %w", lead, err)
	}
	var b pgx.Batch
	b.Queue(`UPDATE pools SET turns = $2 WHERE name = $1`, sales, data)
	b.Queue(`INSERT INTO assignments (id, lead, rep, pool, started_at) VALUES ($1, $2, $3, $4, $5)`, assignment, lead, rep, sales, now)
	b.Queue(`INSERT INTO clocks (assignment, name, state, started_at, due_at) VALUES ($1, 'first-response', 'open', $2, $3)`, assignment, now, now.Add(within))
	b.Queue(`INSERT INTO outbox (message, queued_at) VALUES ($1, $2)`, message, now)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("assign lead %s: %w", lead, err)
	}
	return nil
}

// turn is one rep's place in the rotation.
type turn struct {
	Rep      string `json:"rep"`
	Weight   int    `json:"weight"`
	Balance  int    `json:"balance"`
	Live     int    `json:"live"` // leads in hand
	Capacity int    `json:"capacity"`
}

// next picks by smooth weighted round robin among those who have room, and notes the pick.
func next(turns []turn) (rep string, err error) {
	var best *turn
	total := 0
	for i := range turns {
		t := &turns[i]
		if t.Live >= t.Capacity {
			continue
		}
		t.Balance += t.Weight
		total += t.Weight
		if best == nil || t.Balance > best.Balance {
			best = t
		}
	}
	if best == nil {
		return "", errors.New("every rep is full")
	}
	best.Balance -= total
	best.Live++
	return best.Rep, nil
}

// auditor records a promise that nobody kept.
type auditor struct {
	river.WorkerDefaults[promised]
	pool *pgxpool.Pool
}

func (w *auditor) Work(ctx context.Context, job *river.Job[promised]) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE clocks SET state = 'breached' WHERE assignment = $1 AND state = 'open'`, job.Args.Assignment); err != nil {
			return fmt.Errorf("record the breach of %s: %w", job.Args.Assignment, err)
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}
