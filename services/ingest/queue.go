package ingest

import "sync"

// queue holds the parcels that wait for a message of one partition, a lane for each source. They leave by turns, one of each source
// after another, so that a source with much to say holds up no other.
type queue struct {
	some chan struct{} // holds a token when something has come since it was found empty

	mu   sync.Mutex
	turn []*lane // those in which somebody waits, the next first
}

func newQueue() *queue { return &queue{some: make(chan struct{}, 1)} }

// lane is what one source has in a queue, in its order. Whoever pushes has taken one of its places; pop gives it back.
type lane struct {
	places chan struct{}

	// A ring, guarded by the queue.
	waiting [maxWaiting]*parcel
	first   int
	count   int
}

func newLane() *lane { return &lane{places: make(chan struct{}, maxWaiting)} }

func (q *queue) push(l *lane, p *parcel) {
	q.mu.Lock()
	if l.count == 0 {
		q.turn = append(q.turn, l)
	}
	l.waiting[(l.first+l.count)%maxWaiting] = p
	l.count++
	q.mu.Unlock()
	select {
	case q.some <- struct{}{}:
	default:
	}
}

// pop returns the next parcel; nil when none waits.
func (q *queue) pop() *parcel {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.turn) == 0 {
		return nil
	}
	l := q.turn[0]
	p := l.waiting[l.first]
	l.waiting[l.first] = nil
	l.first = (l.first + 1) % maxWaiting
	l.count--
	<-l.places
	last := len(q.turn) - 1
	copy(q.turn, q.turn[1:]) // sources are few
	if q.turn[last] = l; l.count == 0 {
		q.turn[last], q.turn = nil, q.turn[:last]
	}
	return p
}
