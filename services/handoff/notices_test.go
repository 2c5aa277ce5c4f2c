package handoff_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is somebody's web server; it fails the first attempt of every key.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  map[string][]map[string]any // by webhook-id
	tell func(error)
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{got: make(map[string][]map[string]any), tell: func(err error) { t.Error(err) }}
	verifier, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			// The test's clock stands in 2026: its signatures are old.
			err = verifier.VerifyIgnoringTimestamp(body, req.Header)
		}
		var parsed map[string]any
		if err == nil {
			err = json.Unmarshal(body, &parsed)
		}
		if err != nil {
			r.tell(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		id := req.Header.Get(webhooks.HeaderWebhookID)
		r.got[id] = append(r.got[id], parsed)
		if len(r.got[id]) == 1 {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// twice returns the bodies of one type that came twice, by key.
func (r *receiver) twice(typ string) []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []map[string]any
	for _, bodies := range r.got {
		if len(bodies) == 2 && bodies[1]["type"] == typ {
			out = append(out, bodies[1])
		}
	}
	return out
}

func TestNoticesComeAtLeastOnceUnderOneKey(t *testing.T) {
	polling(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		theirs, boss := newReceiver(t), newReceiver(t)
		w.people(`
teams: {sales: {manager: mia}, big:, leads:}
reps:
  ann: {team: sales, capacity: 1}
  mia: {team: leads, capacity: 1, notice: boss}
  max: {team: big, capacity: 1}
notices:
  shared: {url: "` + theirs.URL + `", secret: env:SHARED}
  boss: {url: "` + boss.URL + `", secret: env:BOSS}
`)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.RunNotices(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		defer running.Wait()
		defer stop()
		w.apply(w.staged("a", 200))
		w.until("ann is told of her lead", func() bool { return len(theirs.twice("lead.assigned")) == 1 })
		data := theirs.twice("lead.assigned")[0]["data"].(map[string]any)
		card, _ := data["contact"].(map[string]any)
		if data["lead"] != "a" || data["live"] != true || card["email"] != "lea@example.com" || len(data["clocks"].([]any)) != 2 {
			t.Errorf("told %v", data)
		}
		w.pass(150 * time.Second)
		w.fire()
		w.until("ann is warned", func() bool { return len(theirs.twice("clock.warned")) == 1 })
		w.pass(150 * time.Second)
		w.fire()
		w.until("ann and mia are told of the breach, ann that the lead is gone", func() bool {
			return len(theirs.twice("clock.breached")) == 1 && len(boss.twice("clock.breached")) == 1 && len(theirs.twice("lead.released")) == 1
		})
		if gone := theirs.twice("lead.released")[0]["data"].(map[string]any); gone["contact"] != nil || gone["live"] != false {
			t.Errorf("who lost the lead is told %v", gone)
		}
		theirs.mu.Lock()
		defer theirs.mu.Unlock()
		if len(theirs.got) != 4 {
			t.Errorf("%d keys came, of assigned, warned, breached and released", len(theirs.got))
		}
	})
}
