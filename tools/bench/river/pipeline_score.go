package river

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/lead"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	"github.com/leadpact/leadpact/services/scoring/score"
)

const events = "events" // the queue

// The stages that the job knows: mql is the handoff point.
const (
	newcomer = "lead"
	mql      = "mql"
)

// received is the job to take in an event.
type received struct {
	Event []byte `json:"event"` // a leadpact.event.v1.Event
}

func (received) Kind() string { return "received" }

func (received) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: events} }

// scorer takes an event in, scores its lead by leadpact's own rules, and asks for a rep when the lead comes to the handoff point: one
// transaction a job.
type scorer struct {
	river.WorkerDefaults[received]
	pool      *pgxpool.Pool
	agreement *agreement.Agreement
	terms     *score.Terms
	span      *span
}

func (w *scorer) Work(ctx context.Context, job *river.Job[received]) error {
	var e eventv1.Event
	if err := proto.Unmarshal(job.Args.Event, &e); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	f := factOf(&e)
	identifiers := lead.Identify(f.Source, f.Email, f.ExternalID)
	if len(identifiers) == 0 {
		return fmt.Errorf("take in event %s: it names no person", f.ID)
	}
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		known, fresh, err := takeIn(ctx, tx, identifiers[0], f, job.Args.Event)
		if err != nil {
			return err
		}
		if fresh {
			if err := w.score(ctx, tx, known, f); err != nil {
				return err
			}
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err == nil {
		w.span.committed()
	}
	return err
}

// person is what is stored of a lead.
type person struct {
	id, stage string
	profile   []byte
}

// takeIn finds the lead, locks it and stores the fact, in one round trip. A fact that is known is not fresh.
func takeIn(ctx context.Context, tx pgx.Tx, identifier string, f lead.Fact, data []byte) (p person, fresh bool, err error) {
	var b pgx.Batch
	// The alias is written even when it is there, for its lock: two first events of one person go one after the other.
	b.Queue(`INSERT INTO aliases (identifier, lead) VALUES ($1, $2) ON CONFLICT (identifier) DO UPDATE SET lead = aliases.lead RETURNING lead`,
		identifier, lead.ID([]byte("the key of the benchmarks"), identifier)).QueryRow(func(row pgx.Row) error { return row.Scan(&p.id) })
	b.Queue(`INSERT INTO facts (source, id, lead, occurred_at, recorded_at, data)
		VALUES ($1, $2, (SELECT lead FROM aliases WHERE identifier = $3), $4, $5, $6) ON CONFLICT DO NOTHING`,
		f.Source, f.ID, identifier, f.OccurredAt, f.RecordedAt, data).Exec(func(tag pgconn.CommandTag) error {
		fresh = tag.RowsAffected() == 1
		return nil
	})
	b.Queue(`SELECT stage, profile FROM leads WHERE id = (SELECT lead FROM aliases WHERE identifier = $1) FOR UPDATE`,
		identifier).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&p.stage, &p.profile); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	})
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return person{}, false, fmt.Errorf("store fact %s: %w", f.ID, err)
	}
	return p, fresh, nil
}

// score folds the fact into the lead's profile, scores and saves it, and inserts the job to assign it.
func (w *scorer) score(ctx context.Context, tx pgx.Tx, p person, f lead.Fact) error {
	known, err := lead.Unmarshal(p.profile)
	if err != nil {
		return err
	}
	known = lead.Fold(w.terms, known, f)
	now := time.Now().UTC()
	card := score.Of(w.agreement, known, score.Position{Stage: p.stage, Cycle: 1}, now)
	stage := newcomer
	if raised, _ := card.Lead.Fields["hand_raiser"].(bool); raised || p.stage == mql {
		stage = mql
	}
	profile, err := known.Marshal()
	if err != nil {
		return err
	}
	reasons, err := json.Marshal(card.Reasons)
	if err != nil {
		return fmt.Errorf("write the reasons of a score: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO leads (id, profile, score, stage, reasons, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET profile = excluded.profile, score = excluded.score, stage = excluded.stage,
		reasons = excluded.reasons, updated_at = excluded.updated_at`, p.id, profile, card.Lead.Score, stage, reasons, now)
	if err != nil {
		return fmt.Errorf("save lead %s: %w", p.id, err)
	}
	if stage != mql || p.stage == mql {
		return nil
	}
	_, err = river.ClientFromContext[pgx.Tx](ctx).InsertTx(ctx, tx, staged{Lead: p.id, Cause: f.ID, ReceivedAt: f.RecordedAt}, nil)
	if err != nil {
		return fmt.Errorf("ask for a rep for lead %s: %w", p.id, err)
	}
	return nil
}

// factOf is the fact of a lead that was received.
func factOf(e *eventv1.Event) lead.Fact {
	r := e.GetLeadReceived()
	f := lead.Fact{
		Source: e.GetSource(), ID: e.GetId(), Kind: lead.Touch, Name: r.GetKind(), OccurredAt: event.Time(e.GetOccurredAt()),
		RecordedAt: event.Time(e.GetRecordedAt()), Email: r.GetEmail(), ExternalID: r.GetExternalId(), FullName: r.GetName(),
		Phone: r.GetPhone(), Channel: r.GetChannel(), Fields: event.Values(r.GetFields()),
	}
	return lead.Settle(f)
}
