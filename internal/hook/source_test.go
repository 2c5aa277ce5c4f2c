package hook

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/lead"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func textValue(s string) *eventv1.Value { return &eventv1.Value{Kind: &eventv1.Value_Text{Text: s}} }

func numberValue(f float64) *eventv1.Value {
	return &eventv1.Value{Kind: &eventv1.Value_Number{Number: f}}
}

func flagValue(b bool) *eventv1.Value { return &eventv1.Value{Kind: &eventv1.Value_Flag{Flag: b}} }

// only maps a body that holds one event.
func only(t *testing.T, source, body, webhookID string) *eventv1.Event {
	t.Helper()
	m, err := read(sourceOf(t, source), body, webhookID, noon)
	if err != nil || len(m.Events) != 1 || len(m.Refused) != 0 {
		t.Fatalf("%s: %s: %d events, refused %v, %v", source, body, len(m.Events), m.Refused, err)
	}
	return m.Events[0].Event
}

func TestMapping(t *testing.T) {
	t.Parallel()
	at := noon.Add(-time.Hour)
	for _, c := range []struct {
		name, source, body, webhookID string
		want                          *eventv1.Event
		lead                          *eventv1.LeadReceived
	}{
		{
			"generic names", "form",
			`{"id":"e1","type":"form_submitted","occurred_at":"2026-03-04T11:00:00Z","email":"Ada@Example.com","external_id":42,"name":"Ada",
			  "phone":"+49 30 1","channel":"organic","fields":{"employees":"50","wants_call":true},"company":"Acme","undeclared":"x"}`, "",
			&eventv1.Event{Id: "e1", OccurredAt: event.Micros(at)},
			&eventv1.LeadReceived{
				Kind: "form_submitted", Email: "Ada@Example.com", ExternalId: "42", Name: "Ada", Phone: "+49 30 1", Channel: "organic",
				Fields: map[string]*eventv1.Value{"employees": numberValue(50), "wants_call": flagValue(true), "company": textValue("Acme")},
			},
		},
		{
			"mapped paths", "crm",
			`{"meta":{"id":"e2","kind":"contact.updated","at":"2026-03-04T12:00:00+01:00"},"contact":{"emails":["a@b.org","c@d.org"],"id":9007199254740993,
			  "name":"Ada","phone":"1"},"utm":{"channel":"paid"},"company":{"size":12.5,"name":"Acme"},"employees":7,"email":"not@this.one"}`, "",
			&eventv1.Event{Id: "e2", OccurredAt: event.Micros(at)},
			&eventv1.LeadReceived{
				Kind: "contact.updated", Email: "a@b.org", ExternalId: "9007199254740993", Name: "Ada", Phone: "1", Channel: "paid",
				Fields: map[string]*eventv1.Value{"employees": numberValue(12.5), "company": textValue("Acme")},
			},
		},
		{
			"a source's own channel", "signed", `{"id":"e","external_id":"x"}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)}, &eventv1.LeadReceived{ExternalId: "x", Channel: "paid"},
		},
		{
			"Standard Webhooks", "standard",
			`{"type":"form.submitted","timestamp":"2026-03-04T11:00:00.000000Z","data":{"email":"a@b.org","id":"own","type":{"odd":1},"employees":3}}`, "msg_1",
			&eventv1.Event{Id: "msg_1", OccurredAt: event.Micros(at)},
			&eventv1.LeadReceived{Kind: "form.submitted", Email: "a@b.org", Fields: map[string]*eventv1.Value{"employees": numberValue(3)}},
		},
		{
			"Standard Webhooks with a mapping", "standard-by-hmac",
			`{"type":"envelope","timestamp":"2020-01-01T00:00:00Z","data":{"email":"a@b.org","id":"own","happened":{"what":"visit","when":1772622000}}}`, "",
			&eventv1.Event{Id: "own", OccurredAt: event.Micros(at)}, &eventv1.LeadReceived{Kind: "visit", Email: "a@b.org"},
		},
		{
			"empty values say nothing", "form", `{"id":"e","email":"a@b.org","name":null,"fields":{"employees":"","company":null}}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)}, &eventv1.LeadReceived{Email: "a@b.org"},
		},
		{
			"an address that is none beside an id", "form", `{"id":"e","email":"n/a","external_id":"7"}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)}, &eventv1.LeadReceived{Email: "n/a", ExternalId: "7"},
		},
		{
			"an outcome object", "form", `{"id":"e","email":"a@b.org","outcome":{"kind":"lost","rep":"ben","reason":"price"}}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)},
			&eventv1.LeadReceived{Email: "a@b.org", Outcome: &eventv1.Outcome{Kind: "lost", Rep: "ben", Reason: "price"}},
		},
		{
			"an outcome word", "form", `{"id":"e","email":"a@b.org","outcome":"reached","rep":"ben"}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)},
			&eventv1.LeadReceived{Email: "a@b.org", Outcome: &eventv1.Outcome{Kind: "reached", Rep: "ben"}},
		},
		{
			"an outcome by its mapped kind", "crm", `{"meta":{"id":"e","kind":"deal.won"},"contact":{"id":"7"},"owner":{"id":8},"why":"need"}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)},
			&eventv1.LeadReceived{Kind: "deal.won", ExternalId: "7", Outcome: &eventv1.Outcome{Kind: "won", Rep: "8", Reason: "need"}},
		},
		{
			"an outcome object beside mapped paths", "crm", `{"meta":{"id":"e"},"contact":{"id":"7"},"owner":{"id":"8"},"outcome":{"kind":"lost","reason":"own"}}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)},
			&eventv1.LeadReceived{ExternalId: "7", Outcome: &eventv1.Outcome{Kind: "lost", Rep: "8", Reason: "own"}},
		},
		{
			"an empty outcome", "form", `{"id":"e","email":"a@b.org","outcome":""}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)}, &eventv1.LeadReceived{Email: "a@b.org"},
		},
		{
			"history", "crm", `{"mode":"history","meta":{"id":"e","at":"2020-02-29T00:00:00Z"},"contact":{"id":"7"}}`, "",
			&eventv1.Event{Id: "e", Mode: eventv1.Mode_MODE_HISTORY, OccurredAt: event.Micros(time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC))},
			&eventv1.LeadReceived{ExternalId: "7"},
		},
		{
			"live in words", "form", `{"mode":"live","id":"e","external_id":"7"}`, "",
			&eventv1.Event{Id: "e", OccurredAt: event.Micros(noon)}, &eventv1.LeadReceived{ExternalId: "7"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := only(t, c.source, c.body, c.webhookID)
			if len(got.GetLeadReceived().GetContentHash()) != 32 {
				t.Errorf("content hash %x", got.GetLeadReceived().GetContentHash())
			}
			c.want.Source, c.want.RecordedAt = c.source, event.Micros(noon)
			if c.want.GetMode() == eventv1.Mode_MODE_UNSPECIFIED {
				c.want.Mode = eventv1.Mode_MODE_LIVE
			}
			c.lead.ContentHash = got.GetLeadReceived().GetContentHash()
			c.want.Body = &eventv1.Event_LeadReceived{LeadReceived: c.lead}
			if !proto.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestOccurredAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value string
		want  string // "" is refused
	}{
		{`"2026-01-31T09:00:00Z"`, "2026-01-31T09:00:00Z"},
		{`"2026-01-31T09:00:00.1234567+05:30"`, "2026-01-31T03:30:00.123456Z"},
		{`1772622000`, "2026-03-04T11:00:00Z"},
		{`"1772622000"`, "2026-03-04T11:00:00Z"},
		{`1772622000123`, "2026-03-04T11:00:00.123Z"},
		{`0`, "1970-01-01T00:00:00Z"},
		{`100000000000`, ""}, // seconds: the year 5138
		{`100000000001`, "1973-03-03T09:46:40.001Z"},
		{`null`, "2026-03-04T12:00:00Z"},
		{`""`, "2026-03-04T12:00:00Z"},
		{`"2026-01-31"`, ""},
		{`"2026-01-31T09:00:00"`, ""},
		{`"2026-02-30T09:00:00Z"`, ""},
		{`"yesterday"`, ""},
		{`1772622000.5`, ""},
		{`1e9`, ""},
		{`-1`, ""},
		{`1772622000123456`, ""},
		{`99999999999999999999`, ""},
		{`"1969-12-31T23:59:59Z"`, ""},
		{`"1970-01-01T00:30:00+01:00"`, ""},
		{`"2201-01-01T00:00:00Z"`, ""},
		{`true`, ""},
		{`{}`, ""},
	} {
		m, err := read(sourceOf(t, "form"), fmt.Sprintf(`{"id":"e","external_id":"x","occurred_at":%s}`, c.value), "", noon)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.want == "" && len(m.Refused) != 1:
			t.Errorf("%s: taken as %v", c.value, event.Time(m.Events[0].Event.GetOccurredAt()))
		case c.want != "" && len(m.Events) != 1:
			t.Errorf("%s: %s", c.value, m.Refused[0].Detail)
		case c.want != "":
			if got := event.Time(m.Events[0].Event.GetOccurredAt()).Format(time.RFC3339Nano); got != c.want {
				t.Errorf("%s: %s, want %s", c.value, got, c.want)
			}
		}
	}
}

