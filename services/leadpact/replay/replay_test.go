package replay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/replay"
	"github.com/leadpact/leadpact/services/leadpact/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mapping = `
sign: {bearer: env:CRM}
zone: America/New_York
event:
  id: "lead-{id}"
  type: lead_created
  occurred_at: "{at}"
  email: "{mail}"
  channel: "{origin|none}"
  fields: {landing_page: "{page}"}
`

// door is a hook that notes the events it is sent; refuse says which it does not take.
type door struct {
	*httptest.Server
	refuse func(e map[string]any) string
	// busy is how many requests are answered 503 first.
	busy int

	// seen is told the number of each request that proves itself, before it is answered.
	seen func(n int)

	mu       sync.Mutex
	requests int
	events   []map[string]any
}

func newDoor(t *testing.T) *door {
	d := &door{refuse: func(map[string]any) string { return "" }, seen: func(int) {}}
	d.Server = httptest.NewServer(http.HandlerFunc(d.take))
	t.Cleanup(d.Close)
	return d
}

func (d *door) take(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	answer := func(code int, said map[string]any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(said)
	}
	var events []map[string]any
	if r.Header.Get("Authorization") != "Bearer a secret for env:CRM" {
		answer(http.StatusUnauthorized, map[string]any{"detail": "no such token"})
		return
	}
	d.requests++
	d.seen(d.requests)
	switch {
	case d.busy > 0:
		d.busy--
		w.Header().Set("Retry-After", "1")
		answer(http.StatusServiceUnavailable, map[string]any{"detail": "come back"})
		return
	case strings.Contains(string(body), `\u0000`):
		answer(http.StatusBadRequest, map[string]any{"detail": "a NUL character"})
		return
	case len(body) > 256<<10:
		answer(http.StatusRequestEntityTooLarge, map[string]any{"detail": "too much"})
		return
	}
	if err == nil {
		err = json.Unmarshal(body, &events)
	}
	if err != nil {
		answer(http.StatusBadRequest, map[string]any{"detail": err.Error()})
		return
	}
	ids, refused := []string{}, []map[string]any{}
	for i, e := range events {
		id, _ := e["id"].(string)
		if why := d.refuse(e); why != "" {
			refused = append(refused, map[string]any{"index": i, "id": id, "detail": why})
			continue
		}
		ids = append(ids, id)
		d.events = append(d.events, e)
	}
	code := http.StatusAccepted
	if len(ids) == 0 {
		code = http.StatusUnprocessableEntity
	}
	answer(code, map[string]any{"ids": ids, "refused": refused})
}

// taken are the events by id.
func (d *door) taken() map[string]map[string]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]map[string]any{}
	for _, e := range d.events {
		id, _ := e["id"].(string)
		delete(e, "id")
		out[id] = e
	}
	return out
}

// reported is the report of a run that tried nothing twice.
func reported(accepted int, refused ...replay.Refused) replay.Report {
	r := replay.Report{
		Rows: accepted + len(refused), Accepted: accepted, Refused: len(refused), Reasons: map[string]int{}, Examples: []replay.Refused{},
	}
	for _, one := range refused {
		r.Reasons[one.Reason]++
		r.Examples = append(r.Examples, one)
	}
	return r
}

// run replays a file of that name and content to an address.
func run(t *testing.T, name, content, how, to string, change ...func(*replay.Options)) (replay.Report, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := replay.ParseMapping([]byte(how))
	if err != nil {
		t.Fatal(err)
	}
	o := replay.Options{Events: file, To: to, Mapping: m, Secret: apptest.Secret, Patience: 20 * time.Second}
	for _, c := range change {
		c(&o)
	}
	return replay.Run(t.Context(), o)
}

func TestRows(t *testing.T) {
	t.Parallel()
	one := map[string]map[string]any{"lead-1": {
		"mode": "history", "type": "lead_created", "occurred_at": "2018-02-01T05:00:00Z", "email": "a@example.com", "channel": "none",
		"fields": map[string]any{"landing_page": "p"},
	}}
	for name, c := range map[string]struct {
		file, content string
		want          map[string]map[string]any
		refused       []replay.Refused
	}{
		"CSV":                 {"x.csv", "id,at,mail,origin,page\n1,2018-02-01,a@example.com,,p\n", one, nil},
		"byte order mark":     {"x.csv", "\ufeffid,at,mail,origin,page\r\n1,2018-02-01,a@example.com,,p\r\n", one, nil},
		"mark before a quote": {"x.csv", "\ufeff\"id\",at,mail,origin,page\n1,2018-02-01,a@example.com,,p", one, nil},
		"quotes":              {"x.csv", "id,at,mail,origin,page\n\"1\",\"2018-02-01\",\"a@example.com\",\"\",\"p\"\n", one, nil},
		"another order":       {"x.csv", "page,mail,extra,id,origin,at\np,a@example.com,?,1,,2018-02-01\n", one, nil},
		"nothing":             {"x.csv", "id,at,mail,origin,page\n", map[string]map[string]any{}, nil},
		"JSONL":               {"x.jsonl", "\ufeff{\"id\":1,\"at\":\"2018-02-01\",\"mail\":\"a@example.com\",\"origin\":null,\"page\":\"p\"}\n\n", one, nil},
		"default for no key":  {"x.ndjson", `{"id":"1","at":"2018-02-01 00:00","mail":"a@example.com","page":"p"}`, one, nil},
		"a number keeps itself": {"x.jsonl", `{"id":9007199254740993,"at":"2018-02-01","mail":"a@example.com","page":true,"origin":"o"}`,
			map[string]map[string]any{"lead-9007199254740993": {
				"mode": "history", "type": "lead_created", "occurred_at": "2018-02-01T05:00:00Z", "email": "a@example.com", "channel": "o",
				"fields": map[string]any{"landing_page": "true"},
			}}, nil},
		"ragged rows": {"x.csv", "id,at,mail,origin,page\n0,2018\n1,2018-02-01,a@example.com,,p\n2,2018-02-01,a@example.com,,p,more\n", one, []replay.Refused{
			{Line: 2, Reason: "it has 2 columns, the header line has 5"}, {Line: 4, Reason: "it has 6 columns, the header line has 5"},
		}},
		"a quote within": {"x.csv", "id,at,mail,origin,page\n0,2018\"x,a,b,c\n1,2018-02-01,a@example.com,,p\n", one, []replay.Refused{
			{Line: 2, Reason: "not a CSV row: bare \" in non-quoted-field"},
		}},
		"a quote without end": {"x.csv", "id,at,mail,origin,page\n1,2018-02-01,a@example.com,,p\n2,2018-02-01,\"a,,p\n3,2018-02-01,c@example.com,,p\n", one, []replay.Refused{
			{Line: 3, Reason: "a quote that opens here goes wrong on line 4; what lies between was not read"},
		}},
		"lines within quotes": {"x.csv", "id,at,mail,origin,page\n1,2018-02-01,a@example.com,,p\n2,never,b@example.com,\"x\ny\",p\n3,never,,,\n", one, []replay.Refused{
			{Line: 3, ID: "lead-2", Reason: "the time has none of the known forms, as 2026-01-31 09:00:00 is one"},
			{Line: 5, ID: "lead-3", Reason: "the time has none of the known forms, as 2026-01-31 09:00:00 is one"},
		}},
		"not UTF-8": {"x.csv", "id,at,mail,origin,page\n1,2018-02-01,a@example.com,,p\n2,2018-02-01,b@example.com,,caf\xe9\n", one, []replay.Refused{
			{Line: 3, Reason: "it is not valid UTF-8: save the file as UTF-8"},
		}},
		"rows at fault": {"x.csv", "id,at,mail,origin,page\n1,2018-02-01,a@example.com,,p\n2,,a,,p\n\"3\t4\",2018-02-01,a,,p\n", one, []replay.Refused{
			{Line: 3, ID: "lead-2", Reason: "the time is empty"}, {Line: 4, ID: "lead-3\t4", Reason: "the id holds a tab, a line break or another control character"},
		}},
		"JSON at fault": {"x.jsonl", "{\"id\":1,\"at\":\"2018-02-01\",\"mail\":\"a@example.com\",\"page\":\"p\"}\n[]\nnull\n{\n{}{}\n{\"id\":[1]}\n{\"id\":5}\n\"\xe9\"\n", one, []replay.Refused{
			{Line: 2, Reason: "not a JSON object"}, {Line: 3, Reason: "not a JSON object"}, {Line: 4, Reason: "not a JSON object"},
			{Line: 5, Reason: "something follows the JSON object on its line"}, {Line: 6, Reason: `"id" is not flat: name a text, a number or true/false`},
			{Line: 7, ID: "lead-5", Reason: `the row has no column "mail"`}, {Line: 8, Reason: "it is not valid UTF-8: save the file as UTF-8"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			report, err := run(t, c.file, c.content, mapping, d.URL+"/v1/hooks/crm")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, d.taken()); diff != "" {
				t.Errorf("events, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(reported(len(c.want), c.refused...), report); diff != "" {
				t.Errorf("report, -want +got:\n%s", diff)
			}
		})
	}
}

// TestTimes: a local time that happens twice is the first, one that never does is the end of the gap, in zones on both sides of
// Greenwich.
func TestTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, at, want string }{
		{"", "2026-01-31", "2026-01-31T00:00:00Z"},
		{"", "2026-01-31 09:00", "2026-01-31T09:00:00Z"},
		{"", "2026-01-31T09:00", "2026-01-31T09:00:00Z"},
		{"", "2026-01-31 09:00:00.25", "2026-01-31T09:00:00.25Z"},
		{"Europe/Berlin", "2026-01-31T09:00:00", "2026-01-31T08:00:00Z"},
		{"Europe/Berlin", "2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z"},
		{"Europe/Berlin", "2026-01-31T09:00:00.123456+05:30", "2026-01-31T03:30:00.123456Z"},
		{"Europe/Berlin", "2026-01-31 09:00:00+00", "2026-01-31T09:00:00Z"},
		{"Europe/Berlin", "2026-01-31 09:00:00-05:00", "2026-01-31T14:00:00Z"},
		{"Europe/Berlin", "1769850000", "2026-01-31T09:00:00Z"},
		{"Europe/Berlin", "1769850000125", "2026-01-31T09:00:00.125Z"},
		{"Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:00:00Z"},
		{"America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z"},
		{"America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},  // there was no midnight
		{"Pacific/Apia", "2011-12-30 12:00", "2011-12-30T10:00:00Z"}, // there was no such day
		{"", "31.01.2026", ""},
		{"", "2026-02-30", ""},
		{"", "20260131", ""},
		{"", "", ""},
	} {
		d := newDoor(t)
		how := strings.Replace(mapping, "America/New_York", strconv.Quote(c.zone), 1)
		_, err := run(t, "x.csv", "id,at,mail,origin,page\n1,"+c.at+",a@example.com,,\n", how, d.URL+"/v1/hooks/crm")
		if err != nil {
			t.Fatal(err)
		}
		got, _ := d.taken()["lead-1"]["occurred_at"].(string)
		if got != c.want {
			t.Errorf("%q in %q is %q, not %q", c.at, c.zone, got, c.want)
		}
	}
}

func TestMappingFaults(t *testing.T) {
	t.Parallel()
	good := "sign: {bearer: env:CRM}\nevent: {id: \"{id}\", occurred_at: \"{at}\", email: \"{mail}\"}\n"
	if _, err := replay.ParseMapping([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{"", "needs event.id and event.occurred_at"},
		{"\tx", "cannot be read"},
		{good + "zoned: x", "cannot be read"},
		{good + "zone: Local", `the mapping's zone "Local" is no IANA zone`},
		{good + "zone: CEST/CET", "is no IANA zone"},
		{strings.Replace(good, "{at}", "{at", 1), "a { without its } in the mapping"},
		{strings.Replace(good, "id: \"{id}\", ", "", 1), "needs event.id"},
		{strings.Replace(good, ", email: \"{mail}\"", "", 1), "they say who the lead is"},
		{strings.Replace(good, "sign: {bearer: env:CRM}\n", "", 1), "the mapping needs sign"},
		{strings.Replace(good, "bearer", "standard-webhooks", 1), "Standard Webhooks has none"},
	} {
		if _, err := replay.ParseMapping([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: told %v, not %q", c.text, err, c.want)
		}
	}
}

