package ingest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/bus"
	"github.com/leadpact/leadpact/internal/bus/bustest"
	"github.com/leadpact/leadpact/internal/bus/embedded"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

func TestMain(m *testing.M) {
	bustest.ServeIfAsked()
	goleak.VerifyTestMain(m)
}

// contract has a source of each kind.
const contract = `
title: Doors
version: "1"
parties: {marketing: Mara Lind, sales: Theo Brandt}
fields:
  employees: number
  wants_call: flag
  company: text
channels: [organic, paid]
sources:
  form:
    format: json
    verify: {bearer: env:FORM}
  signed:
    format: json
    verify: {hmac: {secret: [env:SIGNED, env:SIGNED_OLD], header: X-Sign, prefix: "sha256="}}
    channel: paid
  standard:
    format: standard-webhooks
    verify: {standard-webhooks: env:STANDARD}
  standard-by-hmac:
    format: standard-webhooks
    verify: {hmac: env:SIGNED}
    map: {kind: data.happened.what, occurred_at: data.happened.when}
  crm:
    format: json
    verify: {bearer: env:CRM}
    history: true
    map:
      events: batch.items
      id: meta.id
      kind: meta.kind
      occurred_at: meta.at
      email: contact.emails.0
      external_id: contact.id
      name: contact.name
      phone: contact.phone
      channel: utm.channel
      rep: owner.id
      reason: why
      fields: {employees: company.size, company: company.name}
      outcomes: {deal.won: won, call.logged: attempt}
  unset:
    format: json
    verify: {bearer: [env:UNSET, env:ALSO_SET]}
calendars:
  office: {zone: Europe/Berlin, hours: {mon-fri: 09:00-17:00}}
scoring:
  - {name: right-size, points: 30, when: lead.employees >= 20}
stages:
  - name: lead
  - {name: mql, when: score >= 50 || lead.wants_call}
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}
handoff:
  at: mql
  routes: [{pool: sales}]
  unassigned: {within: 1h, calendar: office}
pools:
  sales: {teams: [sales]}
clocks:
  - {name: first-response, within: 2h, calendar: office, stops_on: [accepted], on_breach: reassign}
`

func parsed(t testing.TB, text string) *agreement.Agreement {
	t.Helper()
	a, faults := agreement.Parse("test", []byte(text))
	for _, f := range faults {
		t.Fatal(f.Error())
	}
	return a
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// publishedSecret is the one of the Standard Webhooks specification.
const publishedSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func mac(sum func() hash.Hash, secret string, body []byte) []byte {
	m := hmac.New(sum, []byte(secret))
	_, _ = m.Write(body) // a hash never fails
	return m.Sum(nil)
}

// secrets are what the contract's references stand for; env:UNSET is missing.
func secrets() map[string]string {
	return map[string]string{
		"env:FORM": "form-token", "env:SIGNED": "signing-secret", "env:SIGNED_OLD": "older-secret", "env:STANDARD": publishedSecret,
		"env:CRM": "crm-token", "env:ALSO_SET": "present-token",
	}
}

// vault resolves references.
type vault struct {
	mu   sync.Mutex
	held map[string]string
}

func (v *vault) set(ref, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held[ref] = value
}

func (v *vault) resolve(ref string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, ok := v.held[ref]; ok {
		return s, nil
	}
	return "", fmt.Errorf("%s is not set", ref)
}

// inForce is the version of the agreement; nil before the first.
type inForce struct {
	atomic.Pointer[agreement.Agreement]
}

func (f *inForce) At(time.Time) (*agreement.Agreement, bool) {
	a := f.Load()
	return a, a != nil
}

// clock stands still until it is moved.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(event.Micros(noon))
	return c
}

func (c *clock) now() time.Time       { return event.Time(c.micros.Load()) }
func (c *clock) move(d time.Duration) { c.micros.Add(d.Microseconds()) }

// world is a door with what stands around it.
type world struct {
	t          *testing.T
	service    *Service
	handler    http.Handler
	vault      *vault
	agreements *inForce
	clock      *clock
	registry   *prometheus.Registry
	log        *journal
	stop       func() // ends Run and waits for it
}

