package ingest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
)

// changed is the contract with one source changed, as a preset would have it.
func changed(t *testing.T, source string, change func(*agreement.Source)) *agreement.Agreement {
	t.Helper()
	a := parsed(t, contract)
	for i := range a.Sources {
		if a.Sources[i].Name == source {
			change(&a.Sources[i])
			a.Hash += " with another " + source
			return a
		}
	}
	t.Fatalf("no source %s", source)
	return nil
}

const soapAck = `<Envelope><Body><Ack>true</Ack></Body></Envelope>`

// A sender that wants to hear fixed words hears them when all that he sent is safe, and only then.
func TestFixedAnswers(t *testing.T) {
	t.Parallel()
	broken := false
	log := &faulty{partitions: 2, publish: func(_ context.Context, partition int) error {
		if broken && partition == 1 {
			return errors.New("disk is gone")
		}
		return nil
	}}
	w := newWorld(t, log, nil).opened()
	w.agreements.Store(changed(t, "form", func(s *agreement.Source) {
		s.Tool.Answer = preset.Answer{Status: 200, Type: "text/xml; charset=utf-8", Body: soapAck}
	}))
	var in [2]string // somebody in each partition
	for i := 0; in[0] == "" || in[1] == ""; i++ {
		id := string(rune('a' + i))
		in[event.Partition("id:form:"+id, 2)] = id
	}
	both := "[" + person(in[0]) + "," + person(in[1]) + "]"
	rec := w.post("form", both)
	if rec.Code != 200 || rec.Body.String() != soapAck || rec.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Errorf("answered %d %q as %s", rec.Code, rec.Body, rec.Header().Get("Content-Type"))
	}
	if got := testutil.ToFloat64(w.service.metrics.events.WithLabelValues("form", "accepted")); got != 2 {
		t.Errorf("%v events are counted, want 2", got)
	}
	rec = w.post("form", "["+person(in[0])+",{}]") // the bad part is safe in quarantine
	if kept := len(keptIn(log.stored())); rec.Code != 200 || rec.Body.String() != soapAck || kept != 1 {
		t.Errorf("a part that is bad: answered %d %q, %d bodies kept", rec.Code, rec.Body, kept)
	}
	w.refused("nothing that is good", w.post("form", "[{}]"), 422, typeEvent)
	broken = true
	rec = w.post("form", both)
	w.refused("a part that did not become durable", rec, 503, typeUnavailable)
	if strings.Contains(rec.Body.String(), "Ack") {
		t.Errorf("it is acknowledged all the same: %s", rec.Body)
	}
}

