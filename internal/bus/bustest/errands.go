package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadpact/leadpact/internal/bus"
)

// errands: each is done, however often it fails; one that must wait holds up no other, and what a killed replica had in hand is done by
// another.
func errands(t *testing.T, s *Site) {
	first, second := declared(t, s.Config()), declared(t, s.Config())
	for i := range 50 {
		if err := first.PublishErrand(t.Context(), "portal", []byte(fmt.Sprint(i)), fmt.Sprint("errand", i)); err != nil {
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

// errandsOfOneSource: one source refuses for ever and fills its part to the brim; the others are done meanwhile, and have room.
func errandsOfOneSource(t *testing.T, s *Site) {
	b := declared(t, s.Config())
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1000))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "LEADPACT_ERRANDS")
	if err != nil {
		t.Fatal(err)
	}
	bound := stream.CachedInfo().Config.MaxMsgsPerSubject
	if bound < 1000 {
		t.Fatalf("a source may have %d errands", bound)
	}
	left := make([]jetstream.PubAckFuture, bound)
	for i := range left {
		if left[i], err = js.PublishAsync("leadpact.errands.shut", []byte("shut"), jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range left {
		select {
		case <-one.Ok():
		case err := <-one.Err():
			t.Fatal(err)
		}
	}

	asked := make(chan struct{}, 2*bound)
	open := make(chan string, 10)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Errands(ctx, func(_ context.Context, data []byte, _ int) error {
			if string(data) == "shut" {
				asked <- struct{}{}
				return bus.TryLater(time.Hour, errors.New("the token is wrong"))
			}
			open <- string(data)
			return nil
		}); err != nil {
			t.Errorf("errands: %v", err)
		}
	})
	defer running.Wait()
	defer stop()
	Eventually(t, "all of the source that refuses are under way", func() error {
		if len(asked) < int(bound) {
			return fmt.Errorf("%d of %d", len(asked), bound)
		}
		return nil
	})
	if err := b.PublishErrand(t.Context(), "shut", []byte("shut"), "one too many"); !errors.Is(err, bus.ErrFull) || !strings.Contains(err.Error(), "shut") {
		t.Errorf("one more of the source that refuses: %v, want ErrFull", err)
	}
	for i := range 3 {
		want := fmt.Sprint("open", i)
		if err := b.PublishErrand(t.Context(), "open", []byte(want), want); err != nil {
			t.Fatalf("another source's: %v", err)
		}
		select {
		case got := <-open:
			if got != want {
				t.Errorf("did %s, want %s", got, want)
			}
		case <-time.After(patience):
			t.Fatal("another source's errand waits for the one that refuses")
		}
	}
	for _, name := range []string{"", "a.b", "*", "a b"} {
		if err := b.PublishErrand(t.Context(), name, []byte("x"), "x"); err == nil {
			t.Errorf("an errand of %q was taken", name)
		}
	}
}

// errandsDeclaredAgain: a stream that was made with one subject for all sources is taken over, with what waits in it.
func errandsDeclaredAgain(t *testing.T, s *Site) {
	nc := s.Connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	replicas := 1
	if s.Config().Server == nil {
		replicas = 3
	}
	Eventually(t, "a stream of old is made", func() error { // a cluster's servers must know each other first
		_, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{
			Name: "LEADPACT_ERRANDS", Subjects: []string{"leadpact.errands"}, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
			MaxBytes: 64 << 20, Storage: jetstream.FileStorage, Replicas: replicas, Duplicates: 20 * time.Second,
		})
		return err
	})
	if _, err := js.CreateConsumer(t.Context(), "LEADPACT_ERRANDS", jetstream.ConsumerConfig{
		Durable: bus.ErrandConsumer, FilterSubject: "leadpact.errands", AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: -1, MaxAckPending: 10_000,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "leadpact.errands", []byte("old")); err != nil {
		t.Fatal(err)
	}

	b := declared(t, s.Config())
	if err := b.PublishErrand(t.Context(), "portal", []byte("new"), "new"); err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 2)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Errands(ctx, func(_ context.Context, data []byte, _ int) error {
			done <- string(data)
			return nil
		}); err != nil {
			t.Errorf("errands: %v", err)
		}
	})
	defer running.Wait()
	defer stop()
	got := map[string]bool{}
	for range 2 {
		select {
		case one := <-done:
			got[one] = true
		case <-time.After(patience):
			t.Fatalf("done are %v", got)
		}
	}
	if !got["old"] || !got["new"] {
		t.Errorf("done are %v", got)
	}
}