// TestFaultsAtOnce are those that nobody should wait for, nor find in a thousand refused rows.
func TestFaultsAtOnce(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	d := newDoor(t)
	row := "id,at,mail,origin,page\n1,2018-02-01,a@example.com,,p\n"
	for _, c := range []struct{ name, file, content, how, to, want string }{
		{"nobody there", "x.csv", row, mapping, gone.URL + "/v1/hooks/crm", "is leadpact serve running there?"},
		{"no address", "x.csv", row, mapping, "localhost", "give http://host:port/v1/hooks/NAME"},
		{"no source", "x.csv", row, mapping, d.URL, "names no source"},
		{"no secret", "x.csv", row, strings.Replace(mapping, "env:CRM", "env:OTHER", 1), d.URL + "/v1/hooks/crm", "no secret env:OTHER"},
		{"wrong secret", "x.csv", row, strings.Replace(mapping, "env:CRM", "env:WEBSITE", 1), d.URL + "/v1/hooks/crm", "the door answered 401: no such token"},
		{"no such column", "x.csv", row, strings.Replace(mapping, "{page}", "{seite}", 1), d.URL + "/v1/hooks/crm", `the mapping names the column "seite"; the file has id, at, mail, origin, page`},
		{"empty", "x.csv", "", mapping, d.URL + "/v1/hooks/crm", "is empty: its first line names the columns"},
		{"a column twice", "x.csv", "id,id\n", mapping, d.URL + "/v1/hooks/crm", `names the column "id" twice`},
		{"neither form", "x.xlsx", "", mapping, d.URL + "/v1/hooks/crm", "neither .csv nor .jsonl"},
		{"one long line", "x.jsonl", "[" + strings.Repeat("{},", 1<<19) + "{}]", mapping, d.URL + "/v1/hooks/crm", "line 1 is longer than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := run(t, c.file, c.content, c.how, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("told %v, not %q", err, c.want)
			}
		})
	}
}

