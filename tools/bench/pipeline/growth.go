package pipeline

import (
	"context"
	"fmt"

	"github.com/leadpact/leadpact/tools/bench/row"
	"github.com/leadpact/leadpact/tools/bench/work"
)

// size is one place on a growth curve.
type size struct {
	x     int
	shape work.Shape
	// stored leads before the measurement.
	stored int
}

// growth measures how throughput holds while one thing grows: every size has stores of its own, and they are measured in turns.
func growth(ctx context.Context, e *row.Env, engine, what string, sizes []size) (row.Line, error) {
	rounds, count := row.Of(e, 5, 1), row.Of(e, 6_000, 1_500)
	rigs := make([]*rig, len(sizes))
	defer func() {
		for _, r := range rigs {
			if r != nil {
				_ = r.Close() // its figures are told already
			}
		}
	}()
	for i, s := range sizes {
		r, err := open(ctx, e, engine, s.shape, false)
		if err != nil {
			return row.Line{}, err
		}
		rigs[i] = r
		if err := r.store(ctx, row.Of(e, s.stored, min(s.stored, 2_000))); err != nil {
			return row.Line{}, fmt.Errorf("store %d leads: %w", s.stored, err)
		}
		e.Step()
	}
	found := make([][]float64, len(sizes))
	var pairs []row.Pair
	for round := range rounds {
		for i, r := range rigs {
			from := first + round*count
			if err := r.fill(ctx, from, from+count, 1); err != nil {
				return row.Line{}, err
			}
			perSecond, err := r.measure(ctx, from, from+count, 1, nil)
			if err != nil {
				return row.Line{}, err
			}
			found[i] = append(found[i], perSecond)
			e.Step()
		}
		pairs = append(pairs, row.Pair{Ours: found[len(sizes)-1][round], Ceiling: found[0][round]})
	}
	line := row.Against(fmt.Sprintf("%s: %d to %d %s, throughput of the last over the first", engine, sizes[0].x, sizes[len(sizes)-1].x, what), "/s", pairs, row.AtLeast(0.8, "×"))
	serie := row.Serie{Name: engine}
	for i, s := range sizes {
		serie.Points = append(serie.Points, row.Point{X: float64(s.x), Y: row.Median(found[i])})
	}
	line.Curve = &row.Curve{X: what, Y: "leads a second", LogX: true, Series: []row.Serie{serie}}
	return line, nil
}

// first is the number of the first lead that is measured; smaller ones are stored before.
const first = 10_000_000

func growthOfLeads(ctx context.Context, e *row.Env) ([]row.Line, error) {
	sizes := []size{{x: 10_000}, {x: 100_000}, {x: 1_000_000}}
	for i := range sizes {
		sizes[i].stored, sizes[i].shape = sizes[i].x, work.Ordinary()
	}
	return both(ctx, e, "leads stored", sizes)
}

func growthOfReps(ctx context.Context, e *row.Env) ([]row.Line, error) {
	sizes := []size{{x: 20}, {x: 200}, {x: 2000}}
	for i := range sizes {
		sizes[i].shape = work.Ordinary()
		sizes[i].shape.Reps = sizes[i].x
	}
	return both(ctx, e, "reps", sizes)
}

func growthOfRules(ctx context.Context, e *row.Env) ([]row.Line, error) {
	sizes := []size{{x: 10}, {x: 100}, {x: 1000}}
	for i := range sizes {
		sizes[i].shape = work.Ordinary()
		sizes[i].shape.Rules = sizes[i].x
	}
	return both(ctx, e, "rules", sizes)
}

func both(ctx context.Context, e *row.Env, what string, sizes []size) ([]row.Line, error) {
	e.Plan(2 * len(sizes) * (1 + row.Of(e, 5, 1)))
	var lines []row.Line
	for _, engine := range []string{Postgres, SQLite} {
		line, err := growth(ctx, e, engine, what, sizes)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", engine, err)
		}
		lines = append(lines, line)
	}
	return lines, nil
}
