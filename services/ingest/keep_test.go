package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus/bustest"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// keptIn are the refused webhooks that a log holds.
func keptIn(ms []message) []*eventv1.Event {
	var out []*eventv1.Event
	for _, m := range ms {
		for _, e := range m.events {
			if e.GetHookRefused() != nil {
				out = append(out, e)
			}
		}
	}
	return out
}

// What proves its sender and cannot be taken in is in the log before the sender is told no; what proves nothing is nowhere.
func TestKeepsWhatItRefuses(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"external_id":"1"}`))
	_ = z.Close()
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for _, c := range []struct {
		name, source, body string
		change             func(*http.Request)
		status             int
		headers            string // those that are kept; "" when the body is not
	}{
		{"a stray byte", "signed", `{"external_id":"1",}`, nil, 400, "Content-Type: application/json"},
		{"no bytes", "signed", ``, nil, 400, "Content-Type: application/json"},
		{"nobody is named", "standard", `{"type":"a","data":{}}`, nil, 422, "Content-Type: application/json; Webhook-Id: msg_1"},
		{"another type", "form", `external_id=1`, header("Content-Type", "application/x-www-form-urlencoded"), 415, "Content-Type: application/x-www-form-urlencoded"},
		{"compressed", "form", zipped.String(), header("Content-Encoding", "gzip"), 415, "Content-Encoding: gzip; Content-Type: application/json"},
		{"with attributes", "form", `{}`, func(r *http.Request) {
			r.Header["Ce-Id"], r.Header["X-Other"] = []string{"1", "2"}, []string{"3"}
		}, 422, "Ce-Id: 1; Ce-Id: 2; Content-Type: application/json"},
		{"unsigned", "signed", `{"external_id":"1",}`, header("X-Sign", "sha256=00"), 401, ""},
		{"without a token", "form", `{}`, header("Authorization", ""), 401, ""},
		{"too large", "form", strings.Repeat(" ", 5000), nil, 413, ""},
		{"unknown", "nobody", `{`, nil, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log := &faulty{partitions: 3}
			w := newWorld(t, log, func(c *Config) { c.MaxBody = 4096 }).opened()
			r := request(t, c.source, c.body)
			if c.change != nil {
				c.change(r)
			}
			if rec := w.send(r); rec.Code != c.status {
				t.Fatalf("status %d, want %d: %s", rec.Code, c.status, rec.Body)
			}
			kept := keptIn(log.stored())
			if c.headers == "" {
				if len(kept) != 0 {
					t.Errorf("%d bodies are kept", len(kept))
				}
				return
			}
			if len(kept) != 1 {
				t.Fatalf("%d bodies are kept", len(kept))
			}
			e, h := kept[0], kept[0].GetHookRefused()
			var headers []string
			for _, one := range h.GetHeaders() {
				headers = append(headers, one.GetName()+": "+one.GetValue())
			}
			digest := hook.Digest(c.source, []byte(c.body))
			if string(h.GetBody()) != c.body || !bytes.Equal(h.GetDigest(), digest) || strings.Join(headers, "; ") != c.headers || h.GetReason() == "" || len(h.GetRefused()) != 0 {
				t.Errorf("kept as %v", h)
			}
			if e.GetSource() != c.source || e.GetAgreement() != w.agreements.Load().Hash || e.GetRecordedAt() != event.Micros(noon) || e.GetId() == "" ||
				log.stored()[0].partition != event.Partition(hook.RefusedKey(h), 3) {
				t.Errorf("the envelope is %v", e)
			}
			if n := testutil.ToFloat64(w.service.metrics.kept.WithLabelValues(c.source)); n != 1 {
				t.Errorf("%v are counted", n)
			}
			wire, err := proto.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			for ref, secret := range secrets() {
				if bytes.Contains(wire, []byte(secret)) {
					t.Errorf("%s is in it", ref)
				}
			}
			// Sent again it is the same event: whoever keeps it knows it.
			w.send(func() *http.Request { r := request(t, c.source, c.body); maybe(c.change, r); return r }())
			if again := keptIn(log.stored()); len(again) != 2 || again[1].GetId() != e.GetId() || !bytes.Equal(again[1].GetHookRefused().GetDigest(), digest) {
				t.Errorf("sent again it is another: %v", again)
			}
		})
	}
}

func maybe(change func(*http.Request), r *http.Request) {
	if change != nil {
		change(r)
	}
}

// Two refused events with the same data are two, when their headers say so: a CloudEvent's attributes, a sender's id that is believed.
// An id that is not leaves one.
func TestKeepsEachByItsHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, source, header string
		kept                 int
	}{
		{"attributes", "form", "Ce-Id", 2},
		{"a signature of the body and attributes", "signed", "Ce-Id", 2},
		{"an id", "form", "Webhook-Id", 2},
		{"an id that no signature covers", "signed", "Webhook-Id", 1},
		{"an id of the source's own", "crm", "X-Delivery", 2},
		{"a header that says nothing", "form", "X-Delivery", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log := &faulty{partitions: 1}
			w := newWorld(t, log, nil).opened()
			w.agreements.Store(changed(t, "crm", func(s *agreement.Source) { s.Tool.IDHeader = "X-Delivery" }))
			for _, id := range []string{"1", "2", "1"} {
				r := request(t, c.source, `{}`)
				r.Header.Set(c.header, id)
				w.refused(id, w.send(r), 422, typeEvent)
			}
			keys, ids := map[string]bool{}, map[string]bool{}
			for _, e := range keptIn(log.stored()) {
				keys[hook.RefusedKey(e.GetHookRefused())], ids[e.GetId()] = true, true
			}
			if len(keys) != c.kept || len(ids) != c.kept {
				t.Errorf("%d keys, %d ids, want %d", len(keys), len(ids), c.kept)
			}
		})
	}
}

// Of a batch the good events are taken and the whole body is kept, with the places of the others.
func TestKeepsWhatABatchLeft(t *testing.T) {
	t.Parallel()
	log := &faulty{partitions: 1}
	w := newWorld(t, log, nil).opened()
	const body = `[{"id":"a","external_id":"1"},{"id":"b"},{"id":"c","external_id":"3"},{"id":"d","outcome":"?"}]`
	rec := w.post("form", body)
	if ids := w.took("a part", rec); strings.Join(ids, " ") != "a c" {
		t.Errorf("took %v", ids)
	}
	kept := keptIn(log.stored())
	if len(kept) != 1 || string(kept[0].GetHookRefused().GetBody()) != body {
		t.Fatalf("kept %v", kept)
	}
	const first = "the event names nobody: "
	if why := kept[0].GetHookRefused().GetReason(); !strings.HasPrefix(why, "2 of 4 events, the first: "+first) {
		t.Errorf("the reason is %q", why)
	}
	w.refused("none is good", w.post("form", `[{"id":"b"},{"id":"e"}]`), 422, typeEvent)
	w.refused("one, and it is not good", w.post("form", `[{"id":"b"}]`), 422, typeEvent)
	for i, want := range []string{"2 of 2 events, the first: " + first, first} {
		if why := keptIn(log.stored())[i+1].GetHookRefused().GetReason(); !strings.HasPrefix(why, want) {
			t.Errorf("the reason is %q", why)
		}
	}
	if places := kept[0].GetHookRefused().GetRefused(); len(places) != 2 || places[0] != 1 || places[1] != 3 {
		t.Errorf("the places are %v", places)
	}
}

// While the log is away nobody is told that a body is refused for good: he comes again.
func TestKeepsNothingWithoutTheLog(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	log := &faulty{partitions: 1, publish: func(context.Context, int) error {
		if away.Load() {
			return errors.New("away")
		}
		return nil
	}}
	w := newWorld(t, log, nil).opened()
	away.Store(true)
	for _, body := range []string{`{`, `{}`, `[{"external_id":"1"},{}]`} {
		w.refused("away: "+body, w.post("form", body), 503, typeUnavailable)
	}
	if kept := keptIn(log.stored()); len(kept) != 0 {
		t.Fatalf("kept %v", kept)
	}
	away.Store(false)
	w.refused("again", w.post("form", `{`), 400, typeBody)
	w.refused("again", w.post("form", `{}`), 422, typeEvent)
	w.took("again", w.post("form", `[{"external_id":"1"},{}]`))
	if kept := keptIn(log.stored()); len(kept) != 3 {
		t.Errorf("%d are kept", len(kept))
	}
}

// NATS falls silent: who sends what cannot be read is told to come again, and when it is back nothing is missing.
func TestKeepsAfterNATSWasAway(t *testing.T) {
	t.Parallel()
	servers := bustest.Cluster(t)
	b := declaredBus(t, servers.Site(t).Config())
	log := stored(t, b)
	w := newWorld(t, b, nil).opened()
	bodies := []string{`{"broken":`, `{"name":"nobody"}`, `[{"external_id":"1"},{}]`}
	thaw := servers.Freeze(t)
	for _, body := range bodies {
		w.refused("silent: "+body, w.post("form", body), 503, typeUnavailable)
	}
	thaw()
	for _, body := range bodies {
		w.insist("form", body)
	}
	eventually(t, "all are in the log", func() bool {
		found := map[string]bool{}
		for _, e := range keptIn(log()) {
			found[string(e.GetHookRefused().GetBody())] = true
		}
		return len(found) == len(bodies)
	})
}

// Google Ads proves itself by a key in the body: what is kept proves nothing any more.
func TestKeepsNoGoogleKey(t *testing.T) {
	t.Parallel()
	log := &faulty{partitions: 1}
	w := newWorld(t, log, nil).opened()
	w.agreements.Store(parsed(t, strings.Replace(contract, "  form:\n", "  ads: {preset: google-ads, secret: [env:FORM, env:CRM]}\n  form:\n", 1)))
	for _, key := range []string{"form-token", "crm-token"} {
		body := `{"google_key":"` + key + `","lead_id":"","user_column_data":[{"column_id":"EMAIL","string_value":"nobody"}]}`
		w.refused(key, w.post("ads", body), 422, typeEvent)
		w.refused("another key", w.post("ads", strings.Replace(body, key, "not-the-key", 1)), 401, typeSignature)
		kept := keptIn(log.stored())
		want := strings.Replace(body, key, strings.Repeat("*", len(key)), 1)
		if h := kept[len(kept)-1].GetHookRefused(); string(h.GetBody()) != want || !bytes.Equal(h.GetDigest(), hook.Digest("ads", []byte(body))) {
			t.Errorf("kept as %s", h.GetBody())
		}
	}
	if n := len(keptIn(log.stored())); n != 2 {
		t.Errorf("%d are kept", n)
	}
}

// A secret in the body is blanked, whichever of the two it is and however it is written; a header that is the proof is left out.
func TestKeepsNoSecret(t *testing.T) {
	t.Parallel()
	d := &door{source: hook.New(&agreement.Agreement{}, agreement.Source{
		Name: "ads", Verify: agreement.Verify{Proof: preset.Proof{Kind: preset.Body, Header: "Ce-Key"}}, Tool: preset.Preset{IDHeader: "X-Delivery"},
	}), secrets: []string{"new/secret", "old"}}
	post := func(body string) *hook.Request {
		return &hook.Request{Header: http.Header{"Ce-Key": {"k"}, "X-Delivery": {"7"}, "Authorization": {"Bearer old"}}, Body: []byte(body)}
	}
	for body, want := range map[string]string{
		`{"google_key":"old"}`:         `{"google_key":"***"}`,
		`{"google_key":"new\/secret"}`: `{"google_key":"***********"}`,
	} {
		e, err := d.refusal(post(body), noon, "no", nil)
		if err != nil {
			t.Fatal(err)
		}
		h := e.Event.GetHookRefused()
		if string(h.GetBody()) != want || !bytes.Equal(h.GetDigest(), hook.Digest("ads", []byte(body))) {
			t.Errorf("kept as %s", h.GetBody())
		}
		if len(h.GetHeaders()) != 1 || h.GetHeaders()[0].GetName() != "X-Delivery" {
			t.Errorf("kept with %v", h.GetHeaders())
		}
	}
	if e, err := d.refusal(post(`{"google_key":"b2xk"}`), noon, "no", nil); err == nil {
		t.Errorf("a body whose secret cannot be found is kept: %v", e.Event)
	}
}
