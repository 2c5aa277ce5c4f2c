package clocks

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/leadpact/leadpact/internal/timer"
	"github.com/leadpact/leadpact/tools/bench/row"
)

// restart starts a timer that must hold every open clock in memory, whenever it falls due.
func restart(ctx context.Context, e *row.Env, _ sizes, s *stand) ([]row.Line, error) {
	before := heap()
	began := time.Now()
	r, err := s.start(ctx, func(c *timer.Config) { c.Horizon = 365 * 24 * time.Hour })
	if err != nil {
		return nil, err
	}
	armed, err := until(ctx, r.timer, s.open)
	took := armed.Sub(began)
	each := float64(heap()-before) / float64(s.open)
	if stopped := r.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return nil, err
	}
	e.Step()
	what := fmt.Sprintf("%s, restart with %s open clocks", s.name, count(s.open))
	lines := []row.Line{
		row.Alone(what+": armed", row.Figure{Value: took.Seconds(), Unit: "s"}, row.AtMost(2, "s")),
		row.Alone(what+": memory of each", row.Figure{Value: each, Unit: "B"}, row.AtMost(64, "B")),
	}
	lines[0].Note = "From the making of the service to the moment when every clock is read, and each would be looked at when it falls due. " +
		"The horizon, a minute in the product, is set to a year, so that all of them are held in memory."
	lines[1].Note = "The heap that is in use after a collection, less the same before the start."
	return lines, nil
}

// until waits until n clocks wait in memory and returns when that was.
func until(ctx context.Context, t *timer.Timer, n int) (time.Time, error) {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for t.Armed() < n {
		select {
		case <-ctx.Done():
			return time.Now(), fmt.Errorf("%d of %d clocks were armed within %s", t.Armed(), n, patience)
		case <-tick.C:
		}
	}
	return time.Now(), nil
}

// heap is how many bytes are in use, after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools let go of in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
