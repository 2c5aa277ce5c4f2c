// Package upsert measures how scoring's store saves what is known of leads, in batches that are read, locked and written in one
// transaction, against a bare loop of the least statements with the same driver.
package upsert

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	"github.com/leadpact/leadpact/tools/bench/row"
)

const (
	batch = 500
	size  = 500 // bytes of a profile
)

// Rows are the store's.
func Rows() []row.Row {
	return []row.Row{{
		Name: "store", What: "batched profile upsert over the raw loop, per engine", Postgres: true,
		Run: func(ctx context.Context, e *row.Env) ([]row.Line, error) {
			e.Plan(4 * row.Of(e, 7, 1))
			pg, err := onPostgres(ctx, e)
			if err != nil {
				return nil, fmt.Errorf("PostgreSQL: %w", err)
			}
			lite, err := onSQLite(ctx, e)
			if err != nil {
				return nil, fmt.Errorf("SQLite: %w", err)
			}
			return []row.Line{pg, lite}, nil
		},
	}}
}

// loop saves one batch of leads: it reads and locks them, and writes each with another profile.
type loop interface {
	save(ctx context.Context, ids []string, version int64, profile []byte) error
}

func onPostgres(ctx context.Context, e *row.Env) (_ row.Line, err error) {
	url, drop, err := e.Database(ctx)
	if err != nil {
		return row.Line{}, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	s, err := postgres.OpenScoring(ctx, url, postgres.Options{})
	if err != nil {
		return row.Line{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	raw, err := openRawPostgres(ctx, url)
	if err != nil {
		return row.Line{}, err
	}
	defer func() { err = errors.Join(err, raw.close()) }()
	return compare(ctx, e, "PostgreSQL, one connection", contract{s}, raw, 0.90)
}

func onSQLite(ctx context.Context, e *row.Env) (_ row.Line, err error) {
	dir, remove, err := e.Folder("sqlite")
	if err != nil {
		return row.Line{}, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	s, err := sqlite.OpenScoring(ctx, dir+"/scoring.db", sqlite.Options{})
	if err != nil {
		return row.Line{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	raw, err := openRawSQLite(ctx, dir+"/raw.db")
	if err != nil {
		return row.Line{}, err
	}
	defer func() { err = errors.Join(err, raw.close()) }()
	return compare(ctx, e, "SQLite", contract{s}, raw, 0.85)
}

// compare fills both with the same leads, and then saves random batches of them in turns.
func compare(ctx context.Context, e *row.Env, engine string, ours, raw loop, goal float64) (row.Line, error) {
	leads := row.Of(e, 100_000, 2_000)
	all := make([]string, leads)
	for i := range all {
		all[i] = fmt.Sprintf("lead%022d", i)
	}
	profile := make([]byte, size)
	for i := range profile {
		profile[i] = "abcdefghijklmnopqrstuvwxyz0123456789\":,{}"[rand.IntN(41)] //nolint:gosec // filler
	}
	for from := 0; from < leads; from += batch {
		for _, l := range []loop{ours, raw} {
			if err := l.save(ctx, all[from:from+batch], 1, profile); err != nil {
				return row.Line{}, fmt.Errorf("fill: %w", err)
			}
		}
	}
	// Every lead is saved as often on both sides: blocks of the same batches.
	const seed = 1
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // chooses leads
	next := [2]int{}
	versions := map[loop][]int64{ours: make([]int64, leads/batch), raw: make([]int64, leads/batch)}
	blocks := random.Perm(leads / batch)
	stride := leads / batch
	measure := func(l loop, side int) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			began, saved := time.Now(), 0
			ids := make([]string, batch)
			for time.Since(began) < row.Of(e, 2*time.Second, 100*time.Millisecond) {
				block := blocks[next[side]%len(blocks)]
				next[side]++
				for i := range ids { // spread over the whole table
					ids[i] = all[i*stride+block]
				}
				versions[l][block]++
				if err := l.save(ctx, ids, versions[l][block]+1, profile); err != nil {
					return 0, err
				}
				saved += batch
			}
			return float64(saved) / time.Since(began).Seconds(), nil
		}
	}
	pairs, err := row.Pairs(ctx, e, row.Of(e, 7, 1), measure(ours, 0), measure(raw, 1))
	if err != nil {
		return row.Line{}, err
	}
	return row.Against(fmt.Sprintf("%s: read, lock and save %d profiles a transaction", engine, batch), "/s", pairs, row.AtLeast(goal, "×")), nil
}

// contract is the product's store.
type contract struct{ store.Scoring }

func (c contract) save(ctx context.Context, ids []string, version int64, profile []byte) error {
	at := time.UnixMicro(1_780_000_000_000_000 + version).UTC()
	return c.Update(ctx, func(ctx context.Context, tx store.ScoringTx) error {
		leads, err := tx.LockLeads(ctx, ids)
		if err != nil {
			return err
		}
		for i := range leads {
			l := &leads[i]
			l.Version++
			l.Stage, l.Cycle, l.Staged, l.StagedAt, l.Agreement, l.Knowledge, l.UpdatedAt = "mql", 1, 2, at, agreement, profile, at
			l.Facts++
		}
		return tx.SaveLeads(ctx, leads)
	})
}

const agreement = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
