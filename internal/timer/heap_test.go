package timer

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is pushed and popped in whatever order, pop gives the earliest of what is in.
func TestHeapPopsTheEarliest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var h heap
		var model []entry
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			if len(model) == 0 || rapid.IntRange(0, 2).Draw(t, "push") > 0 {
				e := entry{int64(rapid.IntRange(-5, 20).Draw(t, "at")), strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "id"))}
				h.push(e)
				model = append(model, e)
				continue
			}
			slices.SortFunc(model, func(a, b entry) int {
				if a.before(b) {
					return -1
				}
				return 1
			})
			if got := h.pop(); got != model[0] {
				t.Fatalf("popped %v, the earliest is %v", got, model[0])
			}
			model = model[1:]
		}
		if len(h) != len(model) {
			t.Fatalf("%d are left of %d", len(h), len(model))
		}
	})
}
