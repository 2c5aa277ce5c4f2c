package handoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Who comes while another fires is fired next, together with all who wait, and no volley is larger than it may be.
func TestVolleysFireTogetherWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVolleys()
		var sizes []int
		fired := map[string]int{}
		all := func(_ context.Context, shots []*shot) error {
			n := 0
			for _, s := range shots {
				n += len(s.ids)
				for _, id := range s.ids {
					fired[id]++
				}
			}
			sizes = append(sizes, n)
			time.Sleep(time.Second)
			return nil
		}
		var callers sync.WaitGroup
		shoot := func(name string, n int) {
			ids := make([]string, n)
			for i := range ids {
				ids[i] = fmt.Sprint(name, i)
			}
			callers.Go(func() {
				if err := v.fire(t.Context(), &shot{ids: ids}, all); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
			synctest.Wait()
		}
		shoot("first", 1)
		for i := range 5 {
			shoot(fmt.Sprint("waits", i), 1)
		}
		shoot("large", largest)
		shoot("late", 1)
		callers.Wait()
		slices.Sort(sizes)
		if !slices.Equal(sizes, []int{1, 6, largest}) {
			t.Errorf("the volleys held %v: want the first alone, the six small ones together, and the large one alone", sizes)
		}
		for id, n := range fired {
			if n != 1 {
				t.Errorf("%s was fired %d times", id, n)
			}
		}
		if len(fired) != 7+largest {
			t.Errorf("%d were fired", len(fired))
		}
	})
}

// One shot's fault is not the others'.
func TestVolleyThatFailsIsFiredOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVolleys()
		broken := errors.New("broken")
		all := func(_ context.Context, shots []*shot) error {
			time.Sleep(time.Second)
			for _, s := range shots {
				if slices.Contains(s.ids, "bad") {
					return broken
				}
			}
			return nil
		}
		ids := []string{"first", "a", "bad", "b"}
		errs := make([]error, len(ids))
		var callers sync.WaitGroup
		for i, id := range ids {
			callers.Go(func() { errs[i] = v.fire(t.Context(), &shot{ids: []string{id}}, all) })
			synctest.Wait()
		}
		callers.Wait()
		for i, id := range ids {
			if want := id == "bad"; errors.Is(errs[i], broken) != want {
				t.Errorf("%s: %v", id, errs[i])
			}
		}
	})
}

// A caller whose lease ends does not wait for its turn; one whose shot is being fired hears how it went.
func TestShotIsWithdrawnWhenItsCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVolleys()
		var fired []string
		all := func(_ context.Context, shots []*shot) error {
			for _, s := range shots {
				fired = append(fired, s.ids...)
			}
			time.Sleep(time.Minute)
			return nil
		}
		var callers sync.WaitGroup
		leave, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		stay, cancelStay := context.WithTimeout(t.Context(), 70*time.Second)
		defer cancelStay()
		want := map[string]error{"first": nil, "stays": nil, "leaves": context.DeadlineExceeded, "in flight": nil}
		for _, c := range []struct {
			id  string
			ctx context.Context //nolint:containedctx // a test's table
		}{{"first", t.Context()}, {"stays", t.Context()}, {"leaves", leave}, {"in flight", stay}} {
			callers.Go(func() {
				if err := v.fire(c.ctx, &shot{ids: []string{c.id}}, all); !errors.Is(err, want[c.id]) {
					t.Errorf("%s: %v", c.id, err)
				}
			})
			synctest.Wait()
		}
		callers.Wait()
		slices.Sort(fired)
		if !slices.Equal(fired, []string{"first", "in flight", "stays"}) {
			t.Errorf("fired %q", fired)
		}
	})
}
