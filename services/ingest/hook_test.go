package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/lead"
)

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("a door without anything")
	}
}

// Each kind of source gets its 202, and what it was answered for stands in the log, in the partition of its person.
func TestAccepted(t *testing.T) {
	t.Parallel()
	const partitions = 3
	b := embeddedBus(t, partitions)
	log := stored(t, b)
	w := newWorld(t, b, nil).opened()
	var want []string
	for source, body := range map[string]string{
		"form":             `{"id":"f1","email":"ada@example.com"}`,
		"signed":           `{"external_id":"7","name":"Ada"}`,
		"standard":         `{"type":"form.submitted","timestamp":"2026-03-04T11:00:00Z","data":{"email":"ada@example.com"}}`,
		"standard-by-hmac": `{"data":{"id":"s1","email":"b@example.com"}}`,
		"crm":              `{"batch":{"items":[{"meta":{"id":"c1"},"contact":{"id":"1"},"mode":"history"},{"meta":{"id":"c2"},"contact":{"id":"2"}}]}}`,
	} {
		rec, _ := w.insist(source, body)
		want = append(want, w.took(source, rec)...)
	}
	slices.Sort(want)
	distinct := func() []string {
		got := storedIDs(log())
		slices.Sort(got)
		return slices.Compact(got)
	}
	eventually(t, "everything is in the log", func() bool { return len(distinct()) >= len(want) })
	if got := distinct(); !slices.Equal(got, want) {
		t.Errorf("answered 202 for %q, stored %q", want, got)
	}
	for _, m := range log() {
		for _, e := range m.events {
			key := lead.Identify(e.GetSource(), e.GetLeadReceived().GetEmail(), e.GetLeadReceived().GetExternalId())[0]
			if p := event.Partition(key, partitions); p != m.partition {
				t.Errorf("%s is in partition %d, want %d", e.GetId(), m.partition, p)
			}
		}
	}
	rec, _ := w.insist("form", `[{"id":"g1","external_id":"1"},{"id":"g2"}]`)
	var a accepted
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || rec.Code != http.StatusAccepted {
		t.Fatal(rec.Code, err)
	}
	if a.Accepted != 1 || len(a.Refused) != 1 || a.Refused[0].Index != 1 || a.Refused[0].ID != "g2" || a.Refused[0].Type != typeEvent {
		t.Errorf("half a batch is answered with %+v", a)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, func(c *Config) { c.MaxBody = 4096 }).opened()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"external_id":"1"}`))
	_ = z.Close()
	good := `{"external_id":"1","name":"` + canary + `"}`
	bad := `{"external_id":"1","` + canary + `":1,"` + canary + `":2}`
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for _, c := range []struct {
		name, source, body string
		change             func(*http.Request)
		status             int
		typ                string
	}{
		{"a source that nobody named", canary, good, nil, 404, typeUnknownSource},
		{"no source", "", good, nil, 404, typeUnknownSource},
		{"more path than a source", "form/x", good, nil, 404, typeUnknownSource},
		{"a source in other letters", "Form", good, nil, 404, typeUnknownSource},
		{"GET", "form", "", func(r *http.Request) { r.Method = http.MethodGet }, 405, typeMethod},
		{"PUT", "form", good, func(r *http.Request) { r.Method = http.MethodPut }, 405, typeMethod},
		{"OPTIONS on nothing", "", "", func(r *http.Request) { r.Method = http.MethodOptions }, 405, typeMethod},
		{"too large", "form", `{"external_id":"` + strings.Repeat(canary, 4096) + `"}`, nil, 413, typeTooLarge},
		{"a byte too large", "form", good + strings.Repeat(" ", 4097-len(good)), nil, 413, typeTooLarge},
		{"a form", "form", good, header("Content-Type", "application/x-www-form-urlencoded"), 415, typeMediaType},
		{"text", "form", good, header("Content-Type", "text/json"), 415, typeMediaType},
		{"no type", "form", good, header("Content-Type", ""), 415, typeMediaType},
		{"a type that is none", "form", good, header("Content-Type", "application/json; charset"), 415, typeMediaType},
		{"another charset", "form", good, header("Content-Type", "application/json; charset=iso-8859-1"), 415, typeMediaType},
		{"gzip", "form", zipped.String(), header("Content-Encoding", "gzip"), 415, typeMediaType},
		{"no token", "form", good, header("Authorization", ""), 401, typeSignature},
		{"another source's token", "form", good, header("Authorization", "Bearer crm-token"), 401, typeSignature},
		{"unsigned garbage", "signed", canary + "{{{", header("X-Sign", "sha256=00"), 401, typeSignature},
		{"unsigned nothing", "signed", "", header("X-Sign", ""), 401, typeSignature},
		{"signed for another body", "signed", good + " ", func(r *http.Request) { prove(r.Header, "signed", good) }, 401, typeSignature},
		{"an old webhook", "standard", good, header("Webhook-Timestamp", "1772624000"), 401, typeSignature},
		{"signed garbage", "signed", canary + "{{{", nil, 400, typeBody},
		{"signed nothing", "signed", "", nil, 400, typeBody},
		{"a key twice", "form", bad, nil, 400, typeBody},
		{"a NUL", "form", `{"external_id":"` + canary + `\u0000"}`, nil, 400, typeBody},
		{"a byte order mark", "form", "\ufeff" + good, nil, 400, typeBody},
		{"no object", "form", `"` + canary + `"`, nil, 400, typeBody},
		{"an empty batch", "form", `[]`, nil, 400, typeBody},
		{"names nobody", "form", `{"name":"` + canary + `"}`, nil, 422, typeEvent},
		{"a batch that is all bad", "form", `[{"name":"` + canary + `"},{"external_id":"1","outcome":"` + canary + `"}]`, nil, 422, typeEvent},
	} {
		r := request(t, c.source, c.body)
		if c.change != nil {
			c.change(r)
		}
		p := w.refused(c.name, w.send(r), c.status, c.typ)
		if c.status == http.StatusUnprocessableEntity && len(p.Events) == 0 {
			t.Errorf("%s: the answer does not say which events", c.name)
		}
	}
	rec := w.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/hooks/form", nil))
	if got := rec.Header().Get("Allow"); got != "POST" {
		t.Errorf("Allow is %q", got)
	}
	w.took("exactly as large as allowed", w.post("form", good+strings.Repeat(" ", 4096-len(good))))
	r := request(t, "form", good)
	r.Header.Set("Content-Type", "application/cloudevents+json")
	r.Header.Set("Content-Encoding", "identity")
	w.took("a type of JSON", w.send(r))
	r = request(t, "form", good)
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	w.took("a charset in other letters", w.send(r))

	// Nothing from outside may become a label.
	text := scrape(t, w)
	if strings.Contains(text, canary) || strings.Contains(text, "Form") || strings.Contains(text, "GET") {
		t.Errorf("metrics hold what a stranger sent:\n%s", text)
	}
	if !strings.Contains(text, `leadpact_ingest_requests_total{code="404",source="unknown"} 4`) {
		t.Errorf("4 requests to unknown sources are not counted so:\n%s", text)
	}
}

func scrape(t *testing.T, w *world) string {
	t.Helper()
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return rec.Body.String()
}

func TestCountersBeginAtZero(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	eventually(t, "every source has its counters", func() bool {
		n, err := testutil.GatherAndCount(w.registry, "leadpact_ingest_events_total")
		return err == nil && n == 4*len(w.agreements.Load().Sources)
	})
	problems, err := testutil.GatherAndLint(w.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	w.post("form", `[{"external_id":"1"},{"external_id":"2"},{}]`)
	for result, want := range map[string]float64{"accepted": 2, "refused": 1, "skipped": 0, "unavailable": 0} {
		if got := testutil.ToFloat64(w.service.metrics.events.WithLabelValues("form", result)); got != want {
			t.Errorf("%v events are %s, want %v", got, result, want)
		}
	}
}

// Events to which their sender gave no id are counted when they are accepted, wherever the id would stand.
func TestCountsEventsWithoutID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	eventually(t, "every source has its counter", func() bool {
		n, err := testutil.GatherAndCount(w.registry, "leadpact_ingest_events_without_id_total")
		return err == nil && n == len(w.agreements.Load().Sources)
	})
	w.took("two of three", w.post("form", `[{"external_id":"1"},{"id":"a","external_id":"2"},{"id":"","external_id":"3"},{}]`))
	w.took("one", w.post("signed", `{"external_id":"1"}`))
	w.took("none", w.post("crm", ofCRM("1")))
	w.took("none but in a header", w.post("standard", `{"type":"a","timestamp":"2026-03-04T12:00:00Z","data":{"external_id":"1"}}`))
	w.refused("nobody", w.post("signed", `{}`), 422, typeEvent)
	for source, want := range map[string]float64{"form": 2, "signed": 1, "crm": 0, "standard": 0} {
		if got := testutil.ToFloat64(w.service.metrics.unnamed.WithLabelValues(source)); got != want {
			t.Errorf("%v events of %s have no id, want %v", got, source, want)
		}
	}
}

func TestNoAgreementYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	a := w.agreements.Load()
	w.agreements.Store(nil)
	w.refused("no agreement", w.post("form", `{"external_id":"1"}`), 503, typeUnavailable)
	if w.service.Ready(t.Context()) == nil {
		t.Error("ready without an agreement")
	}
	w.agreements.Store(a)
	w.took("an agreement", w.post("form", `{"external_id":"1"}`))
	if err := w.service.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	// The next version knows one source more and one less.
	w.agreements.Store(parsed(t, strings.Replace(contract, "  form:", "  shop:", 1)))
	w.refused("a source that is no more", w.post("form", `{"external_id":"1"}`), 404, typeUnknownSource)
	r := request(t, "shop", `{"external_id":"1"}`)
	prove(r.Header, "form", "")
	w.took("a new source", w.send(r))
}

// A secret that is changed counts within a second; one that is missing makes nobody give up, and no log holds a value.
func TestSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	const body = `{"external_id":"1"}`
	with := func(source, token string) *httptest.ResponseRecorder {
		r := request(t, source, body)
		r.Header.Set("Authorization", "Bearer "+token)
		return w.send(r)
	}
	w.took("the secret that is there", with("unset", "present-token"))
	for range 20 {
		if p := w.refused("the secret that is missing", with("unset", "absent-token"), 503, typeSource); strings.Contains(p.Detail, "UNSET") {
			t.Errorf("the sender reads %q", p.Detail)
		}
	}
	if n := strings.Count(w.log.String(), "source lacks a secret"); n != 1 {
		t.Errorf("a missing secret is logged %d times in one second", n)
	}
	w.vault.set("env:UNSET", "absent-token")
	w.clock.move(believed)
	w.took("the secret that was missing", with("unset", "absent-token"))
	w.refused("a wrong secret, when none is missing", with("unset", "third-token"), 401, typeSignature)

	w.took("before the change", with("form", "form-token"))
	w.vault.set("env:FORM", "newer-token")
	w.clock.move(believed)
	w.took("after the change", with("form", "newer-token"))
	w.refused("the old one after the change", with("form", "form-token"), 401, typeSignature)

	w.vault.set("env:STANDARD", "whsec_"+canary+"!")
	w.refused("a secret of another form", w.post("standard", body), 503, typeSource)
	w.vault.set("env:CRM", "")
	r := request(t, "crm", body)
	r.Header.Set("Authorization", "Bearer ")
	w.refused("an empty secret", w.send(r), 503, typeSource)

	for _, value := range []string{"present-token", "absent-token", "form-token", "newer-token", "third-token", canary} {
		if strings.Contains(w.log.String(), value) {
			t.Errorf("the log holds %s", value)
		}
	}
}

// naughty are texts that break programs.
var naughty = []string{
	"", " ", "\t\r\n", "null", "undefined", "NaN", "Infinity", "true", "0", "-0", "1e400", "0x1p-2", "１２３", "1_000", "9223372036854775808",
	"' OR 1=1 --", "'; DROP TABLE facts; --", "<script>alert(1)</script>", "${jndi:ldap://x}", "{{7*7}}", "%s%n%x", "../../etc/passwd", "=cmd|' /C calc'!A0",
	"a\nb\r\nSet-Cookie: x", "\x1b[31mred", "\x7f", "\u0085\u2028\u2029", "\ufeffBOM", "\ufffe\uffff", "\u202egnirts", "\u200b\u2060\u00ad",
	"Z͑ͫ̓a̴l͠g̛o͝", "ß ẞ İ ı ﬁ Ⅷ", "田中さん", "مرحبا", "👩‍👩‍👧‍👦🏳️‍🌈", "𝒜𝒹𝒶", "é", "e\u0301", strings.Repeat("a", 255), strings.Repeat("界", 85),
	strings.Repeat("x", 4096), strings.Repeat("x", 4097), "a@b", "a@b.org", "\"a b\"@c.org", "a@[127.0.0.1]", "a@b@c", "@", "a@xn--", "a@b.org\u200b",
	"A <a@b.org>", "a@\u202eb.org", strings.Repeat("a", 300) + "@b.org", "2026-13-45T99:99:99Z", "0000-00-00T00:00:00Z", "99999-01-01T00:00:00Z",
}

// Whatever stands in a text field, it is taken or refused, and never our fault.
func TestNaughtyStrings(t *testing.T) {
	t.Parallel()
	b := embeddedBus(t, 1)
	log := stored(t, b)
	w := newWorld(t, b, nil).opened()
	fields := []string{
		"id", "type", "occurred_at", "email", "external_id", "name", "phone", "channel", "rep", "reason", "mode", "employees", "wants_call",
		"company", "outcome", "undeclared",
	}
	taken := map[string]bool{}
	for _, field := range fields {
		var batch []map[string]any
		for i, s := range naughty {
			e := map[string]any{"external_id": "known", "id": fmt.Sprintf("%s-%d", field, i)}
			if field == "rep" || field == "reason" {
				e["outcome"] = "lost"
			}
			e[field] = s
			batch = append(batch, e)
		}
		body, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		rec, _ := w.insist("form", string(body))
		var a accepted
		if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || rec.Code >= 500 || a.Accepted+len(a.Refused) != len(naughty) {
			t.Errorf("%s: status %d, %d taken and %d refused of %d, %v", field, rec.Code, a.Accepted, len(a.Refused), len(naughty), err)
		}
		for _, id := range a.IDs {
			taken[id] = true
		}
	}
	if len(taken) < len(naughty)*len(fields)/2 {
		t.Errorf("%d of %d taken", len(taken), len(naughty)*len(fields))
	}
	eventually(t, "what was taken is in the log", func() bool {
		got := map[string]bool{}
		for _, id := range storedIDs(log()) {
			got[id] = true
		}
		return maps.Equal(got, taken)
	})
	for _, s := range naughty { // also where the door itself is asked for by name
		r := request(t, "form", "{}")
		r.URL.Path = "/v1/hooks/" + s
		w.refused("source "+s, w.send(r), 404, typeUnknownSource)
	}
}

// A body that comes byte by byte is cut off by the server's own time-out, and told so.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	server := httptest.NewUnstartedServer(w.handler)
	server.Config.ReadTimeout = 2 * time.Second // long enough for a busy machine to read the head
	server.Start()
	defer server.Close()
	body, feed := io.Pipe()
	defer func() { _ = feed.Close() }()
	go func() { _, _ = feed.Write([]byte(`{"external_id":`)) }() // and then no more
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/hooks/form", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	prove(r.Header, "form", "")
	began := time.Now()
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	rec := httptest.NewRecorder()
	rec.Code = resp.StatusCode
	for k, v := range resp.Header {
		rec.Header()[k] = v
	}
	if _, err := io.Copy(rec.Body, resp.Body); err != nil {
		t.Fatal(err)
	}
	w.refused("a slow body", rec, http.StatusRequestTimeout, typeTimeout)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A body that ends before its announced end is not taken for whole, even when it could be read.
func TestBodyCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, nil).opened()
	r := request(t, "form", "")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"external_id":"1"}`), broken{}))
	w.refused("cut off", w.send(r), http.StatusRequestTimeout, typeTimeout)
	if held := w.service.bodies.held.Load(); held != 0 {
		t.Errorf("%d bytes are still in hand", held)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// Bodies take room only as they come, all of them have one bound, and each gives its room back.
func TestCrowded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &faulty{partitions: 1}, func(c *Config) { c.MaxHeld = 1000 }).opened()
	type slow struct {
		feed   *io.PipeWriter
		answer chan *httptest.ResponseRecorder
	}
	var crowd []slow
	for i := range 50 {
		body, feed := io.Pipe()
		s := slow{feed, make(chan *httptest.ResponseRecorder, 1)}
		r := request(t, "form", "")
		r.Body = body
		go func() { s.answer <- w.send(r) }()
		if i < 2 { // the others are connected and say nothing
			_, _ = feed.Write([]byte(`{"external_id":"` + strings.Repeat("x", 200)))
		}
		crowd = append(crowd, s)
	}
	eventually(t, "what came is in hand", func() bool { return w.service.bodies.held.Load() == 2*(16+200) })
	w.took("beside idle ones", w.post("form", `{"external_id":"1"}`))
	long := func(n int) string { return `{"external_id":"` + strings.Repeat("x", n) + `"}` }
	w.refused("more than its half", w.post("form", long(200)), 429, typeRate)
	w.took("another source meanwhile", w.post("crm", `{"batch":{"items":[{"contact":{"id":"`+strings.Repeat("x", 180)+`"}}]}}`))
	body, feed := io.Pipe()
	r := request(t, "crm", "")
	r.Body = body
	other := w.later(r)
	_, _ = feed.Write([]byte(`{"batch":{"items":[{"contact":{"id":"` + strings.Repeat("x", 216-37)))
	eventually(t, "what came is in hand", func() bool { return w.service.bodies.held.Load() == 3*(16+200) })
	w.refused("more than is left, by one that holds little", w.post("signed", long(180)), 429, typeRate)
	w.refused("more than all together may hold", w.post("signed", long(400)), 503, typeUnavailable)
	_, _ = feed.Write([]byte(`"}}]}}`))
	_ = feed.Close()
	<-other.done
	w.took("the other slow one", other.rec)
	for i, s := range crowd {
		if i >= 2 {
			_, _ = s.feed.Write([]byte(`{"external_id":"1`))
		}
		_, _ = s.feed.Write([]byte(`"}`))
		_ = s.feed.Close()
		w.took("a slow one", <-s.answer)
	}
	if held := w.service.bodies.held.Load(); held != 0 {
		t.Errorf("%d bytes are still in hand", held)
	}
	for name, b := range w.service.doors.bounds {
		if held := b.share.held.Load(); held != 0 {
			t.Errorf("%d bytes of %s are still in hand", held, name)
		}
	}
}

// Every problem type has its section in the documentation, and the documentation has no other.
func TestProblemsAreExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/problems.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	want, got := []string{hook.TypeEvent}, []string(nil)
	for _, m := range regexp.MustCompile(`"(/problems/[a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		want = append(want, m[1])
	}
	for _, m := range regexp.MustCompile("(?m)^## `(/problems/[a-z-]+)`").FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) == 1 || !slices.Equal(want, got) {
		t.Errorf("problem types %q, explained %q", want, got)
	}
}
