package calendar

import "sort"

// index is the open time of a calendar as sorted, disjoint intervals with prefix
// sums, in microseconds. Interval i is [starts[i], end(i)); sums[i] is the open
// time of all intervals before it, so sums has one element more than starts.
type index struct {
	starts []int64
	sums   []int64
}

func newIndex(size int) *index {
	return &index{starts: make([]int64, 0, size), sums: append(make([]int64, 0, size+1), 0)}
}

// add appends [start, end), which begins no earlier than the last one ended.
// It joins what touches, so that closing at 24:00 and opening at 00:00 is no close.
func (x *index) add(start, end int64) {
	n := len(x.starts)
	if n > 0 && start == x.end(n-1) {
		x.sums[n] += end - start
		return
	}
	x.starts = append(x.starts, start)
	x.sums = append(x.sums, x.sums[n]+end-start)
}

func (x *index) end(i int) int64 { return x.starts[i] + x.sums[i+1] - x.sums[i] }

// worked is the open time from the beginning of the index until t.
func (x *index) worked(t int64) int64 {
	i := sort.Search(len(x.starts), func(i int) bool { return x.starts[i] > t }) - 1
	if i < 0 {
		return 0
	}
	return min(x.sums[i]+t-x.starts[i], x.sums[i+1])
}

// reach is the earliest instant by which work has been worked, its inverse. That
// is a closing time, not the next opening, where both would do. Work is above 0.
func (x *index) reach(work int64) (t int64, ok bool) {
	i := sort.Search(len(x.starts), func(i int) bool { return x.sums[i+1] >= work })
	if i == len(x.starts) {
		return 0, false
	}
	return x.starts[i] + work - x.sums[i], true
}

// next is the interval that t lies in, else the first after it.
func (x *index) next(t int64) (i int, ok bool) {
	i = sort.Search(len(x.starts), func(i int) bool { return x.end(i) > t })
	return i, i < len(x.starts)
}
