package ingest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// maxReading bounds in bytes the bodies of one source that are read at a time: a tree may be fifty times as large as its body, and takes
// its time.
const maxReading = 1 << 20

// errNoisy says that a source has more in hand than leaves room for the others.
var errNoisy = errors.New("the source has too much in hand at once")

// share is what one source has in hand of what all sources share: room for bodies, of which it may never hold more than it leaves to the
// others, a part in the reading of them, and a lane in the queue of each partition. A source that floods the door is turned away, and the others do not notice.
type share struct {
	held    atomic.Int64 // bytes of bodies
	reading *semaphore.Weighted
	lanes   []*lane // by partition
}

func newShare(partitions int) *share {
	s := &share{reading: semaphore.NewWeighted(maxReading)}
	for range partitions {
		s.lanes = append(s.lanes, newLane())
	}
	return s
}

// begin waits until a body of so many bytes may be read, but not for longer than patience; end is called when it was read. It fails
// with errNoisy.
func (s *share) begin(ctx context.Context, patience time.Duration, bytes int) (end func(), err error) {
	n := min(int64(bytes), maxReading)
	if !s.reading.TryAcquire(n) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if s.reading.Acquire(ctx, n) != nil {
			return nil, errNoisy
		}
	}
	return func() { s.reading.Release(n) }, nil
}
