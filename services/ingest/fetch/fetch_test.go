package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func TestFetchesWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	w := s.worker(v, s.bus)
	s.run(w)
	s.leave(thin("hubspot/e1/101", "other/e2/102", "hubspot/e3/103"), "1")
	s.until("three contacts", s.has("hubspot/fetch:e1", "hubspot/fetch:e3", "other/fetch:e2"))
	s.over()
	var e *eventv1.Event
	s.mu.Lock()
	for _, one := range s.seen {
		if one.GetId() == "fetch:e1" {
			e = one
		}
	}
	s.mu.Unlock()
	lr := e.GetLeadReceived()
	if lr.GetEmail() != "lea101@example.com" || lr.GetExternalId() != "101" || lr.GetName() != "Lea Lind" || lr.GetFetch() != "" || lr.GetKind() != "fetched" ||
		lr.GetFields()["employees"].GetNumber() != 200 || lr.GetFields()["company"].GetText() != "Acme" || lr.GetFields()["favourite"].GetText() != "tea" {
		t.Errorf("mapped to %v", lr)
	}
	if want := time.Date(2026, 3, 2, 9, 0, 0, 500_000_000, time.UTC); e.GetOccurredAt() != event.Micros(want) || len(lr.GetContentHash()) == 0 {
		t.Errorf("it occurred at %s", event.Time(e.GetOccurredAt()))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, id := range v.asked {
		token := "Bearer secret of env:TOKEN"
		if id == "102" {
			token = "Bearer secret of env:OTHER"
		}
		if v.tokens[i] != token {
			t.Errorf("%s was asked for with another source's token", id)
		}
		for _, want := range []string{"email", "firstname", "numemployees", "favourite", "lifecyclestage"} {
			if !slices.Contains(strings.Split(v.wanted[i], ","), want) {
				t.Errorf("%s is not asked for: %s", want, v.wanted[i])
			}
		}
	}
	if n := testutil.ToFloat64(w.results.WithLabelValues("hubspot", fetched)); n != 2 {
		t.Errorf("%v were counted as fetched", n)
	}
}

// A sender that wants a pause gets it, and another source does not wait for it.
func TestAPauseIsHeeded(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", status(http.StatusTooManyRequests, "Retry-After", "2"), contact("1", 5))
	s.run(s.worker(v, s.bus))
	began := time.Now()
	s.leave(thin("hubspot/a/1"), "1")
	s.until("it was asked", func() bool { return v.count("1") == 1 })
	s.leave(thin("hubspot/b/2"), "2")
	s.leave(thin("other/c/3"), "3")
	s.until("the other source's", s.has("other/fetch:c"))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("another source waited for %s", took)
	}
	s.until("all", s.has("hubspot/fetch:a", "hubspot/fetch:b", "other/fetch:c"))
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it was asked again after %s", took)
	}
	s.over()
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", status(http.StatusInternalServerError), status(http.StatusBadGateway), contact("1", 5))
	v.say("2", text(strings.Repeat(" ", largest+1)), contact("2", 5))
	v.say("3", text(`{"id":"3","properties":{`), contact("3", 5))
	v.say("4", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, contact("4", 5)) // the line breaks
	var slow atomic.Bool
	v.say("5", func(w http.ResponseWriter) {
		slow.Store(true)
		time.Sleep(500 * time.Millisecond)
		contact("5", 5)(w)
	}, contact("5", 5))
	w := s.worker(v, s.bus)
	hub := newHubSpot(v.URL, time.Now)
	hub.client.Timeout = 100 * time.Millisecond
	w.fetchers[HubSpotContact] = hub
	s.run(w)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		s.leave(thin("hubspot/e"+id+"/"+id), id)
	}
	s.until("all", s.has("hubspot/fetch:e1", "hubspot/fetch:e2", "hubspot/fetch:e3", "hubspot/fetch:e4", "hubspot/fetch:e5"))
	s.over()
	if v.count("1") != 3 || !slow.Load() {
		t.Errorf("asked %d times", v.count("1"))
	}
}

