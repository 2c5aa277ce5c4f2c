package ingest

import (
	"errors"
	"sync/atomic"
)

// errNoisy says that a source has more in hand than leaves room for the others.
var errNoisy = errors.New("the source has too much in hand at once")

// share is what one source has in hand of what all sources share: room for bodies, of which it may never hold more than it leaves to the
// others, and a lane in the queue of each partition. A source that floods the door is turned away, and the others do not notice.
type share struct {
	held  atomic.Int64 // bytes of bodies
	lanes []*lane      // by partition
}

func newShare(partitions int) *share {
	s := &share{}
	for range partitions {
		s.lanes = append(s.lanes, newLane())
	}
	return s
}
