package timer

import (
	"sort"
	"strings"

	"github.com/leadpact/leadpact/internal/store"
)

// run is what the sweep read, in order. A million wake-ups are a normal size, so they lie in pages of columns: eight bytes for the
// time, four for the end of the id, and the id itself.
//
// A sweep that goes on replaces what the one before read, page by page: the first fresh pages are its own, and those behind are the
// other's, without what lies before its cursor.
type run struct {
	pages []page
	fresh int
	size  int
}

// page is some wake-ups; those before next are fired.
type page struct {
	at   []int64
	ends []uint32 // of the ids in ids
	ids  string
	next int
}

func newPage(wakes []store.Wake) page {
	bytes := 0
	for _, w := range wakes {
		bytes += len(w.ID)
	}
	p := page{at: make([]int64, len(wakes)), ends: make([]uint32, len(wakes))}
	var ids strings.Builder
	ids.Grow(bytes)
	for i, w := range wakes {
		ids.WriteString(w.ID)
		p.at[i], p.ends[i] = w.At.UnixMicro(), uint32(ids.Len())
	}
	p.ids = ids.String()
	return p
}

func (p *page) entry(i int) entry {
	start := uint32(0)
	if i > 0 {
		start = p.ends[i-1]
	}
	return entry{p.at[i], p.ids[start:p.ends[i]]}
}

// head is the earliest wake-up. Its id holds on to the page: who keeps it clones it.
func (r *run) head() (entry, bool) {
	if len(r.pages) == 0 {
		return entry{}, false
	}
	p := &r.pages[0]
	return p.entry(p.next), true
}

// pop removes the earliest wake-up.
func (r *run) pop() {
	r.size--
	p := &r.pages[0]
	if p.next++; p.next < len(p.at) {
		return
	}
	r.pages[0] = page{} // let go of the ids
	r.pages = r.pages[1:]
	r.fresh = max(r.fresh-1, 0)
}

// restart makes everything the sweep's before.
func (r *run) restart() { r.fresh = 0 }

// add puts what a sweep read in the place of everything up to its end.
func (r *run) add(wakes []store.Wake) {
	if len(wakes) == 0 {
		return
	}
	fresh := newPage(wakes)
	last := fresh.entry(len(wakes) - 1)
	old := r.pages[r.fresh:]
	for len(old) > 0 {
		p := &old[0]
		passed := sort.Search(len(p.at)-p.next, func(i int) bool { return last.before(p.entry(p.next + i)) })
		r.size -= passed
		if p.next += passed; p.next < len(p.at) {
			break
		}
		old = old[1:]
	}
	pages := make([]page, 0, r.fresh+1+len(old))
	pages = append(append(append(pages, r.pages[:r.fresh]...), fresh), old...)
	r.pages, r.fresh, r.size = pages, r.fresh+1, r.size+len(wakes)
}

// finish drops what the sweep did not come by: it is not open any more.
func (r *run) finish() {
	for _, p := range r.pages[r.fresh:] {
		r.size -= len(p.at) - p.next
	}
	clear(r.pages[r.fresh:])
	r.pages = r.pages[:r.fresh]
}