// What the source's preset leaves out is acknowledged, so that it does not come again, and counted.
func TestSkipped(t *testing.T) {
	t.Parallel()
	log := &faulty{partitions: 1}
	w := newWorld(t, log, nil).opened()
	at, err := preset.At("test")
	if err != nil {
		t.Fatal(err)
	}
	w.agreements.Store(changed(t, "form", func(s *agreement.Source) { s.Map.Skip = []preset.Test{{At: at, Is: []string{"true"}}} }))
	rec := w.post("form", `{"external_id":"1","test":true}`)
	if want := `{"accepted":0,"ids":[],"skipped":1}` + "\n"; rec.Code != http.StatusAccepted || rec.Body.String() != want {
		t.Errorf("a test is answered %d %s", rec.Code, rec.Body)
	}
	rec = w.post("form", `[{"id":"a","external_id":"1"},{"external_id":"1","test":true}]`)
	if want := `{"accepted":1,"ids":["a"],"skipped":1}` + "\n"; rec.Code != http.StatusAccepted || rec.Body.String() != want {
		t.Errorf("an event beside a test is answered %d %s", rec.Code, rec.Body)
	}
	if got := storedIDs(log.stored()); len(got) != 1 || got[0] != "a" {
		t.Errorf("stored %q", got)
	}
	for result, want := range map[string]float64{"accepted": 1, "refused": 0, "skipped": 2, "unavailable": 0} {
		if got := testutil.ToFloat64(w.service.metrics.events.WithLabelValues("form", result)); got != want {
			t.Errorf("%v events are %s, want %v", got, result, want)
		}
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	at, err := preset.At("portal")
	if err != nil {
		t.Fatal(err)
	}
	w.agreements.Store(changed(t, "form", func(s *agreement.Source) { s.Tool.Account, s.Accounts = at, []string{"62515"} }))
	w.took("our account", w.post("form", `{"external_id":"1","portal":62515}`))
	w.refused("another account", w.post("form", `{"external_id":"1","portal":"`+canary+`"}`), 403, typeAccount)
	w.refused("no account", w.post("form", `{"external_id":"1"}`), 403, typeAccount)
	w.refused("another account in a batch", w.post("form", `[{"external_id":"1","portal":62515},{"external_id":"1","portal":7}]`), 403, typeAccount)
}

func ask(t *testing.T, method, source string, query url.Values) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/v1/hooks/"+source, nil)
	r.URL.RawQuery = query.Encode()
	return r
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	with := func(source, kind string) *agreement.Agreement {
		return changed(t, source, func(s *agreement.Source) { s.Tool.Challenge = kind })
	}
	meta := func(token string) url.Values {
		return url.Values{"hub.mode": {"subscribe"}, "hub.challenge": {"1158201444"}, "hub.verify_token": {token}}
	}
	w.agreements.Store(with("signed", "meta"))
	for _, secret := range []string{"signing-secret", "older-secret"} {
		rec := w.send(ask(t, http.MethodGet, "signed", meta(hook.VerifyToken(secret))))
		if rec.Code != 200 || rec.Body.String() != "1158201444" || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("Meta is answered %d %q as %s", rec.Code, rec.Body, rec.Header().Get("Content-Type"))
		}
	}
	w.refused("another word", w.send(ask(t, http.MethodGet, "signed", meta(canary))), 403, typeChallenge)
	w.refused("no question", w.send(ask(t, http.MethodGet, "signed", nil)), 403, typeChallenge)
	rec := w.send(ask(t, http.MethodOptions, "signed", meta(hook.VerifyToken("signing-secret"))))
	w.refused("by another method", rec, 405, typeMethod)
	if got := rec.Header().Get("Allow"); got != "POST, GET" {
		t.Errorf("Allow is %q", got)
	}
	w.refused("a source without challenges", w.send(ask(t, http.MethodGet, "form", meta(hook.VerifyToken("form-token")))), 405, typeMethod)

	w.agreements.Store(with("unset", "meta"))
	rec = w.send(ask(t, http.MethodGet, "unset", meta(hook.VerifyToken("present-token"))))
	if rec.Code != 200 {
		t.Errorf("the secret that is there is answered %d", rec.Code)
	}
	w.refused("perhaps the secret that is missing", w.send(ask(t, http.MethodGet, "unset", meta(canary))), 503, typeSource)

	w.agreements.Store(with("signed", "linkedin"))
	rec = w.send(ask(t, http.MethodGet, "signed", url.Values{"challengeCode": {"890e4665-4dfe-4ab1-b689-ed553bceeed0"}}))
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), `"challengeResponse":"`) || rec.Header().Get("Content-Type") != "application/json" {
		t.Errorf("LinkedIn is answered %d %s", rec.Code, rec.Body)
	}

	w.agreements.Store(changed(t, "form", func(s *agreement.Source) {
		s.Tool.Challenge, s.Limit = "cloudevents", agreement.Limit{PerSecond: 2.5, Burst: 1}
	}))
	r := ask(t, http.MethodOptions, "form", nil)
	r.Header.Set("WebHook-Request-Origin", "events.example.com")
	rec = w.send(r)
	h := rec.Header()
	if rec.Code != 200 || h.Get("WebHook-Allowed-Origin") != "events.example.com" || h.Get("WebHook-Allowed-Rate") != "150" || h.Get("Allow") != "POST" || rec.Body.Len() != 0 {
		t.Errorf("CloudEvents are answered %d %v %q", rec.Code, h, rec.Body)
	}
	// Challenges use nothing of the limit.
	for range 5 {
		w.send(r)
	}
	w.took("an event after them", w.post("form", person("1")))
}

// A delivery of Salesforce's, as its preset has it: acknowledged in its own words when all of it is safe.
func TestSalesforce(t *testing.T) {
	t.Parallel()
	away := false
	log := &faulty{partitions: 1, publish: func(context.Context, int) error {
		if away {
			return errors.New("disk is gone")
		}
		return nil
	}}
	w := newWorld(t, log, nil).opened()
	w.agreements.Store(parsed(t, strings.Replace(contract, "\ncalendars:", "\n  sf: {preset: salesforce, secret: env:FORM, accounts: [00D000000000062EAA]}\ncalendars:", 1)))
	body, kind, err := preset.Sample("salesforce")
	if err != nil {
		t.Fatal(err)
	}
	deliver := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/hooks/sf?key=form-token", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		return w.send(r)
	}
	const ack = "<Ack>true</Ack>"
	rec := deliver(string(body))
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), ack) || rec.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Errorf("answered %d as %s: %s", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
	}
	if len(storedIDs(log.stored())) == 0 {
		t.Error("nothing is stored")
	}
	w.refused("another organization", deliver(strings.ReplaceAll(string(body), "00D000000000062EAA", canary)), 403, typeAccount)
	w.refused("cut off", deliver(string(body[:len(body)/2])), 400, typeBody)
	if kept := len(keptIn(log.stored())); kept != 1 {
		t.Errorf("%d bodies are kept, want the one that was cut off", kept)
	}
	away = true
	w.refused("while nothing is durable", deliver(string(body)), 503, typeUnavailable)
}