func TestWhoIsGoneIsDoneWith(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", status(http.StatusNotFound))
	v.say("2", status(http.StatusGone))
	w := s.worker(v, s.bus)
	s.run(w)
	s.leave(thin("hubspot/a/1", "hubspot/b/2", "hubspot/c/..%2F3", "nobody/d/4", "hubspot/e/5"), "1")
	s.until("the one that is there", s.has("hubspot/fetch:e"))
	s.over()
	if n := testutil.ToFloat64(w.results.WithLabelValues("hubspot", gone)); n != 3 {
		t.Errorf("%v were counted as gone", n)
	}
	if v.count("1") != 1 || v.count("2") != 1 || len(v.asked) != 3 {
		t.Errorf("asked for %v", v.asked)
	}
}

// A wrong token is asked with slowly, once for all that wait, and what waits is had when the token is right.
func TestAWrongTokenIsTriedSlowly(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", status(http.StatusUnauthorized), contact("1", 5))
	w := s.worker(v, s.bus)
	w.slowly = time.Second
	s.run(w)
	s.leave(thin("hubspot/a/1"), "1")
	s.until("it is refused", func() bool { return testutil.ToFloat64(w.results.WithLabelValues("hubspot", refused)) == 1 })
	s.leave(thin("hubspot/b/2"), "2")
	s.leave(thin("other/c/3"), "3")
	s.until("the other source's", s.has("other/fetch:c"))
	if v.count("2") != 0 {
		t.Error("another contact was asked for although the token is wrong")
	}
	s.until("all", s.has("hubspot/fetch:a", "hubspot/fetch:b", "other/fetch:c"))
	s.over()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(s.log.String(), "refuses the token") || strings.Contains(s.log.String(), "secret of") {
		t.Errorf("the log says\n%s", s.log.String())
	}
}

