package replay

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is rows per second; 0 is as fast as the door takes them.
type Rate float64

// UnmarshalText reads 200/s, 12000/m or 500000/h.
func (r *Rate) UnmarshalText(text []byte) error {
	number, unit, _ := strings.Cut(string(text), "/")
	seconds, known := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !known || n <= 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return fmt.Errorf("%q is no rate: write rows a second, a minute or an hour, as 200/s, 12000/m or 500000/h", text)
	}
	*r = Rate(n / seconds)
	return nil
}

// together is how many rows may go at once, so that a slow rate is no burst once in a while.
func (r Rate) together() int {
	if r == 0 {
		return batch
	}
	return max(1, int(min(batch, float64(r))))
}

// pacer lets rows go at a rate. It is for one goroutine.
type pacer struct {
	rate Rate
	// free is when the next row may go.
	free time.Time
}

// wait returns when n rows more may go.
func (p *pacer) wait(ctx context.Context, n int) error {
	if p.rate == 0 {
		return nil
	}
	now := time.Now()
	if p.free.Before(now) { // what was not used is not saved up
		p.free = now
	}
	until := p.free
	p.free = p.free.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	t := time.NewTimer(until.Sub(now))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
