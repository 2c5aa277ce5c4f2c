package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
)

// errands: each is done, however often it fails; one that must wait holds up no other, and what a killed replica had in hand is done by
// another.
func errands(t *testing.T, s *Site) {
	first, second := declared(t, s.Config()), declared(t, s.Config())
	for i := range 50 {
		if err := first.PublishErrand(t.Context(), []byte(fmt.Sprint(i)), fmt.Sprint("errand", i)); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	done, failures := []string{}, map[string]int{}
	slow := time.Time{}
	work := func(_ context.Context, data []byte, tries int) error {
		mu.Lock()
		defer mu.Unlock()
		name := string(data)
		if failures[name]++; tries < 1 {
			t.Errorf("errand %s was handed out %d times before", name, tries)
		}
		switch {
		case name == "7" && failures[name] == 1:
			slow = time.Now()
			return bus.TryLater(2*time.Second, errors.New("not now"))
		case name == "8" && failures[name] < 4:
			return errors.New("again at once")
		case name == "7" && time.Since(slow) < 1900*time.Millisecond:
			t.Errorf("it came again after %s", time.Since(slow))
		}
		done = append(done, name)
		return nil
	}
	held := make(chan struct{})
	var once sync.Once
	var running sync.WaitGroup
	running.Go(func() {
		err := first.Errands(context.Background(), func(ctx context.Context, _ []byte, _ int) error {
			once.Do(func() { close(held) })
			<-ctx.Done() // what it has in hand when it is killed
			return ctx.Err()
		})
		if !errors.Is(err, bus.ErrClosed) {
			t.Errorf("errands of a bus that was killed: %v", err)
		}
	})
	<-held
	kill(t, first)
	running.Wait()

	ctx, stop := context.WithCancel(t.Context())
	running.Go(func() {
		if err := second.Errands(ctx, work); err != nil {
			t.Errorf("errands: %v", err)
		}
	})
	defer running.Wait()
	defer stop()
	Eventually(t, "all are done", func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(done) < 50 {
			return fmt.Errorf("%d are done: %v", len(done), done)
		}
		return nil
	})
	Eventually(t, "none is left", func() error {
		lag, err := second.Lag(t.Context())
		if err == nil && lag[bus.ErrandConsumer] != 0 {
			err = fmt.Errorf("%d are left", lag[bus.ErrandConsumer])
		}
		return err
	})
	mu.Lock()
	defer mu.Unlock()
	if at := slices.Index(done, "7"); at < 45 {
		t.Errorf("others waited for the one that must wait: it was done as number %d", at)
	}
	if failures["8"] != 4 {
		t.Errorf("the one that fails three times was tried %d times", failures["8"])
	}
}
