// Package pipeline measures scoring and handoff together, from events that lie in the log to committed assignments.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/tools/bench/river"
	"github.com/leadpact/leadpact/tools/bench/row"
	"github.com/leadpact/leadpact/tools/bench/work"
)

const (
	relayLimit = 64 // as bus.Relay asks
	relayPause = 5 * time.Millisecond
	// patience bounds one run: what takes longer is stuck.
	patience = 3 * time.Minute
)

// Rows are the pipeline against a bare loop of its own statements and against a pipeline of the same job built on River.
func Rows() []row.Row {
	return []row.Row{
		{
			Name: "pipeline", What: "events to committed assignments, over a bare loop of the same statements in the same batches", Postgres: true,
			Run: against,
		},
		{Name: "disk", What: "fsyncs per lead, and what is kept of the pipeline with 2 ms added to each", Postgres: true, Run: disk},
		{Name: "leads", What: "growth: 10 thousand to 1 million leads stored", Postgres: true, Run: growthOfLeads},
		{Name: "reps", What: "growth: 20 to 2,000 reps, and the cost of a pick", Postgres: true, Run: growthOfReps},
		{Name: "rules", What: "growth: 10 to 1,000 rules, of which at most 30 could match any one lead", Postgres: true, Run: growthOfRules},
	}
}

func against(ctx context.Context, e *row.Env) ([]row.Line, error) {
	n := row.Of(e, 5, 1)
	e.Plan(4*(2+2*n) + 2*2*row.Of(e, 3, 1))
	var lines []row.Line
	for _, engine := range []string{Postgres, SQLite} {
		for _, share := range []float64{0.3, 1} {
			found, err := compare(ctx, e, engine, share, n)
			if err != nil {
				return lines, fmt.Errorf("%s, %.0f %% handed off: %w", engine, 100*share, err)
			}
			lines = append(lines, found...)
		}
	}
	return lines, nil
}

// leads is how many make a run of some seconds.
func leads(e *row.Env, engine string) int {
	if engine == SQLite {
		return row.Of(e, 20_000, 400)
	}
	return row.Of(e, 40_000, 400)
}

func compare(ctx context.Context, e *row.Env, engine string, share float64, n int) ([]row.Line, error) {
	count := leads(e, engine)
	t := &tape{}
	if _, err := run(ctx, e, engine, work.Ordinary(), count, share, false, t); err != nil {
		return nil, fmt.Errorf("record the statements: %w", err)
	}
	e.Step()
	pairs, err := row.Pairs(ctx, e, n,
		func(ctx context.Context) (float64, error) {
			return run(ctx, e, engine, work.Ordinary(), count, share, false, nil)
		},
		func(ctx context.Context) (float64, error) { return bare(ctx, e, engine, t, count) },
	)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%s, %.0f %% handed off", engine, 100*share)
	main := row.Against(what+", over the bare loop", "/s", pairs, row.AtLeast(0.60, "×"))
	with, err := run(ctx, e, engine, work.Ordinary(), count, share, true, nil)
	if err != nil {
		return nil, fmt.Errorf("with compliance: %w", err)
	}
	e.Step()
	lines := []row.Line{main, row.Alone(what+", compliance on the same cores", row.Figure{Value: with, Unit: "/s"}, nil)}
	if engine != Postgres {
		return lines, nil
	}
	peer, err := overRiver(ctx, e, what, share)
	if err != nil {
		return nil, fmt.Errorf("over River: %w", err)
	}
	return append(lines, peer), nil
}

// overRiver measures the same job built on River, in turns with ours.
func overRiver(ctx context.Context, e *row.Env, what string, share float64) (row.Line, error) {
	count := leads(e, Postgres)
	pairs, err := row.Pairs(ctx, e, row.Of(e, 3, 1),
		func(ctx context.Context) (float64, error) {
			return run(ctx, e, Postgres, work.Ordinary(), count, share, false, nil)
		},
		func(ctx context.Context) (perSecond float64, err error) {
			url, drop, err := e.Database(ctx)
			if err != nil {
				return 0, err
			}
			defer func() { err = errors.Join(err, drop()) }()
			return river.Pipeline(ctx, url, row.Of(e, 2_500, 200), share)
		})
	if err != nil {
		return row.Line{}, err
	}
	return row.Against(what+", over the same job on River", "/s", pairs, row.AtLeast(5, "×")), nil
}

// run takes count leads through scoring and handoff and returns leads a second, from the first look at the log to the last commit. A
// tape records what the stores were asked.
func run(ctx context.Context, e *row.Env, engine string, shape work.Shape, count int, share float64, withCompliance bool, t *tape) (perSecond float64, err error) {
	r, err := open(ctx, e, engine, shape, withCompliance)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.fill(ctx, 0, count, share); err != nil {
		return 0, fmt.Errorf("fill the log: %w", err)
	}
	return r.measure(ctx, 0, count, share, t)
}

// measure runs the pipeline until the leads from..to are through.
func (r *rig) measure(ctx context.Context, from, to int, share float64, t *tape) (float64, error) {
	handed := 0
	for n := from; n < to; n++ {
		if work.Handed(n, share) {
			handed++
		}
	}
	f := newFinish(to-from, handed)
	look := f.watch
	if t != nil {
		r.scoring, r.handoff = scoringRecorder{r.scoring, t}, handoffRecorder{r.handoff, t}
		look = func(role string, h bus.Handler) bus.Handler { return f.watch(role, marked{h}) }
	}
	plain := r.handoff
	r.handoff = assigning{r.handoff, f}
	defer func() { r.handoff = plain }()
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx, look) }()
	select {
	case <-f.reached:
		stop()
	case err := <-ended:
		return 0, fmt.Errorf("the pipeline ended after %d facts and %d assignments of %d and %d: %w", f.events.Load(), f.assignments.Load(), f.wantEvents, f.wantAssignments, err)
	}
	if err := <-ended; err != nil {
		return 0, err
	}
	return f.perSecond(), nil
}

// bare plays a tape and returns leads a second.
func bare(ctx context.Context, e *row.Env, engine string, t *tape, count int) (perSecond float64, err error) {
	r, err := open(ctx, e, engine, work.Ordinary(), false)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	took, err := t.play(ctx, r.scoring, r.handoff)
	if err != nil {
		return 0, err
	}
	return float64(count) / took.Seconds(), nil
}