// TestBusyDoor answers 503 before it takes anything. Nothing is lost, nothing doubled, and what was taken is written down.
func TestBusyDoor(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.busy = 2
	d.refuse = func(e map[string]any) string {
		if e["email"] == "lead7@example.com" {
			return "names nobody"
		}
		return ""
	}
	var accepted strings.Builder
	var done []replay.Progress
	report, err := run(t, "x.csv", many(250), mapping, d.URL+"/v1/hooks/crm", func(o *replay.Options) {
		o.Accepted = &accepted
		o.Progress = func(p replay.Progress) { done = append(done, p) }
	})
	if err != nil {
		t.Fatal(err)
	}
	want := reported(249, replay.Refused{Line: 9, ID: "lead-7", Reason: "names nobody"})
	want.Retries = 2
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report, -want +got:\n%s", diff)
	}
	var lines []string
	for i := range 250 {
		if i != 7 {
			lines = append(lines, fmt.Sprintf("crm\tlead-%d", i))
		}
	}
	got := strings.Split(strings.TrimSuffix(accepted.String(), "\n"), "\n")
	if diff := cmp.Diff(lines, got); diff != "" {
		t.Errorf("accepted, -want +got:\n%s", diff)
	}
	if len(d.events) != 249 || len(done) != 3 {
		t.Fatalf("%d events arrived, %v was done", len(d.events), done)
	}
	if last := done[2]; last.Done != int64(len(many(250))) || last.Size != last.Done || last.Rows != 250 || last.Refused != 1 || last.PerSecond <= 0 || last.Left != 0 {
		t.Errorf("at the end %+v was done", last)
	}
}