// journal keeps what was logged.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// newWorld opens a door in front of log, and runs it.
func newWorld(t *testing.T, log Publisher, change func(*Config)) *world {
	t.Helper()
	w := &world{
		t: t, vault: &vault{held: secrets()}, agreements: &inForce{}, clock: newClock(), registry: prometheus.NewRegistry(), log: &journal{},
	}
	w.agreements.Store(parsed(t, contract))
	cfg := Config{
		Agreements: w.agreements, Bus: log, Secret: w.vault.resolve, Now: w.clock.now, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		Registerer: w.registry,
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.service, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	w.handler = w.service.Handler()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.service.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// opened waits until the door accepts.
func (w *world) opened() *world {
	w.t.Helper()
	eventually(w.t, "the door opens", func() bool { return w.service.closed.Load() == nil })
	return w
}

// eventually asks again and again, for as long as a busy machine may need.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// request is a good one to a source, with its proof; change may spoil it.
func request(t testing.TB, source, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/hooks/"+source, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	prove(r.Header, source, body)
	return r
}

func prove(h http.Header, source, body string) {
	switch source {
	case "form":
		h.Set("Authorization", "Bearer form-token")
	case "crm":
		h.Set("Authorization", "Bearer crm-token")
	case "unset":
		h.Set("Authorization", "Bearer present-token")
	case "signed":
		h.Set("X-Sign", "sha256="+hex.EncodeToString(mac(sha256.New, "signing-secret", []byte(body))))
	case "standard-by-hmac":
		h.Set("X-Signature", hex.EncodeToString(mac(sha256.New, "signing-secret", []byte(body))))
	case "standard":
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(publishedSecret, "whsec_"))
		at := strconv.FormatInt(noon.Unix(), 10)
		h.Set("Webhook-Id", "msg_1")
		h.Set("Webhook-Timestamp", at)
		h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac(sha256.New, string(key), []byte("msg_1."+at+"."+body))))
	}
}

func (w *world) send(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// post sends a good request.
func (w *world) post(source, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.send(request(w.t, source, body))
}

// canary stands in bodies that are refused; no answer and no log line may hold it.
const canary = "hunter2"

// refused checks that an answer is a problem of a type, complete and silent about the body.
func (w *world) refused(what string, rec *httptest.ResponseRecorder, status int, typ string) Problem {
	w.t.Helper()
	var p Problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		w.t.Errorf("%s: status %d with no problem: %v: %s", what, rec.Code, err, rec.Body)
		return p
	}
	if rec.Code != status || p.Status != status || p.Type != typ || p.Title == "" || p.Detail == "" {
		w.t.Errorf("%s: status %d, problem %+v; want %d %s", what, rec.Code, p, status, typ)
	}
	if ct := rec.Header().Get("Content-Type"); ct != "application/problem+json" {
		w.t.Errorf("%s: content type %q", what, ct)
	}
	retry := rec.Header().Get("Retry-After")
	again := status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
	if n, err := strconv.Atoi(retry); again != (err == nil && n > 0) {
		w.t.Errorf("%s: status %d with Retry-After %q", what, status, retry)
	}
	if strings.Contains(rec.Body.String(), canary) || strings.Contains(w.log.String(), canary) {
		w.t.Errorf("%s: the body is repeated", what)
	}
	return p
}

// took checks a 202 and returns its ids.
func (w *world) took(what string, rec *httptest.ResponseRecorder) []string {
	w.t.Helper()
	var a accepted
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || rec.Code != http.StatusAccepted || a.Accepted != len(a.IDs) || a.Accepted == 0 {
		w.t.Errorf("%s: status %d, %v: %s", what, rec.Code, err, rec.Body)
	}
	return a.IDs
}

// insist sends a good request until it is not turned away for now, as a sender does: on a busy machine a real log may be slow. It
// returns the last answer, and how often it was asked for.
func (w *world) insist(source, body string) (rec *httptest.ResponseRecorder, tries int) {
	w.t.Helper()
	eventually(w.t, "the log takes it", func() bool {
		tries++
		rec = w.post(source, body)
		return rec.Code != http.StatusServiceUnavailable
	})
	return rec, tries
}

// embeddedServer is a server of its own.
func embeddedServer(t *testing.T) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ended(t, server.Stop) })
	return server
}

// embeddedBus is a bus on an embedded server of its own.
func embeddedBus(t *testing.T, partitions int) *bus.Bus {
	t.Helper()
	return declaredBus(t, bus.Config{Server: embeddedServer(t), Partitions: partitions, MaxBytes: 64 << 20})
}

func declaredBus(t *testing.T, cfg bus.Config) *bus.Bus {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := bus.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ended(t, b.Close) })
	if err := b.Declare(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

func ended(t *testing.T, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
}

// message is one that the log stored.
type message struct {
	partition int
	events    []*eventv1.Event
}

// stored reads along what the log of b stores from now on, and returns what came so far.
func stored(t *testing.T, b *bus.Bus) func() []message {
	t.Helper()
	tap, err := b.Attach(t.Context(), []string{event.Ingest})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []message
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- tap.Run(ctx, func(_ string, partition int, events []*eventv1.Event, _ time.Time) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, message{partition, events})
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("read along: %v", err)
		}
	})
	return func() []message {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

// storedIDs are the ids in messages, in their order.
func storedIDs(ms []message) []string {
	var out []string
	for _, m := range ms {
		out = append(out, idsOf(m.events)...)
	}
	return out
}

// idsOf are the ids of those events that are leads.
func idsOf(events []*eventv1.Event) []string {
	var out []string
	for _, e := range events {
		if e.GetLeadReceived() != nil {
			out = append(out, e.GetId())
		}
	}
	return out
}
