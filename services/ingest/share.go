package ingest

import (
	"errors"
	"sync/atomic"
)

// errNoisy says that a source has more in hand than leaves room for the others.
var errNoisy = errors.New("the source has too much in hand at once")

// share is what one source has in hand of what all sources share: room for bodies, and places in the queues to the log. It may never
// hold more room than is left for the others, nor more than half of a queue's places, so that one that floods the door is turned away
// while the others do not notice.
type share struct {
	held   atomic.Int64    // bytes of bodies
	places []chan struct{} // by partition
}

func newShare(partitions int) *share {
	s := &share{places: make([]chan struct{}, partitions)}
	for p := range s.places {
		s.places[p] = make(chan struct{}, maxQueued/2)
	}
	return s
}
