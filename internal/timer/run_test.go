package timer

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadpact/leadpact/internal/store"
)

// Sweeps over a store that changes, page by page, with wake-ups fired in between: the run always holds what the newest pages say,
// and behind them what the sweep before said, in order.
func TestRunIsWhatTheSweepsRead(t *testing.T) {
	t.Parallel()
	order := func(a, b store.Wake) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }
	rapid.Check(t, func(t *rapid.T) {
		var r run
		var fresh, old []store.Wake
		check := func() {
			t.Helper()
			want := slices.Concat(fresh, old)
			if r.size != len(want) {
				t.Fatalf("size %d, want %d", r.size, len(want))
			}
			e, ok := r.head()
			if ok != (len(want) > 0) || ok && (e.id != want[0].ID || e.at != want[0].At.UnixMicro()) {
				t.Fatalf("the head is %v, %v of %v", e, ok, want)
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "sweeps") {
			r.restart()
			fresh, old = nil, slices.Concat(fresh, old)
			stored := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) store.Wake {
				return store.Wake{At: time.UnixMicro(rapid.Int64Range(-3, 30).Draw(t, "at")), ID: fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "id"))}
			}), 0, 40, func(w store.Wake) store.Wake { return w }).Draw(t, "stored")
			slices.SortFunc(stored, order)
			for len(stored) > 0 {
				n := min(len(stored), rapid.IntRange(1, 8).Draw(t, "page"))
				r.add(stored[:n])
				last := stored[n-1]
				fresh = append(fresh, stored[:n]...)
				old = slices.DeleteFunc(old, func(w store.Wake) bool { return order(w, last) <= 0 })
				stored = stored[n:]
				check()
				for range rapid.IntRange(0, 5).Draw(t, "fired") {
					if len(fresh)+len(old) == 0 {
						break
					}
					r.pop()
					if len(fresh) > 0 {
						fresh = fresh[1:]
					} else {
						old = old[1:]
					}
					check()
				}
			}
			r.finish()
			old = nil
			check()
		}
	})
}
