package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leadpact/leadpact/tools/bench/row"
)

// warmUp is how many seconds of the load are not measured.
const warmUp = 2

// latency sends at a fixed rate, whatever the answers do, and looks on as assignments are committed.
func latency(ctx context.Context, e *row.Env) (lines []row.Line, err error) {
	rate, seconds := row.Of(e, 1000, 200), row.Of(e, 20, 2)
	e.Plan(seconds + warmUp)
	p, remove, err := prepare(e, "latency")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop(), remove()) }()
	if err := p.open(ctx); err != nil {
		return nil, err
	}
	n := rate * (seconds + warmUp)
	t, err := p.trial(ctx, e, rate, n)
	if err != nil {
		return nil, err
	}
	if err := p.settled(ctx, n); err != nil {
		return nil, err
	}
	disk, err := p.disk(n)
	return append(t.lines(rate, seconds), disk), err
}

// disk is what the databases have grown to, for each million of leads.
func (p *process) disk(leads int) (row.Line, error) {
	var all int64
	var parts []string
	for _, name := range []string{"scoring", "handoff", "compliance"} {
		at, err := os.Stat(filepath.Join(p.dir, "data", name+".db"))
		if err != nil {
			return row.Line{}, err
		}
		all += at.Size()
		parts = append(parts, fmt.Sprintf("%s %s", name, perMillion(at.Size(), leads)))
	}
	line := row.Alone("disk for a million leads, each of one event and handed off", perMillion(all, leads), nil)
	line.Note = fmt.Sprintf("From %s leads: %s. Beside them lie the logs of the databases, at most 64 MiB each, and the event log, as large as it is let to be.",
		thousands(int64(leads)), strings.Join(parts, ", "))
	return line, nil
}

func perMillion(bytes int64, leads int) row.Figure {
	return row.Figure{Value: float64(bytes) / float64(leads) / 1e3, Unit: "GB"}
}

// trial is one run: the times of each webhook.
type trial struct {
	due, sent, answered, assigned []time.Time
	refused                       atomic.Int64 // answers 503
}

// trial sends n webhooks at rate a second and waits until each is assigned.
func (p *process) trial(ctx context.Context, e *row.Env, rate, n int) (_ *trial, err error) {
	seen, err := p.commits(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, seen.close()) }()
	t := &trial{due: make([]time.Time, n), sent: make([]time.Time, n), answered: make([]time.Time, n), assigned: make([]time.Time, n)}
	following, leave := context.WithCancel(ctx)
	defer leave()
	left := n
	followed := make(chan error, 1)
	go func() {
		followed <- seen.follow(following, func(email string, at time.Time) bool {
			// person(0) opened the door; person i+1 is the ith here.
			i, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSuffix(email, "@example.com"), "p"))
			if err == nil && i > 0 && i <= n && t.assigned[i-1].IsZero() {
				t.assigned[i-1] = at
				left--
			}
			return left > 0
		})
	}()
	if err := p.send(ctx, e, t, rate); err != nil {
		return nil, err
	}
	select {
	case err = <-followed:
	case <-time.After(patience):
		leave()
		err = errors.Join(fmt.Errorf("of %d leads, %s after the last webhook, some are not assigned", n, patience), <-followed)
	}
	if err != nil {
		return nil, err
	}
	if left > 0 {
		return nil, ctx.Err()
	}
	return t, nil
}

// send is an open loop: each webhook has its moment, and one that waits for its answer delays no other.
func (p *process) send(ctx context.Context, e *row.Env, t *trial, rate int) error {
	const connections = 512
	f := p.form(connections)
	defer f.close()
	bodies := make([][]byte, len(t.due)) // made beforehand, they cost the cores nothing while it counts
	for i := range bodies {
		bodies[i] = person(i + 1)
	}
	var all sync.WaitGroup
	errs := make([]error, len(bodies))
	began := time.Now().Add(10 * time.Millisecond)
	for i, body := range bodies {
		t.due[i] = began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if err := pause(ctx, time.Until(t.due[i])); err != nil {
			all.Wait()
			return err
		}
		all.Go(func() {
			t.sent[i] = time.Now()
			errs[i] = t.deliver(ctx, f, body)
			t.answered[i] = time.Now()
		})
		if (i+1)%rate == 0 {
			e.Step()
		}
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("webhook %d of %d: %w", i+1, len(errs), err)
		}
	}
	return nil
}

// deliver sends until the door takes it: one that answers 503 is a full or a slow one, and the time that passes counts.
func (t *trial) deliver(ctx context.Context, f *form, body []byte) error {
	for {
		taken, after, err := f.post(ctx, body)
		if taken || err != nil {
			return err
		}
		t.refused.Add(1)
		if err := pause(ctx, after); err != nil {
			return err
		}
	}
}

// lines are the figures of what was sent after the warm-up.
func (t *trial) lines(rate, seconds int) []row.Line {
	from := rate * warmUp
	between := func(a, b []time.Time, low, high int) (out []float64) {
		for i := low; i < high; i++ {
			out = append(out, float64(b[i].Sub(a[i]).Microseconds())/1000)
		}
		return out
	}
	all := between(t.due, t.assigned, from, len(t.due))
	answers := between(t.due, t.answered, from, len(t.due))
	late := between(t.due, t.sent, from, len(t.due))
	half, tail := row.Serie{Name: "p50"}, row.Serie{Name: "p99"}
	var halves, tails []float64
	for s := range seconds {
		at := from + s*rate
		second := between(t.due, t.assigned, at, at+rate)
		halves, tails = append(halves, row.Quantile(second, 0.5)), append(tails, row.Quantile(second, 0.99))
		half.Points = append(half.Points, row.Point{X: float64(s + 1), Y: halves[s]})
		tail.Points = append(tail.Points, row.Point{X: float64(s + 1), Y: tails[s]})
	}
	what := fmt.Sprintf("webhook to committed assignment, %s a second, ", thousands(int64(rate)))
	ms := func(values []float64, q float64) row.Figure {
		return row.Figure{Value: row.Quantile(values, q), Unit: "ms"}
	}
	p50, p99 := row.Alone(what+"p50", ms(all, 0.5), row.AtMost(5, "ms")), row.Alone(what+"p99", ms(all, 0.99), row.AtMost(50, "ms"))
	p50.Note = fmt.Sprintf("From the moment at which the webhook was due to be sent, in an open loop for %d s after %d s of warm-up, until a reader of handoff's database sees the committed assignment: never early, about half a millisecond late. "+
		"The sender, on the same cores, was itself late by %s at p50 and %s at p99, which counts.", seconds, warmUp, ms(late, 0.5), ms(late, 0.99))
	if refused := t.refused.Load(); refused > 0 {
		p50.Note += fmt.Sprintf(" The door was too slow %d times, answered 503, and was sent the webhook again after the time it asked for.", refused)
	}
	p50, p99 = p50.Within(halves), p99.Within(tails)
	p99.Curve = &row.Curve{X: "second of the run", Y: "ms, of the webhooks sent in that second", Series: []row.Serie{half, tail}}
	worst := row.Alone(what+"the longest", ms(all, 1), nil)
	worst.Note = fmt.Sprintf("p99.9 %s.", ms(all, 0.999))
	answer := row.Alone(fmt.Sprintf("webhook to 202, %s a second, p99", thousands(int64(rate))), ms(answers, 0.99), nil)
	answer.Note = fmt.Sprintf("p50 %s.", ms(answers, 0.5))
	return []row.Line{p50, p99, worst, answer}
}