// What can never be used is given up, and the rest of its message is not.
func TestNonsenseIsGivenUp(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	v.say("1", text(`["Lea Lind", "lea@example.com"]`))
	w := s.worker(v, s.bus)
	for range givesUp - 2 {
		w.strange(&eventv1.Event{Source: "hubspot", Id: "a"})
	}
	s.run(w)
	s.leave(thin("hubspot/a/1", "hubspot/b/2"), "1")
	s.until("the good one", s.has("hubspot/fetch:b"))
	s.over()
	if n := testutil.ToFloat64(w.results.WithLabelValues("hubspot", useless)); n != 1 || v.count("2") != 1 {
		t.Errorf("%v were given up; the good one was asked for %d times", n, v.count("2"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(s.log.String(), "Lea") || strings.Contains(s.log.String(), "example.com") {
		t.Errorf("the log names a person:\n%s", s.log.String())
	}
}

// One contact that a message tells of again and again is asked for once, and the newest word of him counts.
func TestOneThingIsAskedForOnce(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	s.run(s.worker(v, s.bus))
	s.leave(thin("hubspot/a/1", "hubspot/b/1", "other/c/1", "hubspot/d/1"), "1")
	s.until("both sources'", s.has("hubspot/fetch:d", "other/fetch:c"))
	s.over()
	if v.count("1") != 2 {
		t.Errorf("asked for %d times, once for each source is enough", v.count("1"))
	}
}

// What a source leaves in haste waits in the log: only so many of its messages are in hand, those of another go on, and in the end all
// are fetched.
func TestABacklogWaitsInTheLog(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	answer := make(chan struct{})
	v.say("7", func(w http.ResponseWriter) { <-answer; contact("7", 1)(w) })
	w := s.worker(v, s.bus)
	ctx, stop := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for i := range held {
		waiting.Go(func() {
			if err := w.errand(ctx, thin(fmt.Sprintf("hubspot/e%d/7", i)), 1); err != nil {
				t.Errorf("message %d: %v", i, err)
			}
		})
	}
	s.until("the places are taken", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.holding["hubspot"] == held
	})
	var later bus.LaterError
	if err := w.errand(ctx, thin("hubspot/more/8"), 1); !errors.As(err, &later) || later.After <= 0 || v.count("8") != 0 {
		t.Errorf("one more: %v, asked %d times", err, v.count("8"))
	}
	if err := w.errand(ctx, thin("other/a/9"), 1); err != nil || v.count("9") != 1 {
		t.Errorf("another source's: %v", err)
	}
	close(answer)
	waiting.Wait()
	if err := w.errand(ctx, thin("hubspot/more/8"), 2); err != nil || v.count("8") != 1 {
		t.Errorf("when there is a place again: %v", err)
	}
	stop()
	for _, f := range w.fetchers {
		if h, ok := f.(*hubSpot); ok {
			h.client.CloseIdleConnections()
		}
	}
}

// dying is a process that is killed when it has fetched and before it has told of it.
type dying struct {
	*bus.Bus
	died func()
}

func (d dying) Publish(ctx context.Context, _ string, _ event.Message, _ string) error {
	d.died()
	<-ctx.Done()
	return ctx.Err()
}

func TestKilledBeforeItTells(t *testing.T) {
	t.Parallel()
	s, v := newSite(t), newVendor(t)
	died := make(chan struct{})
	stop := s.run(s.worker(v, dying{s.bus, sync.OnceFunc(func() { close(died) })}))
	s.leave(thin("hubspot/a/1", "hubspot/b/2"), "1")
	<-died
	stop()
	if got := s.whole(); len(got) != 0 {
		t.Fatalf("told %v", got)
	}
	s.run(s.worker(v, s.bus))
	s.until("both", s.has("hubspot/fetch:a", "hubspot/fetch:b"))
	s.over()
}

// A redirect is no way to learn a token.
func TestTokenGoesNowhereElse(t *testing.T) {
	t.Parallel()
	thief := newVendor(t)
	v := newVendor(t)
	v.say("1", status(http.StatusFound, "Location", thief.URL+"/crm/v3/objects/contacts/1"))
	h := newHubSpot(v.URL, time.Now)
	defer h.client.CloseIdleConnections()
	if _, err := h.Fetch(t.Context(), Wanted{ID: "1", Token: "secret"}); err == nil || len(thief.asked) != 0 {
		t.Errorf("followed: %v, asked %v", err, thief.asked)
	}
	if newHubSpot("", time.Now).address != "https://api.hubapi.com" {
		t.Error("HubSpot's address is another")
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	h := newHubSpot("", func() time.Time { return now })
	for header, want := range map[string]time.Duration{
		"": pause, "7": 7 * time.Second, "0.5": 500 * time.Millisecond, "0": 0, "-3": pause, "soon": pause, "1e300": longest, "99999": longest, "NaN": pause,
		"Mon, 02 Mar 2026 09:00:30 GMT": 30 * time.Second, "Mon, 02 Mar 2026 08:00:00 GMT": 0, "Tue, 03 Mar 2026 09:00:00 GMT": longest,
	} {
		if got := h.wait(header); got != want {
			t.Errorf("Retry-After %q is %s, want %s", header, got, want)
		}
	}
}

// Whoever asks as fast as he may stays below a hundred questions in any ten seconds.
func TestBudget(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	b := newBudget(newHubSpot("", time.Now).Pace(), now)
	var asked []time.Time
	for len(asked) < 1000 {
		switch quiet, wait := b.take(now); {
		case quiet > 0:
			t.Fatal("nobody asked for a pause")
		case wait > 0:
			now = now.Add(wait)
		default:
			asked = append(asked, now)
		}
	}
	for i := range asked {
		n := 0
		for _, at := range asked[i:] {
			if at.Sub(asked[i]) < 10*time.Second {
				n++
			}
		}
		if n > 100 {
			t.Fatalf("%d questions within ten seconds", n)
		}
	}
	if took := now.Sub(asked[0]); took > 130*time.Second {
		t.Errorf("a thousand questions took %s", took)
	}
	b.rest(now.Add(time.Minute))
	b.rest(now.Add(time.Second)) // a shorter pause takes nothing away
	if quiet, _ := b.take(now.Add(30 * time.Second)); quiet != 30*time.Second {
		t.Errorf("left alone for %s more", quiet)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for tries, most := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 60: slowest} {
		for range 20 {
			if d := backoff(tries); d < most/2 || d >= most {
				t.Errorf("try %d waits %s", tries, d)
			}
		}
	}
}
