package clocks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/tools/bench/river"
	"github.com/leadpact/leadpact/tools/bench/row"
)

// warmUp is how long clocks fall due before the measured ones do.
const warmUp = time.Second

const lateNote = "Due to the return of the commit that holds the breach, its notice and its event; nobody answers, the remedy is to tell " +
	"the rep and the manager. Timer, service, store and the emptying of the outbox are the product's, with its eight shards; notices are queued and not delivered."

// late measures how late breaches are committed at a steady rate; on PostgreSQL in turns with River's scheduled jobs.
func late(ctx context.Context, e *row.Env, size sizes, s *stand) ([]row.Line, error) {
	var all []note
	ours := func(d time.Duration) (float64, error) {
		notes, err := s.steady(ctx, size.rate, d)
		all = append(all, notes...)
		return quantile(notes, 0.99), err
	}
	what := fmt.Sprintf("%s, %s open, %s a second due: due to breach committed", s.name, count(size.open), count(size.rate))
	if s.url == "" {
		_, err := ours(size.alone)
		e.Step()
		return lateLines(what, all), err
	}
	pairs, err := row.Pairs(ctx, e, size.pairs,
		func(context.Context) (float64, error) { return ours(size.paired) },
		func(ctx context.Context) (float64, error) {
			late, err := river.Scheduled(ctx, s.url, size.rate, warmUp, size.paired)
			return row.Quantile(late, 0.99), err
		})
	if err != nil {
		return nil, err
	}
	against := row.Against(what+", p99 beside River", "ms", pairs, row.AtMost(0.05, "×"))
	against.Note = "River: due to the start of the job's handler, before it has written anything; fetch cooldown 1 ms, poll 50 ms, 1000 workers, the same server."
	return append(lateLines(what, all), against), nil
}

// steady lets rate clocks a second fall due for d and returns the breaches.
func (s *stand) steady(ctx context.Context, rate int, d time.Duration) ([]note, error) {
	n := int(float64(rate) * (warmUp + d).Seconds())
	from, err := s.put(ctx, s.notify, n, ahead(n), time.Second/time.Duration(rate))
	if err != nil {
		return nil, err
	}
	r, err := s.start(ctx, nil)
	if err != nil {
		return nil, err
	}
	notes, err := s.store.take(ctx, n, time.Until(from)+warmUp+d+30*time.Second)
	if stopped := r.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return nil, err
	}
	var measured []note
	for _, n := range notes {
		if !n.due.Before(from.Add(warmUp)) {
			measured = append(measured, n)
		}
	}
	return measured, nil
}

// ahead is the time that the writing of n clocks may take.
func ahead(n int) time.Duration { return 4*time.Second + time.Duration(n)*100*time.Microsecond }

func lateLines(what string, notes []note) []row.Line {
	lines := []row.Line{
		row.Alone(what+", p50", row.Figure{Value: quantile(notes, 0.5), Unit: "ms"}, nil),
		row.Alone(what+", p99", row.Figure{Value: quantile(notes, 0.99), Unit: "ms"}, row.AtMost(3, "ms")).Within(parts(notes, 0.99)),
		row.Alone(what+", p99.9", row.Figure{Value: quantile(notes, 0.999), Unit: "ms"}, row.AtMost(15, "ms")).Within(parts(notes, 0.999)),
		row.Alone(what+", early", row.Figure{Value: float64(early(notes))}, row.AtMost(0, "")),
	}
	lines[1].Note = lateNote
	return lines
}

// parts are the quantiles of the lateness in five stretches of equal length, in milliseconds.
func parts(notes []note, q float64) []float64 {
	const n = 5
	sorted := slices.SortedFunc(slices.Values(notes), func(a, b note) int { return a.due.Compare(b.due) })
	var out []float64
	for i := range n {
		if part := sorted[i*len(sorted)/n : (i+1)*len(sorted)/n]; len(part) > 0 {
			out = append(out, quantile(part, q))
		}
	}
	return out
}

// quantile of the lateness in milliseconds.
func quantile(notes []note, q float64) float64 {
	values := make([]float64, len(notes))
	for i, n := range notes {
		values[i] = milliseconds(n.late())
	}
	return row.Quantile(values, q)
}

// early counts breaches that were decided or committed before they were due.
func early(notes []note) (count int) {
	for _, n := range notes {
		if n.recorded.Before(n.due) || n.at.Before(n.due) {
			count++
		}
	}
	return count
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// count writes a number short.
func count(n int) string {
	switch {
	case n >= 1_000_000 && n%100_000 == 0:
		return fmt.Sprintf("%g million", float64(n)/1e6)
	case n >= 1000:
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return fmt.Sprint(n)
}