// Each of these events is refused alone, with a sentence that repeats nothing of it.
func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("s", n) }
	for _, c := range []struct{ name, source, body string }{
		{"names nobody", "form", `{"id":"secret","name":"secret"}`},
		{"an address that is none", "form", `{"email":"secret at example.com"}`},
		{"a blank id of a person", "form", `{"external_id":"  "}`},
		{"no object", "form", `["secret"]`},
		{"an array for a text", "form", `{"external_id":"x","name":["secret"]}`},
		{"an object for an id", "form", `{"external_id":"x","id":{"secret":1}}`},
		{"a number that is none", "form", `{"external_id":"x","fields":{"employees":"secret"}}`},
		{"a number beyond all", "form", `{"external_id":"x","fields":{"employees":1e999}}`},
		{"a number below all", "form", `{"external_id":"x","fields":{"employees":-1e301}}`},
		{"no number at all", "form", `{"external_id":"x","fields":{"employees":"NaN"}}`},
		{"infinity", "form", `{"external_id":"x","fields":{"employees":"-Inf"}}`},
		{"a flag that is none", "form", `{"external_id":"x","fields":{"wants_call":"secret"}}`},
		{"a field that is an object", "form", `{"external_id":"x","fields":{"company":{"secret":1}}}`},
		{"a long id", "form", `{"external_id":"x","id":"` + long(maxID+1) + `"}`},
		{"a long id of a person", "form", `{"external_id":"` + long(maxID+1) + `"}`},
		{"a long address", "form", `{"external_id":"x","email":"` + long(321) + `"}`},
		{"a long name", "form", `{"external_id":"x","name":"` + long(maxText+1) + `"}`},
		{"a long phone", "form", `{"external_id":"x","phone":"` + long(65) + `"}`},
		{"a long field", "form", `{"external_id":"x","fields":{"company":"` + long(maxText+1) + `"}}`},
		{"history without leave", "form", `{"external_id":"x","mode":"history"}`},
		{"a mode that is none", "crm", `{"contact":{"id":"x"},"mode":"secret"}`},
		{"an outcome that is none", "form", `{"external_id":"x","outcome":"secret"}`},
		{"a rejection", "form", `{"external_id":"x","outcome":{"kind":"rejected"}}`},
		{"an outcome without a kind", "form", `{"external_id":"x","outcome":{"type":"won"}}`},
		{"an outcome that is a list", "form", `{"external_id":"x","outcome":["won"]}`},
		{"an outcome's kind that is an object", "form", `{"external_id":"x","outcome":{"kind":{}}}`},
	} {
		body := c.body
		if !strings.HasPrefix(body, "[") {
			body = "[" + body + "]"
		}
		m, err := read(sourceOf(t, c.source), body, "", noon)
		if err != nil || len(m.Refused) != 1 || len(m.Events) != 0 {
			t.Errorf("%s: %v, %d taken", c.name, err, len(m.Events))
			continue
		}
		if r := m.Refused[0]; r.Type != TypeEvent || r.Detail == "" || strings.Contains(r.Detail, "secret") || strings.Contains(r.Detail, "sss") {
			t.Errorf("%s: refused as %q: %q", c.name, r.Type, r.Detail)
		}
	}
}

