package timer

// entry is one look that is planned: at microseconds since 1970, at the row id.
type entry struct {
	at int64
	id string
}

func (e entry) before(o entry) bool { return e.at < o.at || e.at == o.at && e.id < o.id }

// heap is a 4-ary heap, the earliest entry first: half as deep as a binary one, and the children of a node lie side by side.
type heap []entry

const arity = 4

func (h *heap) push(e entry) {
	*h = append(*h, e)
	q := *h
	i := len(q) - 1
	for i > 0 {
		parent := (i - 1) / arity
		if !e.before(q[parent]) {
			break
		}
		q[i] = q[parent]
		i = parent
	}
	q[i] = e
}

// pop removes and returns the earliest entry of a heap that is not empty.
func (h *heap) pop() entry {
	q := *h
	first, last := q[0], q[len(q)-1]
	q[len(q)-1] = entry{} // let go of the id
	q = q[:len(q)-1]
	*h = q
	for i := 0; len(q) > 0; {
		eldest := i*arity + 1
		child := eldest
		for next := eldest + 1; next < min(eldest+arity, len(q)); next++ {
			if q[next].before(q[child]) {
				child = next
			}
		}
		if child >= len(q) || !q[child].before(last) {
			q[i] = last
			break
		}
		q[i] = q[child]
		i = child
	}
	return first
}
