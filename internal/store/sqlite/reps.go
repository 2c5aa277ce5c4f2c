package sqlite

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/leadpact/leadpact/internal/store"
)

// many is from how many reps on their loads are read by running over all between the first and the last. Who asks for many asks for
// a team, or for most of the company; a row of a run costs a quarter of one that is looked for.
const many = 100

// loadsAs is loads in one value, each as the rep's length in bytes, live and the rep: the driver is slower at rows than SQLite is.
const loadsAs = `SELECT coalesce(group_concat(length(CAST(rep AS BLOB)) || ' ' || live || ' ' || rep, ''), '') FROM `

func loadFields(l *store.RepLoad) []any { return []any{&l.Rep, &l.Live} }

// Loads returns what the reps hold.
func (t handoffTx) Loads(ctx context.Context, reps []string) ([]store.RepLoad, error) {
	reps = sorted(reps)
	if len(reps) == 0 {
		return nil, nil
	}
	stored, err := t.loads(ctx, "read loads", reps)
	if err != nil {
		return nil, err
	}
	loads := make([]store.RepLoad, len(reps))
	for i, rep := range reps {
		loads[i] = store.RepLoad{Rep: rep, Live: stored[rep]}
	}
	return loads, nil
}

// loads are the stored ones of those reps, which are sorted, and maybe of others.
func (t handoffTx) loads(ctx context.Context, op string, reps []string) (map[string]int, error) {
	query, args := loadsAs+`reps WHERE rep BETWEEN ? AND ?`, []any{reps[0], reps[len(reps)-1]}
	if len(reps) < many {
		names, err := listed(reps)
		if err != nil {
			return nil, fmt.Errorf("sqlite: %s: %w", op, err)
		}
		query, args = loadsAs+`json_each(?) JOIN reps ON rep = value`, []any{names}
	}
	packed, err := one(ctx, t, op, column[string], query, args...)
	if err != nil {
		return nil, err
	}
	loads := make(map[string]int, len(reps))
	for packed != "" {
		size, rest, _ := strings.Cut(packed, " ")
		live, rest, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(size)
		if err == nil && n > len(rest) {
			err = strconv.ErrRange
		}
		if err != nil {
			return nil, fmt.Errorf("sqlite: %s: read the name of %s bytes: %w", op, size, err)
		}
		if loads[rest[:n]], err = strconv.Atoi(live); err != nil {
			return nil, fmt.Errorf("sqlite: %s: read a load: %w", op, err)
		}
		packed = rest[n:]
	}
	return loads, nil
}

// AddLoads adds to what reps hold.
func (t handoffTx) AddLoads(ctx context.Context, changes []store.LoadChange) error {
	for _, c := range changes {
		err := t.execOne(ctx, "add to the load of", c.Rep,
			`INSERT INTO reps (rep, live) SELECT ?1, ?2 WHERE ?2 <= 0 OR ?2 + coalesce((SELECT live FROM reps WHERE rep = ?1), 0) <= ?3
			ON CONFLICT (rep) DO UPDATE SET live = live + excluded.live`, c.Rep, c.Delta, c.Capacity)
		if err != nil {
			return err
		}
	}
	return nil
}

// RepLoads returns the stored loads and the counted ones, of one moment.
func (h handoff) RepLoads(ctx context.Context) (stored, counted map[string]int, err error) {
	const op = "count loads"
	load := func(q queryer, query string) (map[string]int, error) {
		rows, err := collect(ctx, q, op, loadFields, query)
		if err != nil {
			return nil, err
		}
		loads := make(map[string]int, len(rows))
		for _, l := range rows {
			loads[l.Rep] = l.Live
		}
		return loads, nil
	}
	err = h.snapshot(ctx, op, func(q queryer) error {
		if stored, err = load(q, `SELECT rep, live FROM reps`); err != nil {
			return err
		}
		counted, err = load(q, `SELECT rep, count(*) FROM assignments WHERE ended_at IS NULL GROUP BY rep`)
		return err
	})
	return stored, counted, err
}
