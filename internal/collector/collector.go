// Package collector lets the garbage collector run less often while there is much to do.
//
// By Go's own rule a heap may double before it is collected. Ours is small, some megabytes, and what passes through it is much: so
// it would be collected ten and more times a second, each time for the same small heap. While work goes on the heap may grow by a
// fixed room instead; a heap as large as the room, or an idle one, is back at Go's rule.
package collector

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// room is how many bytes the heap may grow by between two collections.
	room = 48 << 20
	// usual is Go's own percentage, most the largest that is set.
	usual, most = 100, 1000
	// roomy is how many bytes of memory the runtime may hold in any case before it gives back to the system what it does not use, and
	// collects more often. Where more lives, it is half as much again.
	roomy = 160 << 20
	// look is how often it is decided again, and busy how many collections in that time are many.
	look = time.Second
	busy = 2
	// calm is how many looks in a row must find nothing to do before the heap is collected and given back.
	calm = 5
)

// Run decides until ctx ends, and leaves Go's rule behind. Where the environment has GOGC, that stays, and so does GOMEMLIMIT.
func Run(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	t := time.NewTicker(look)
	defer t.Stop()
	defer debug.SetGCPercent(usual)
	limit := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(limit)
	s := state{percent: usual, cycles: read().cycles}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		before := s.percent
		now := read()
		rests := s.next(now)
		if os.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(bound(now.live))
		}
		if s.percent != before {
			debug.SetGCPercent(s.percent)
		}
		if rests {
			debug.FreeOSMemory()
		}
	}
}

// reading is what the runtime tells: collections so far, and the bytes that lived through the last one.
type reading struct{ cycles, live uint64 }

func read() reading {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return reading{s[0].Value.Uint64(), s[1].Value.Uint64()}
}

// state is what was decided.
type state struct {
	percent int
	cycles  uint64
	quiet   int // looks in a row that found nothing to do
}

// next decides anew. It says whether the work is over, and what it left is to be given back.
func (s *state) next(r reading) (rests bool) {
	ran := r.cycles - s.cycles
	s.cycles = r.cycles
	// Where the heap may grow more, collections come more rarely: one is then as much work as several were.
	if ran >= busy || s.percent > usual && ran > 0 {
		s.quiet = 0
		s.percent = percent(r.live)
		return false
	}
	if s.percent == usual {
		return false
	}
	if s.quiet++; s.quiet < calm {
		return false
	}
	s.percent, s.quiet = usual, 0
	return true
}

// bound is how much memory the runtime may hold when that many bytes of the heap live: never so little that it would collect all the
// time.
func bound(live uint64) int64 { return int64(max(roomy, live+live/2)) }

// percent is how much a heap of which that many bytes live may grow.
func percent(live uint64) int {
	return int(min(max(room*100/max(live, 1), usual), most))
}
