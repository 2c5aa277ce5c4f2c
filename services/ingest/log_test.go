package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/bustest"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// quickly is within how long the door must say no: a second, and what a busy machine adds.
const quickly = 2 * time.Second

// Many requests at once share messages; each event is stored once for each time that it was sent, and a request's events stand in
// their order.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	const requests, each = 200, 3
	b := embeddedBus(t, 1)
	log := stored(t, b)
	w := newWorld(t, b, nil).opened()
	var bodies [requests]string
	for i := range bodies {
		var parts []string
		for j := range each {
			parts = append(parts, fmt.Sprintf(`{"id":"%03d-%d","email":"p%d@example.com"}`, i, j, i%7))
		}
		bodies[i] = "[" + strings.Join(parts, ",") + "]"
	}
	start := make(chan struct{})
	var sent [requests]int
	var senders sync.WaitGroup
	for i := range bodies {
		senders.Go(func() {
			<-start
			var rec *httptest.ResponseRecorder
			rec, sent[i] = w.insist("form", bodies[i])
			w.took("at once", rec)
		})
	}
	close(start)
	senders.Wait()
	last, _ := w.insist("form", `{"id":"last","external_id":"1"}`)
	w.took("the last", last)
	eventually(t, "all is read", func() bool { return slices.Contains(storedIDs(log()), "last") })
	ms, again := log(), 0
	for _, n := range sent {
		again += n - 1
	}
	t.Logf("%d requests, %d sent again, took %d messages", requests, again, len(ms))
	if len(ms) > requests/4+again {
		t.Errorf("%d requests took %d messages", requests, len(ms))
	}
	var got [requests]int
	for _, id := range storedIDs(ms) {
		var i, j int
		if n, _ := fmt.Sscanf(id, "%d-%d", &i, &j); n == 2 {
			if j != got[i]%each {
				t.Fatalf("%s comes after %d events of its request", id, got[i])
			}
			got[i]++
		}
	}
	for i := range bodies {
		if got[i] < each || got[i] > each*sent[i] {
			t.Errorf("request %d, sent %d times, has %d events stored", i, sent[i], got[i])
		}
	}
}

// Senders that hang up as soon as they have written lose nothing.
func TestHangUpOnTheWire(t *testing.T) {
	t.Parallel()
	f := &faulty{partitions: 1}
	log := f.stored
	w := newWorld(t, f, func(c *Config) { c.Patience = 20 * time.Second }).opened()
	server := httptest.NewServer(w.handler)
	defer server.Close()
	hangUp := func(body string) {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := fmt.Fprintf(conn, "POST /v1/hooks/form HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer form-token\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatal(err)
		}
	}
	const senders = 20
	for i := range senders {
		hangUp(person(fmt.Sprint(i)))
	}
	eventually(t, "all is stored", func() bool {
		got := storedIDs(log())
		slices.Sort(got)
		return len(slices.Compact(got)) == senders
	})
}

// A cluster falls silent, and later dies and comes back: requests are refused within a second, from the first moment on, and taken
// again without a restart.
func TestNATSAway(t *testing.T) {
	t.Parallel()
	servers := bustest.Cluster(t)
	b := declaredBus(t, servers.Site(t).Config())
	w := newWorld(t, b, nil).opened()
	taken := func(what string) {
		t.Helper()
		eventually(t, what, func() bool { return w.post("form", person(what)).Code == http.StatusAccepted })
	}
	away := func(what string) {
		t.Helper()
		for i := range 3 {
			began := time.Now()
			w.refused(what, w.post("form", person(fmt.Sprint(what, i))), 503, typeUnavailable)
			if took := time.Since(began); took > quickly {
				t.Errorf("%s: the answer took %v", what, took)
			}
		}
		eventually(t, "the door is closed", func() bool { return w.service.Ready(t.Context()) != nil })
		w.refused(what+", and the door is closed", w.post("form", person(what)), 503, typeUnavailable)
	}
	taken("at first")
	thaw := servers.Freeze(t)
	away("silent")
	thaw()
	taken("no longer silent")
	for i := range 3 {
		servers.Kill(t, i)
	}
	away("dead")
	for i := range 3 {
		servers.Start(t, i)
	}
	taken("alive")
}

// The log fills up: what finds no room is refused, and as consumers catch up events are taken again without a restart. Nothing
// that was answered with 202 is missing.
func TestLogFull(t *testing.T) {
	t.Parallel()
	server := embeddedServer(t)
	b := declaredBus(t, bus.Config{Server: server, Partitions: 1, MaxBytes: 256 << 10})
	w := newWorld(t, b, nil).opened()
	var promised []string
	name := strings.Repeat("n", 4000)
	i := 0
	send := func() bool {
		i++
		began := time.Now()
		rec := w.post("form", fmt.Sprintf(`{"id":"%d","external_id":"%d","name":%q}`, i, i, name))
		if rec.Code == http.StatusAccepted {
			promised = append(promised, w.took("there is room", rec)...)
			return true
		}
		w.refused("no room", rec, 503, typeUnavailable)
		if took := time.Since(began); took > quickly {
			t.Errorf("the refusal took %v", took)
		}
		return false
	}
	eventually(t, "the log is full", func() bool { send(); return errors.Is(b.Ready(t.Context()), bus.ErrFull) })
	eventually(t, "the door is closed", func() bool { return w.service.Ready(t.Context()) != nil })
	if send() || len(promised) == 0 {
		t.Errorf("%d events were taken before the log was full, and one more after it", len(promised))
	}

	ctx, cancel := context.WithCancel(t.Context())
	taken := &consumer{}
	var consumers sync.WaitGroup
	defer consumers.Wait()
	defer cancel()
	for _, role := range []string{event.Scoring, event.Compliance} {
		consumers.Go(func() {
			if err := b.Consume(ctx, role, taken); err != nil {
				t.Errorf("consume: %v", err)
			}
		})
	}
	eventually(t, "there is room again", send)
	eventually(t, "all that was promised is read by both", func() bool {
		for _, id := range promised {
			if taken.count(id) < 2 {
				return false
			}
		}
		return true
	})
}

// consumer counts what it was given.
type consumer struct {
	mu  sync.Mutex
	ids map[string]int
}

func (c *consumer) Apply(_ context.Context, _ int, events []*eventv1.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = map[string]int{}
	}
	for _, id := range idsOf(events) {
		c.ids[id]++
	}
	return nil
}

func (c *consumer) Quarantine(context.Context, []store.Quarantined) error { return nil }

func (c *consumer) count(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[id]
}