// Who is named by nothing is told what was there, with the places as an agreement would have them.
func TestNobody(t *testing.T) {
	t.Parallel()
	jotform := strings.Replace(contract, "verify: {query: env:PAGE}\n    map: {", "verify: {query: env:PAGE}\n    map: {email: ['[~q\\d+_mail]', email], ", 1)
	for _, c := range []struct{ text, source, body, want string }{
		{contract, "form", `{"name":"Ada"}`, `nothing stands at "email" or "external_id"`},
		{contract, "form", `{"email":"","external_id":null}`, `nothing stands at "email" or "external_id"`},
		{contract, "form", `{"email":"ada at home"}`, `nothing stands at "external_id", and "email" is no e-mail address`},
		{contract, "form", `{"external_id":"  "}`, `nothing stands at "email", and "external_id" is blank`},
		{contract, "form", `{"email":"ada at home","external_id":" "}`, `"email" is no e-mail address, and "external_id" is blank`},
		{jotform, "page", `{"q7_mail":"ada at home"}`, `nothing stands at "external_id", and "[~q\d+_mail], else email" is no e-mail address`},
	} {
		a := parsed(t, c.text)
		source, _ := a.Source(c.source)
		m, err := read(New(a, source), c.body, "", noon)
		if err != nil || len(m.Refused) != 1 || m.Refused[0].Detail != "the event names nobody: "+c.want {
			t.Errorf("%s: %+v, %v", c.body, m.Refused, err)
		}
	}
}

func TestRefusedBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, body string }{
		{"a text", "form", `"secret"`},
		{"null", "form", `null`},
		{"no events", "form", `[]`},
		{"no events under their path", "crm", `{"batch":{"items":[]}}`},
		{"events that are none", "form", `{"events":"secret"}`},
		{"too many events", "form", "[" + strings.Repeat("{},", maxEvents) + "{}]"},
		{"a batch of Standard Webhooks", "standard", `[{"type":"x","data":{"email":"a@b.org"}}]`},
		{"a key twice", "form", `{"external_id":"x","secret":1,"secret":2}`},
	} {
		if _, err := read(sourceOf(t, c.source), c.body, "", noon); err == nil {
			t.Errorf("%s: taken", c.name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the body: %v", c.name, err)
		}
	}
}

// A source may point many fields at one long text; an event that grows too large so must not reach the log.
func TestLargeEvent(t *testing.T) {
	t.Parallel()
	var declared, paths string
	for i := range 20 {
		declared += fmt.Sprintf("\n  f%d: text", i)
		paths += fmt.Sprintf(", f%d: long", i)
	}
	text := strings.Replace(contract, "\n  company: text", "\n  company: text"+declared, 1)
	text = strings.Replace(text, "company: company.name}", "company: company.name"+paths+"}", 1)
	a := parsed(t, text)
	s, _ := a.Source("crm")
	m, err := read(New(a, s), `[{"contact":{"id":"1"},"long":"`+strings.Repeat("x", maxText)+`"},{"contact":{"id":"2"}}]`, "", noon)
	if err != nil || len(m.Refused) != 1 || m.Refused[0].Index != 0 || len(m.Events) != 1 {
		t.Errorf("%d taken, refused %v, %v", len(m.Events), m.Refused, err)
	}
}

func TestBatchKeepsItsGoodParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, body string }{
		{"an array", "form", `[{"id":"a","external_id":"1"},{"id":"b"},7,{"id":"d","external_id":"4"}]`},
		{"under its generic name", "form", `{"events":[{"id":"a","external_id":"1"},{"id":"b"},7,{"id":"d","external_id":"4"}]}`},
		{"under its mapped path", "crm", `{"batch":{"items":[{"meta":{"id":"a"},"contact":{"id":"1"}},{"meta":{"id":"b"}},7,{"meta":{"id":"d"},"contact":{"id":"4"}}]}}`},
	} {
		m, err := read(sourceOf(t, c.source), c.body, "", noon)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := fmt.Sprint(ids(m.Events)); got != "[a d]" {
			t.Errorf("%s: took %s, want [a d]", c.name, got)
		}
		if r := m.Refused; len(r) != 2 || r[0].Index != 1 || r[0].ID != "b" || r[1].Index != 2 {
			t.Errorf("%s: refused %+v", c.name, r)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	one, again := only(t, "form", `{"external_id":"1"}`, ""), only(t, "form", `{"external_id":"1"}`, "")
	if one.GetId() != again.GetId() || len(one.GetId()) != 64 {
		t.Errorf("identical bodies have the ids %q and %q", one.GetId(), again.GetId())
	}
	seen := map[string]string{one.GetId(): "first"}
	for name, e := range map[string]*eventv1.Event{
		"other bytes, same JSON": only(t, "form", `{"external_id": "1"}`, ""),
		"other source":           only(t, "signed", `{"external_id":"1"}`, ""),
	} {
		if other, ok := seen[e.GetId()]; ok {
			t.Errorf("%s and %s have one id", name, other)
		}
		seen[e.GetId()] = name
	}
	body := `[{"external_id":"1"},{"external_id":"1","id":"own"},{"external_id":"1","id":7}]`
	first := ""
	for range 2 {
		m, err := read(sourceOf(t, "form"), body, "", noon)
		if err != nil || len(m.Events) != 3 {
			t.Fatal(err, m.Refused)
		}
		got := ids(m.Events)
		if !strings.HasSuffix(got[0], ":0") || len(got[0]) != 66 || got[1] != "own" || got[2] != "7" {
			t.Errorf("a batch has the ids %q", got)
		}
		if first != "" && first != got[0] {
			t.Errorf("identical batches have the ids %q and %q", first, got[0])
		}
		first = got[0]
	}
}

func TestWebhookID(t *testing.T) {
	t.Parallel()
	h := http.Header{"Webhook-Id": {"msg_1"}}
	for source, want := range map[string]string{"standard": "msg_1", "standard-by-hmac": "", "form": "", "signed": ""} {
		if got := sourceOf(t, source).requestID(&Request{Header: h}); got != want {
			t.Errorf("%s believes the header's id %q, want %q", source, got, want)
		}
	}
	for name, id := range map[string]string{"long": strings.Repeat("x", maxID+1), "bad UTF-8": "msg_\xff"} {
		m, err := read(sourceOf(t, "standard"), `{"type":"x","data":{"email":"a@b.org"}}`, id, noon)
		if err != nil || len(m.Refused) != 1 {
			t.Errorf("%s: %v, %d taken", name, err, len(m.Events))
		}
	}
}

// What the event says counts for its content hash; when it came in does not.
func TestContentHash(t *testing.T) {
	t.Parallel()
	m := sourceOf(t, "form")
	hashOf := func(body string, now time.Time) []byte {
		got, err := read(m, body, "", now)
		if err != nil || len(got.Events) != 1 {
			t.Fatal(err, got.Refused)
		}
		return got.Events[0].Event.GetLeadReceived().GetContentHash()
	}
	const body = `{"id":"e","external_id":"1","fields":{"employees":3,"company":"x","wants_call":true}}`
	first := hashOf(body, noon)
	for i := range 50 { // maps have no order
		if !bytes.Equal(hashOf(body, noon.Add(time.Duration(i)*time.Hour)), first) {
			t.Fatal("a repetition has another hash")
		}
	}
	for _, other := range []string{
		`{"id":"e","external_id":"2","fields":{"employees":3,"company":"x","wants_call":true}}`,
		`{"id":"e","external_id":"1","fields":{"employees":4,"company":"x","wants_call":true}}`,
		`{"id":"e","external_id":"1","occurred_at":1,"fields":{"employees":3,"company":"x","wants_call":true}}`,
	} {
		if bytes.Equal(hashOf(other, noon), first) {
			t.Errorf("%s has the same hash", other)
		}
	}
}

// FuzzEvents: whatever a verified sender writes, no source panics, and what is taken can be packed and names somebody.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"id":"e1","type":"t","email":"a@b.org","fields":{"employees":"50","wants_call":true}}`), "msg")
	f.Add([]byte(`{"type":"x","timestamp":"2026-01-01T00:00:00Z","data":{"email":"a@b.org","outcome":{"kind":"won"}}}`), "\xff")
	f.Add([]byte(`{"batch":{"items":[{"contact":{"id":7}},{"meta":[]},0]}}`), "")
	f.Add([]byte(`{"events":[{"outcome":[],"mode":"history","occurred_at":-9223372036854775808}]}`), "x")
	var sources []*Source
	for _, source := range []string{"form", "standard", "standard-by-hmac", "crm"} {
		sources = append(sources, sourceOf(f, source))
	}
	f.Fuzz(func(t *testing.T, body []byte, webhookID string) {
		for _, m := range sources {
			got, err := read(m, string(body), webhookID, noon)
			if err != nil {
				continue
			}
			if len(got.Events)+len(got.Refused) == 0 {
				t.Error("neither taken nor refused")
			}
			for _, one := range got.Events {
				e := one.Event
				var back eventv1.Event
				if err := proto.Unmarshal(one.Wire, &back); err != nil || !proto.Equal(&back, e) || len(one.Wire) > maxEvent {
					t.Errorf("%d bytes say %v of %v, %v", len(one.Wire), &back, e, err)
				}
				if e.GetId() == "" || one.Key == "" || one.Key != lead.Identify(e.GetSource(), e.GetLeadReceived().GetEmail(), e.GetLeadReceived().GetExternalId())[0] {
					t.Error("an event without an id or a person: " + strconv.Quote(e.GetId()))
				}
			}
		}
	})
}
