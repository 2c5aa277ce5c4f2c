package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leadpact/leadpact/internal/event"
)

// faulty is a log that does what a real one cannot be made to do at the right moment. Without faults it stores.
type faulty struct {
	partitions int
	publish    func(ctx context.Context, partition int) error // nil stores at once
	ready      func(ctx context.Context) error
	errand     func(ctx context.Context) error // nil stores at once

	mu      sync.Mutex
	got     []message // what it acknowledged
	errands []message // of the one partition 0
}

func (f *faulty) PublishErrand(ctx context.Context, source string, data []byte, id string) error {
	if f.errand != nil {
		if err := f.errand(ctx); err != nil {
			return err
		}
	}
	events, err := event.Unpack(data)
	if err != nil || id == "" || events[0].GetSource() != source {
		return fmt.Errorf("errand %q of %q: %w", id, source, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errands = append(f.errands, message{0, events})
	return nil
}

func (f *faulty) Partitions() int { return f.partitions }

// inFlight is what the faulty log lets be on its way.
const inFlight = 4

func (f *faulty) InFlight() int { return inFlight }

func (f *faulty) Ready(ctx context.Context) error {
	if f.ready == nil {
		return nil
	}
	return f.ready(ctx)
}

func (f *faulty) Publish(ctx context.Context, producer string, m event.Message, id string) error {
	if producer != event.Ingest || id == "" {
		return fmt.Errorf("producer %q, id %q", producer, id)
	}
	if f.publish != nil {
		if err := f.publish(ctx, m.Partition); err != nil {
			return err
		}
	}
	events, err := event.Unpack(m.Data)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, message{m.Partition, events})
	return nil
}

func (f *faulty) stored() []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// forget drops what was stored, for tests that look at memory.
func (f *faulty) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = nil
}

// inBubble opens a door within synctest's time.
func inBubble(t *testing.T, f *faulty) *world {
	w := newWorld(t, f, nil)
	synctest.Wait()
	return w
}

// later sends a request beside, and says whether its answer is there.
type later struct {
	done chan struct{}
	rec  *httptest.ResponseRecorder
}

func (w *world) later(r *http.Request) *later {
	l := &later{done: make(chan struct{})}
	go func() {
		l.rec = w.send(r)
		close(l.done)
	}()
	return l
}

func (l *later) answered() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// sentAway checks that a sender is told to come again: the log does not answer, or his source has too much waiting for it already.
func (w *world) sentAway(what string, rec *httptest.ResponseRecorder) {
	w.t.Helper()
	if rec.Code == http.StatusTooManyRequests {
		w.refused(what, rec, http.StatusTooManyRequests, typeRate)
		return
	}
	w.refused(what, rec, http.StatusServiceUnavailable, typeUnavailable)
}

func person(id string) string { return fmt.Sprintf(`{"id":%q,"external_id":%q}`, id, id) }

func TestNoAnswerBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		acknowledge := make(chan struct{})
		log := &faulty{partitions: 1, publish: func(context.Context, int) error { <-acknowledge; return nil }}
		w := inBubble(t, log)
		l := w.later(request(t, "form", person("a")))
		time.Sleep(w.service.cfg.Patience - time.Millisecond) // of the bubble's clock
		synctest.Wait()
		if l.answered() {
			t.Errorf("answered with %d before the log acknowledged", l.rec.Code)
		}
		close(acknowledge)
		synctest.Wait()
		w.took("acknowledged", l.rec)
	})
}

func TestALogThatNeverAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		log := &faulty{partitions: 1, publish: func(context.Context, int) error { <-never; return errors.New("too late") }}
		w := inBubble(t, log)
		// More than the slots and the source's lane hold: the last ones wait for a place.
		var all []*later
		began := time.Now()
		for i := range maxWaiting + 100 {
			all = append(all, w.later(request(t, "form", person(fmt.Sprint(i)))))
		}
		for _, l := range all {
			<-l.done
			w.sentAway("a log that hangs", l.rec)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the answers took %v, want at most a second", took)
		}
		close(never)
	})
}

func TestAFailedPublishIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &faulty{partitions: 1, publish: func(context.Context, int) error { return errors.New("disk is gone") }}
		w := inBubble(t, log)
		p := w.refused("a publish that fails", w.post("form", person("a")), 503, typeUnavailable)
		if strings.Contains(p.Detail, "disk") {
			t.Errorf("the sender reads %q", p.Detail)
		}
		if got := testutil.ToFloat64(w.service.metrics.events.WithLabelValues("form", "unavailable")); got != 1 {
			t.Errorf("%v events counted as unavailable", got)
		}
		if got := testutil.ToFloat64(w.service.metrics.events.WithLabelValues("form", "accepted")); got != 0 {
			t.Errorf("%v events counted as accepted", got)
		}
	})
}

// One partition's log hangs: requests for the other are answered at once, and one for both is not acknowledged.
func TestPartitionsDoNotHoldUpEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		log := &faulty{partitions: 2, publish: func(_ context.Context, partition int) error {
			if partition == 0 {
				<-never
				return errors.New("too late")
			}
			return nil
		}}
		w := inBubble(t, log)
		in := [2][]string{}
		for i := 0; len(in[0]) < 600 || len(in[1]) < 10; i++ {
			id := fmt.Sprint(i)
			p := event.Partition("id:form:"+id, 2)
			in[p] = append(in[p], id)
		}
		var stuck []*later
		for _, id := range in[0][:600] { // slots and queue are full
			stuck = append(stuck, w.later(request(t, "form", person(id))))
		}
		both := w.later(request(t, "form", "["+person(in[0][0])+","+person(in[1][9])+"]"))
		for _, id := range in[1][:9] {
			l := w.later(request(t, "form", person(id)))
			synctest.Wait()
			if !l.answered() {
				t.Fatal("the other partition waits too")
			}
			w.took("the other partition", l.rec)
		}
		for _, l := range append(stuck, both) {
			<-l.done
			w.sentAway("the stuck partition", l.rec)
		}
		close(never)
	})
}

