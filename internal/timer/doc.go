// Package timer wakes whoever waits for a moment: clocks, thresholds, periods, reviews.
//
// The row is authoritative and the heap is a hint. A row in the store says that something is open and when somebody must look at
// it; the heap only decides when to look. Fire looks: it loads the rows, decides again and writes by compare-and-set, so that a
// wake-up that is doubled, stale or sent by an owner who lost his lease unknowingly does nothing. What the heap does not know, the
// sweep brings; so Arm is for speed, and the sweep is the guarantee.
//
//	the row          open ─────────────────────────────────────────────────────▶ met, breached, cancelled
//	(authority)       │  ▲                                                  ▲
//	                  │  │ a later WakeAt: a warning was given              │ compare-and-set, in Fire
//	        sweep, Arm│  └──────────────────────────────────────────┐       │
//	                  ▼                                             │       │
//	the heap        armed ──the store's clock passed WakeAt──▶ being fired ─┘
//	(a hint)          ▲                                             │
//	                  └──────────── Fire failed: after a pause ─────┘
//
// What the sweep read lies in pages, in the order in which it was read, and costs little more than its ids; what was armed since lies
// in a heap. The earlier of the two is next, and what stands in both is one look.
//
// Time is the store's clock, which all replicas share. It is asked before every batch, and nothing is fired that is not due by
// that answer. The process's clock only measures how long to wait before asking again, a second at most; so a suspended machine,
// a clock that is set and a clock that runs wrong cost a look too many or a second, and never an early breach.
//
// Work is cut into shards. A shard has one owner at a time, by a lease in the store; its wake-ups are fired in the order in which
// they fall due, also those that fell due while nobody was there. An id whose Fire fails alone steps out of that order and waits
// by itself, so that it holds up nobody.
package timer
