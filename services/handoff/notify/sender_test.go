package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/sqlite"
	"github.com/leadpact/leadpact/services/handoff/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// room is a sender over a real store, and the store's clock.
type room struct {
	t      *testing.T
	store  store.Handoff
	clock  atomic.Int64 // microseconds
	sender *notify.Sender
}

func newRoom(t *testing.T, url string, change func(*notify.Config)) *room {
	t.Helper()
	r := &room{t: t}
	r.clock.Store(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMicro())
	var err error
	r.store, err = sqlite.OpenHandoff(t.Context(), filepath.Join(t.TempDir(), "handoff.db"), sqlite.Options{Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.store.Close() })
	cfg := notify.Config{
		Store: r.store, Private: loopback, PlainHTTP: true, Poll: 5 * time.Millisecond, Timeout: 2 * time.Second,
		Endpoint: func(name string) (agreement.Endpoint, bool) {
			return agreement.Endpoint{Name: name, URL: url, Secret: "env:X"}, name == "desk"
		},
		Render:     func(context.Context, store.Notice) ([]byte, error) { return []byte(`{}`), nil },
		Secret:     func(string) (string, error) { return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", nil },
		Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	if r.sender, err = notify.New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *room) now() time.Time { return time.UnixMicro(r.clock.Load()).UTC() }

func (r *room) pass(d time.Duration) { r.clock.Add(d.Microseconds()) }

func (r *room) add(keys ...string) {
	r.t.Helper()
	var rows []store.Notice
	for _, key := range keys {
		rows = append(rows, store.Notice{Key: key, Endpoint: "desk", Type: "lead.assigned", Lead: "a", State: store.NoticePending, CreatedAt: r.now(), NextAt: r.now()})
	}
	err := r.store.Update(r.t.Context(), func(ctx context.Context, tx store.HandoffTx) error { return tx.InsertNotices(ctx, rows) })
	if err != nil {
		r.t.Fatal(err)
	}
}

// run runs the sender until the test has seen what it waits for.
func (r *room) run(seen func() bool) {
	r.t.Helper()
	ctx, stop := context.WithCancel(r.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.sender.Run(ctx); err != nil {
			r.t.Errorf("run: %v", err)
		}
	})
	defer running.Wait()
	defer stop()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !seen() {
		select {
		case <-deadline.C:
			r.t.Fatal("waited in vain")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// next returns when the notice that is left is tried next, its attempts and its last error; a year ahead nothing hides.
func (r *room) next() []store.Notice {
	r.t.Helper()
	var rows []store.Notice
	r.pass(24 * 365 * time.Hour)
	defer r.pass(-24 * 365 * time.Hour)
	rows, err := r.store.DueNotices(r.t.Context(), r.now(), 0, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// saved counts results as they are written.
type saved struct {
	store.Handoff
	mu   sync.Mutex
	rows []store.Notice
}

func (s *saved) SaveNotices(ctx context.Context, rows []store.Notice) error {
	err := s.Handoff.SaveNotices(ctx, rows)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, rows...)
	return err
}

func (s *saved) results() []store.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]store.Notice(nil), s.rows...)
}

func serve(t *testing.T, answer http.HandlerFunc) string {
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func TestScheduleIsKeptAndEnds(t *testing.T) {
	t.Parallel()
	url := serve(t, func(rw http.ResponseWriter, req *http.Request) {
		if key := req.Header.Get("webhook-id"); key != "a" {
			t.Errorf("came as %q", key)
		}
		rw.WriteHeader(http.StatusBadGateway)
	})
	results := &saved{}
	r := newRoom(t, url, func(c *notify.Config) { results.Handoff, c.Store = c.Store.(store.Handoff), results })
	r.add("a")
	began := r.now()
	schedule := notify.Schedule()
	for attempt := 1; attempt <= len(schedule); attempt++ {
		r.run(func() bool { return len(results.results()) == attempt })
		got := results.results()[attempt-1]
		if attempt == len(schedule) {
			if got.State != store.NoticeDead || !strings.Contains(got.LastError, "502") {
				t.Fatalf("after the last attempt: %+v", got)
			}
			break
		}
		pause := got.NextAt.Sub(r.now())
		if got.State != store.NoticePending || pause < schedule[attempt] || pause > schedule[attempt]*11/10 {
			t.Fatalf("after attempt %d: %s, next in %s", attempt, got.State, pause)
		}
		r.pass(pause)
	}
	if took := r.now().Sub(began); took < 75*time.Hour {
		t.Errorf("given up after %s", took)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		change func(*notify.Config)
		state  string
		said   string
		pause  time.Duration
	}{
		"any 2xx": {answer: func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNoContent) }, state: store.NoticeSent},
		"a redirect is no success and not followed": {
			answer: func(rw http.ResponseWriter, req *http.Request) {
				http.Redirect(rw, req, "/elsewhere", http.StatusFound)
			},
			state: store.NoticePending, said: "answered 302",
		},
		"gone is final": {answer: func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusGone) }, state: store.NoticeDead, said: "410"},
		"the receiver asks for time": {
			answer: func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Retry-After", "600")
				rw.WriteHeader(http.StatusTooManyRequests)
			},
			state: store.NoticePending, said: "429", pause: 10 * time.Minute,
		},
		"our own network is closed": {
			change: func(c *notify.Config) { c.Private = nil }, state: store.NoticePending, said: "prohibited",
		},
		"plain text is closed": {change: func(c *notify.Config) { c.PlainHTTP = false }, state: store.NoticePending, said: "https"},
		"no secret": {
			change: func(c *notify.Config) {
				c.Secret = func(string) (string, error) { return "", errors.New("X is not set") }
			},
			state: store.NoticePending, said: "X is not set",
		},
		"no longer in the roster": {
			change: func(c *notify.Config) {
				c.Endpoint = func(string) (agreement.Endpoint, bool) { return agreement.Endpoint{}, false }
			},
			state: store.NoticeDead, said: "roster",
		},
		"too slow": {
			answer: func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() },
			change: func(c *notify.Config) { c.Timeout = 50 * time.Millisecond }, state: store.NoticePending, said: "tell endpoint",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hits := atomic.Int64{}
			url := serve(t, func(rw http.ResponseWriter, req *http.Request) {
				hits.Add(1)
				_, _ = io.Copy(io.Discard, req.Body)
				if c.answer != nil {
					c.answer(rw, req)
				}
			})
			results := &saved{}
			r := newRoom(t, url, func(cfg *notify.Config) {
				results.Handoff, cfg.Store = cfg.Store.(store.Handoff), results
				if c.change != nil {
					c.change(cfg)
				}
			})
			r.add("a")
			r.run(func() bool { return len(results.results()) == 1 })
			got := results.results()[0]
			if got.State != c.state || !strings.Contains(got.LastError, c.said) || got.Attempts != 1 || strings.Contains(got.LastError, url) {
				t.Errorf("%s, %q after %d", got.State, got.LastError, got.Attempts)
			}
			if c.pause > 0 && got.NextAt.Sub(r.now()) != c.pause {
				t.Errorf("next in %s", got.NextAt.Sub(r.now()))
			}
			if c.answer == nil && hits.Load() > 0 {
				t.Errorf("the receiver was reached %d times", hits.Load())
			}
		})
	}
}

func TestGoneEndpointIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	hits := atomic.Int64{}
	url := serve(t, func(rw http.ResponseWriter, _ *http.Request) { hits.Add(1); rw.WriteHeader(http.StatusGone) })
	results := &saved{}
	r := newRoom(t, url, func(c *notify.Config) { results.Handoff, c.Store = c.Store.(store.Handoff), results })
	r.add("a")
	r.run(func() bool { return len(results.results()) == 1 })
	r.add("b")
	r.run(func() bool { return len(results.results()) == 2 })
	if hits.Load() != 1 || results.results()[1].State != store.NoticeDead {
		t.Errorf("asked %d times; then %+v", hits.Load(), results.results()[1])
	}
}

// A stop in the middle of an attempt leaves the notice to be sent again under its key.
func TestStopLosesNothing(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	url := serve(t, func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body) // else the server does not notice that the sender has gone
		arrived <- struct{}{}
		<-req.Context().Done()
	})
	r := newRoom(t, url, func(c *notify.Config) { c.Timeout = 20 * time.Second })
	r.add("a")
	r.run(func() bool {
		select {
		case <-arrived:
			return true
		default:
			return false
		}
	})
	if left := r.next(); len(left) != 1 || left[0].Key != "a" || left[0].Attempts != 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestManyNoticesGoOutOnceEach(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	url := serve(t, func(_ http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[req.Header.Get("webhook-id")]++
	})
	results := &saved{}
	r := newRoom(t, url, func(c *notify.Config) {
		c.Parallel, c.Poll = 3, time.Hour
		results.Handoff, c.Store = c.Store.(store.Handoff), results
	})
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("key%03d", i))
	}
	r.add(keys...)
	r.run(func() bool { return len(results.results()) == len(keys) })
	if len(got) != len(keys) {
		t.Errorf("%d of %d came", len(got), len(keys))
	}
	for key, n := range got {
		if n != 1 {
			t.Errorf("%s came %d times", key, n)
		}
	}
	if left := r.next(); len(left) > 0 {
		t.Errorf("%d left: %+v", len(left), left[0])
	}
}