// TestPatienceEnds: a door that is never free ends the replay, and says why.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.busy = 1000
	report, err := run(t, "x.csv", many(1), mapping, d.URL+"/v1/hooks/crm", func(o *replay.Options) { o.Patience = 100 * time.Millisecond })
	if err == nil || !strings.Contains(err.Error(), "the door answered 503: come back") || report.Rows != 0 || report.Accepted != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestRowSpoilsItsBatch: the door refuses the request whole, and the others must not pay for it.
func TestRowSpoilsItsBatch(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	huge := strings.Repeat("x", 300<<10)
	content := many(120) + "nul,2018-02-01,a\x00@example.com,,p\nhuge,2018-02-01,b@example.com,," + huge + "\n" + strings.SplitN(many(1), "\n", 2)[1]
	report, err := run(t, "x.csv", content, mapping, d.URL+"/v1/hooks/crm")
	want := reported(121, replay.Refused{Line: 122, Reason: "a NUL character"}, replay.Refused{Line: 123, Reason: "too much"})
	if diff := cmp.Diff(want, report); diff != "" || err != nil {
		t.Errorf("%v, report, -want +got:\n%s", err, diff)
	}
}

// many is a CSV file of n rows, the first on line 2.
func many(n int) string {
	var b strings.Builder
	_, _ = b.WriteString("id,at,mail,origin,page\n")
	for i := range n {
		_, _ = fmt.Fprintf(&b, "%d,2018-02-01,lead%d@example.com,organic,p%d\n", i, i, i%3)
	}
	return b.String()
}

