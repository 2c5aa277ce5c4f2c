package bus

import (
	"math/rand/v2"
	"time"
)

const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 5 * time.Second
)

// backoff grows pauses with full jitter, so that replicas which failed together do not come back together.
type backoff struct{ ceiling time.Duration }

func (b *backoff) next() time.Duration {
	if b.ceiling == 0 {
		b.ceiling = shortestPause
	}
	d := rand.N(b.ceiling) //nolint:gosec // spreads load, guards nothing
	b.ceiling = min(2*b.ceiling, longestPause)
	return d
}