// What nobody waits for any more is not published: its sender was told to come again. What follows it is not lost with it.
func TestGivenUpParcelsAreLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		log := &faulty{partitions: 1, publish: func(context.Context, int) error { <-let; return nil }}
		w := inBubble(t, log)
		var early []*later
		for i := range inFlight + 20 {
			early = append(early, w.later(request(t, "form", person(fmt.Sprint("early-", i)))))
			if i < inFlight {
				synctest.Wait() // a slot each
			}
		}
		for _, l := range early {
			<-l.done
			w.refused("a log that hangs", l.rec, 503, typeUnavailable)
		}
		late := w.later(request(t, "form", person("late")))
		synctest.Wait()
		close(let)
		synctest.Wait()
		w.took("the log is back", late.rec)
		got := storedIDs(log.stored())
		if len(got) != inFlight+1 || !slices.Contains(got, "late") {
			t.Errorf("stored %q: want what was in flight, and the late one", got)
		}
	})
}

func TestShutdownAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		log := &faulty{partitions: 1, publish: func(context.Context, int) error { <-let; return nil }}
		w := inBubble(t, log)
		var all []*later
		for i := range inFlight + 5 {
			all = append(all, w.later(request(t, "form", person(fmt.Sprint(i)))))
			synctest.Wait()
		}
		stopped := make(chan struct{})
		go func() { w.stop(); close(stopped) }()
		synctest.Wait()
		close(let)
		began := time.Now()
		taken := 0
		for _, l := range all {
			<-l.done
			if l.rec.Code == http.StatusAccepted {
				taken++
				continue
			}
			w.refused("shut down while it waits", l.rec, 503, typeUnavailable)
		}
		<-stopped
		if took := time.Since(began); took != 0 {
			t.Errorf("they waited %v for an answer", took)
		}
		if taken != inFlight || len(storedIDs(log.stored())) != inFlight {
			t.Errorf("%d answered 202, %d stored, want the %d in flight", taken, len(log.stored()), inFlight)
		}
		if w.service.Ready(t.Context()) == nil {
			t.Error("ready after the end")
		}
		w.refused("after the end", w.post("form", person("x")), 503, typeUnavailable)
	})
}

// A sender that hangs up does not cut his events short: were they dropped, one with little patience would never get through.
func TestHangUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		log := &faulty{partitions: 1, publish: func(context.Context, int) error { <-let; return nil }}
		w := inBubble(t, log)
		ctx, hangUp := context.WithCancel(t.Context())
		l := w.later(request(t, "form", person("a")).WithContext(ctx))
		synctest.Wait()
		hangUp()
		synctest.Wait()
		close(let)
		synctest.Wait()
		w.took("hung up", l.rec)
		if got := storedIDs(log.stored()); !slices.Equal(got, []string{"a"}) {
			t.Errorf("stored %q", got)
		}
	})
}

// The bounds of a message hold, nothing is lost between two messages, and a request's order stands.
func TestGather(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		log := &faulty{partitions: 1, publish: func(context.Context, int) error { <-let; return nil }}
		w := inBubble(t, log)
		body := func(request int) string {
			var parts []string
			for i := range 200 {
				parts = append(parts, person(fmt.Sprintf("%03d-%03d", request, i)))
			}
			return "[" + strings.Join(parts, ",") + "]"
		}
		var all []*later
		for i := range 12 {
			all = append(all, w.later(request(t, "form", body(i))))
			synctest.Wait()
		}
		close(let)
		for _, l := range all {
			<-l.done
			w.took("a batch", l.rec)
		}
		next := map[string]int{}
		total := 0
		for _, m := range log.stored() {
			if len(m.events) > maxPacked {
				t.Errorf("a message of %d events", len(m.events))
			}
			for _, id := range idsOf(m.events) {
				total++
				if want := fmt.Sprintf("%s-%03d", id[:3], next[id[:3]]); id != want {
					t.Fatalf("%s comes where %s belongs", id, want)
				}
				next[id[:3]]++
			}
		}
		if total != 12*200 || len(log.stored()) != inFlight+4 {
			t.Errorf("%d events in %d messages, want 2400 in %d", total, len(log.stored()), inFlight+4)
		}
	})
}

// A log that cannot be asked in time does not stay open for ever, and its coming back needs no restart.
func TestLooking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		hangs := false
		log := &faulty{partitions: 1, ready: func(ctx context.Context) error {
			mu.Lock()
			h := hangs
			mu.Unlock()
			if h {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		set := func(v bool) {
			mu.Lock()
			defer mu.Unlock()
			hangs = v
		}
		w := inBubble(t, log)
		if err := w.service.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		set(true)
		time.Sleep(3 * time.Second) // of the bubble's clock
		if w.service.Ready(t.Context()) == nil {
			t.Error("still open")
		}
		w.refused("closed", w.post("form", person("a")), 503, typeUnavailable)
		set(false)
		time.Sleep(3 * time.Second)
		w.took("open again", w.post("form", person("a")))
		if n := strings.Count(w.log.String(), "ingest does not accept"); n != 1 {
			t.Errorf("one outage is logged %d times", n)
		}
	})
}
