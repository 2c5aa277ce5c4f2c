package clocks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/identity"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
	"github.com/leadpact/leadpact/tools/bench/row"
)

// otherRate is how many other things are done a second, in turns an assignment of a new lead and an attempt that a rep logs.
const otherRate = 100

// storm lets very many clocks fall due within one second, while others work.
func storm(ctx context.Context, e *row.Env, size sizes, s *stand) ([]row.Line, error) {
	from, err := s.put(ctx, s.notify, size.storm, ahead(size.storm)+warmUp+size.calm, time.Second/time.Duration(size.storm))
	if err != nil {
		return nil, err
	}
	r, err := s.start(ctx, nil)
	if err != nil {
		return nil, err
	}
	others := s.others(ctx, r)
	notes, err := s.store.take(ctx, size.storm, time.Until(from)+2*time.Minute)
	done, failed := others()
	if err := errors.Join(err, failed, r.stop()); err != nil {
		return nil, err
	}
	last := notes[len(notes)-1].at
	var calm, stormy []float64
	for _, o := range done {
		switch {
		case o.due.Before(from.Add(-size.calm)): // the first are warming up
		case o.due.Before(from):
			calm = append(calm, milliseconds(o.took))
		case o.due.Before(last):
			stormy = append(stormy, milliseconds(o.took))
		}
	}
	e.Step()
	what := fmt.Sprintf("%s, %s clocks due in one second", s.name, count(size.storm))
	lines := []row.Line{
		row.Alone(what+": all committed", row.Figure{Value: last.Sub(from).Seconds(), Unit: "s"}, row.AtMost(5, "s")),
		row.Alone(what+": out of due order within a shard", row.Figure{Value: float64(disorder(notes))}, row.AtMost(0, "")),
		row.Against(what+": p99 of other work beside the same without the storm", "ms",
			[]row.Pair{{Ours: row.Quantile(stormy, 0.99), Ceiling: row.Quantile(calm, 0.99)}}, row.AtMost(2, "×")).Within(overCalm(stormy, calm)),
	}
	lines[0].Note = "From the instant at which the first falls due to the last commit. " + lateNote
	lines[2].Note = fmt.Sprintf("Other work: %d a second through the same service and store, in turns a new lead's assignment and an attempt that a rep logs, "+
		"from the moment when it should begin; %d of them before the storm, %d in it.", otherRate, len(calm), len(stormy))
	return lines, nil
}

// overCalm is the p99 of five stretches of the storm over that of the calm before.
func overCalm(stormy, calm []float64) []float64 {
	const n = 5
	var out []float64
	for i := range n {
		if part := stormy[i*len(stormy)/n : (i+1)*len(stormy)/n]; len(part) > 0 && len(calm) > 0 {
			out = append(out, row.Quantile(part, 0.99)/row.Quantile(calm, 0.99))
		}
	}
	return out
}

// disorder counts the breaches that were committed after a later one of their shard.
func disorder(notes []note) (count int) {
	var last [shards]time.Time
	for _, n := range notes {
		if n.due.Before(last[n.shard]) {
			count++
			continue
		}
		last[n.shard] = n.due
	}
	return count
}

// other is one thing done beside: when it should begin, and how long after that it was done.
type other struct {
	due  time.Time
	took time.Duration
}

// others works beside until the returned function is called.
func (s *stand) others(ctx context.Context, r *running) (stop func() ([]other, error)) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var done []other
	var failed error
	var all sync.WaitGroup
	all.Go(func() {
		tick := time.NewTicker(time.Second / otherRate)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case due := <-tick.C:
				all.Go(func() {
					err := s.other(context.WithoutCancel(ctx), r, i)
					mu.Lock()
					defer mu.Unlock()
					done, failed = append(done, other{due, time.Since(due)}), errors.Join(failed, err)
				})
			}
		}
	})
	return func() ([]other, error) {
		cancel()
		all.Wait()
		return done, failed
	}
}

// other does the ith thing: an assignment, or an attempt on a lead whose clock is far off.
func (s *stand) other(ctx context.Context, r *running, i int) error {
	if i%2 == 0 {
		now := event.Micros(time.Now())
		return r.Apply(ctx, 0, []*eventv1.Event{{
			Id: fmt.Sprintf("staged-%d-%d", s.made, i), Source: event.Scoring, Lead: leadID(10_000_000 + s.made + i), Agreement: s.notify.Hash,
			OccurredAt: now, RecordedAt: now, Mode: eventv1.Mode_MODE_LIVE,
			Body: &eventv1.Event_LeadStaged{LeadStaged: &eventv1.LeadStaged{Cycle: 1, N: 1, From: "lead", To: "mql", Grade: "B", Handoff: true, Contact: contact()}},
		}})
	}
	n := i * 7919 % s.open // one of the far ones
	_, err := r.LogAttempt(identity.With(ctx, identity.Person{ID: repID(n), Role: identity.Rep}),
		&leadpactv1.LogAttemptRequest{Lead: leadID(n), RequestId: fmt.Sprintf("%d-%d", s.made, i)})
	return err
}

// reassign measures breaches that take the lead away and give it to the next rep.
func reassign(ctx context.Context, e *row.Env, size sizes, s *stand) ([]row.Line, error) {
	from, err := s.put(ctx, s.reassignment, size.reassign, ahead(size.reassign), time.Second/time.Duration(size.reassign))
	if err != nil {
		return nil, err
	}
	r, err := s.start(ctx, nil)
	if err != nil {
		return nil, err
	}
	notes, err := s.store.take(ctx, size.reassign, time.Until(from)+time.Minute)
	if err := errors.Join(err, r.stop()); err != nil {
		return nil, err
	}
	e.Step()
	line := row.Alone(fmt.Sprintf("%s, %s clocks due in one second, each gives its lead to the next rep: all committed", s.name, count(size.reassign)),
		row.Figure{Value: notes[len(notes)-1].at.Sub(from).Seconds(), Unit: "s"}, nil)
	line.Note = "Each breach ends an assignment, picks the next rep of twenty, and starts his assignment, his clock and his notice."
	return []row.Line{line}, nil
}