// TestTwice replays leads and their outcomes into a real process, and again: nothing changes, and nobody is woken.
func TestTwice(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	to := "http://" + s.HTTPAddr() + "/v1/hooks/crm"
	outcome := strings.Replace(mapping, `id: "lead-{id}"`, "outcome: {kind: won, rep: \"{rep}\"}\n  id: \"deal-{id}\"", 1)
	outcome = strings.NewReplacer("lead_created", "deal", "  channel: \"{origin|none}\"\n  fields: {landing_page: \"{page}\"}\n", "").Replace(outcome)
	var hashes []string
	for range 2 {
		report, err := run(t, "leads.csv", many(230), mapping, to)
		if err != nil || report.Accepted != 230 || report.Refused != 0 {
			t.Fatalf("%+v, %v", report, err)
		}
		report, err = run(t, "deals.csv", "id,at,mail,rep\n1,2018-03-01,lead1@example.com,zoe\n2,2018-03-01,lead2@example.com,zoe\n", outcome, to)
		if err != nil || report.Accepted != 2 {
			t.Fatalf("%+v, %v", report, err)
		}
		stores := apptest.Stores(t, s.Data)
		var lines strings.Builder
		if err := verify.Run(t.Context(), verify.Options{Stores: stores, Doors: []string{s.HTTPAddr()}, Patience: 30 * time.Second, Out: &lines}); err != nil {
			t.Fatalf("%v\n%s", err, lines.String())
		}
		hash, err := verify.StateHash(t.Context(), stores)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hash)
		if !strings.Contains(lines.String(), "fold of its facts (230)") {
			t.Errorf("there are not 230 leads:\n%s", lines.String())
		}
	}
	if hashes[0] != hashes[1] || len(hashes[0]) != 64 {
		t.Errorf("the state was %s, and is %s", hashes[0], hashes[1])
	}
	if n := len(s.Inbox(t, "ann")) + len(s.Inbox(t, "bob")); n != 0 {
		t.Errorf("history woke reps with %d leads", n)
	}
	s.Post(t, "crm", map[string]any{"id": "x", "type": "page_viewed", "email": "lead3@example.com"})
	apptest.Until(t, "a change of state", func() error {
		hash, err := verify.StateHash(t.Context(), apptest.Stores(t, s.Data))
		if err == nil && hash == hashes[0] {
			err = fmt.Errorf("it is still %s", hash)
		}
		return err
	})
}
