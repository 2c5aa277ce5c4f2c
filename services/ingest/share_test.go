package ingest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// batchOf is a body of n events that nobody else sends.
func batchOf(name string, n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, person(fmt.Sprintf("%s-%d", name, i)))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// ofCRM puts an event into the body that the contract's source crm posts.
func ofCRM(id string) string {
	return fmt.Sprintf(`{"batch":{"items":[{"meta":{"id":%q},"contact":{"id":%[1]q}}]}}`, id)
}

// Two sources flood a log that is slower than they are, each request a message's worth; a third does not notice: it waits for one
// message of each and its own. In one queue for all, it would stand behind hundreds, and be sent away.
func TestNoisySourcesStarveNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const message = 100 * time.Millisecond // of the bubble's clock
		log := &faulty{partitions: 1, publish: func(context.Context, int) error { time.Sleep(message); return nil }}
		w := inBubble(t, log)
		var noise sync.WaitGroup
		stop := make(chan struct{})
		var taken, later, away atomic.Int64
		for i := range 2 * (maxWaiting + 50) {
			source, body := []string{"form", "signed"}[i%2], batchOf(fmt.Sprint(i), 300)
			noise.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					rec := w.post(source, body)
					switch rec.Code {
					case http.StatusAccepted:
						taken.Add(1)
					case http.StatusTooManyRequests:
						later.Add(1)
					default:
						away.Add(1)
					}
					if rec.Code != http.StatusAccepted {
						w.sentAway("the noisy source", rec)
					}
				}
			})
		}
		synctest.Wait() // the lanes are full
		const quiet = 10
		for i := range quiet {
			began := time.Now()
			w.took("the quiet source", w.post("crm", ofCRM(fmt.Sprint(i))))
			if took := time.Since(began); took > 3*message {
				t.Errorf("the quiet source waited %v", took)
			}
		}
		close(stop)
		noise.Wait()
		time.Sleep(time.Second) // what was given up leaves the lanes too
		synctest.Wait()
		t.Logf("noise: %d requests taken, %d had no place, %d had no answer", taken.Load(), later.Load(), away.Load())
		if taken.Load() == 0 || later.Load() == 0 {
			t.Errorf("of the noise %d requests were taken and %d had no place: want both", taken.Load(), later.Load())
		}
		for name, b := range w.service.doors.bounds {
			if n := len(b.share.lanes[0].places); n != 0 {
				t.Errorf("%d places of %s are still taken", n, name)
			}
		}
	})
}

// Parcels leave by turns, those of one source in their order, and places come back.
func TestQueue(t *testing.T) {
	t.Parallel()
	q, lanes := newQueue(), map[byte]*lane{'a': newLane(), 'b': newLane(), 'c': newLane()}
	name := map[*parcel]string{}
	push := func(names string) {
		for i := range len(names) {
			p := &parcel{}
			name[p] = fmt.Sprint(names[i:i+1], len(name))
			lanes[names[i]].places <- struct{}{}
			q.push(lanes[names[i]], p)
		}
	}
	pop := func(n int) string {
		var out []string
		for range n {
			p := q.pop()
			if p == nil {
				out = append(out, "-")
				continue
			}
			out = append(out, name[p])
		}
		return strings.Join(out, " ")
	}
	push("aaaabbc")
	for _, c := range []struct {
		n    int
		want string
	}{{3, "a0 b4 c6"}, {2, "a1 b5"}} {
		if got := pop(c.n); got != c.want {
			t.Errorf("left %s, want %s", got, c.want)
		}
	}
	push("cb") // behind a, who waits
	if got, want := pop(5), "a2 c7 b8 a3 -"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
	for range 3 { // around the ring
		push(strings.Repeat("a", maxWaiting))
		select {
		case lanes['a'].places <- struct{}{}:
			t.Fatal("a full lane has a place")
		default:
		}
		last := -1
		for range maxWaiting {
			var n int
			if _, err := fmt.Sscanf(pop(1), "a%d", &n); err != nil || n <= last {
				t.Fatalf("a%d after a%d: %v", n, last, err)
			}
			last = n
		}
	}
	if len(q.some) != 1 || len(lanes['a'].places) != 0 {
		t.Errorf("%d tokens, %d places taken", len(q.some), len(lanes['a'].places))
	}
}

// untouched is a body that nobody may ask for.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

// Whoever lacks a secret that needs no body is refused before his is read: he holds no room that is the source's.
func TestStrangersHoldNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, verify string
		status       int
		typ          string
		prove        func(*http.Request)
	}{
		{"bearer", "{bearer: env:FORM}", 401, typeSignature, func(r *http.Request) { r.Header.Set("Authorization", "Bearer form-token") }},
		{"basic", "{basic: env:USER}", 401, typeSignature, func(r *http.Request) { r.SetBasicAuth("ann", "pass") }},
		{"header", "{header: {secret: env:FORM, header: X-Api-Key}}", 401, typeSignature, func(r *http.Request) { r.Header.Set("X-Api-Key", "form-token") }},
		{"query", "{query: {secret: env:FORM, param: key}}", 401, typeSignature, func(r *http.Request) { r.URL.RawQuery = "key=form-token" }},
		{"a secret is missing", "{bearer: [env:UNSET, env:FORM]}", 503, typeSource, func(r *http.Request) { r.Header.Set("Authorization", "Bearer form-token") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, &faulty{partitions: 1}, nil).opened()
			w.vault.set("env:USER", "ann:pass")
			w.agreements.Store(parsed(t, strings.Replace(contract, "{bearer: env:FORM}", c.verify, 1)))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/hooks/form", untouched{t})
			r.Header.Set("Content-Type", "application/json")
			w.refused("a stranger", w.send(r), c.status, c.typ)
			r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/hooks/form", strings.NewReader(person("1")))
			r.Header.Set("Content-Type", "application/json")
			c.prove(r)
			w.took("the sender", w.send(r))
		})
	}
}
