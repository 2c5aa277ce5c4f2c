package rehearsal_test

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/rehearsal"
)

var at = time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)

// question asks about a body to the test agreement's source website, after it was changed.
func question(t *testing.T, body string, change func(*agreement.Source)) rehearsal.Question {
	t.Helper()
	a, faults := agreement.Parse("agreement.yaml", apptest.Agreement)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s, ok := a.Source("website")
	if !ok {
		t.Fatal("no source website")
	}
	if change != nil {
		change(&s)
	}
	r, err := rehearsal.Request("https://leads.example.com", s.Name, nil, nil, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return rehearsal.Question{Agreement: a, Source: s, Request: r, Secret: apptest.Secret, At: at}
}

func place(t *testing.T, path string) preset.Place {
	t.Helper()
	p, err := preset.At(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFacts: everything that an event can say is told, with where it comes from.
func TestFacts(t *testing.T) {
	t.Parallel()
	q := question(t, `{"what":"deal.won","at":"2026-11-01T08:00:00+01:00","mail":"a@b.org","no":7,"who":"Ada","tel":"1","url":"/prices","hand_raiser":true,
		"by":"ana","because":"price","how":"history","sure":0.5,"consent":{"contact":true},"mail_ok":"no"}`, func(s *agreement.Source) {
		s.History = true
		s.Map.Kind, s.Map.OccurredAt, s.Map.Email = place(t, "what"), place(t, "at"), place(t, "mail")
		s.Map.ExternalID, s.Map.Name, s.Map.Phone, s.Map.Rep = place(t, "no"), place(t, "who"), place(t, "tel"), place(t, "by")
		s.Map.Reason, s.Map.Mode, s.Map.Confidence = place(t, "because"), place(t, "how"), place(t, "sure")
		s.Map.Consent = map[string]preset.Place{"newsletter": place(t, "mail_ok")}
		s.Map.Withdrawals = map[string]string{"deal.won": "calls"}
		s.Map.Fields, s.Map.Outcomes = map[string]preset.Place{"landing_page": place(t, "url")}, map[string]string{"deal.won": "won"}
	})
	answer, err := rehearsal.Ask(q)
	if err != nil || !answer.Taken() || len(answer.Events) != 1 || len(answer.Empty) != 0 {
		t.Fatalf("%+v, %v", answer, err)
	}
	want := []rehearsal.Fact{
		{Name: "id", Value: answer.Events[0].ID, From: "the sum of source and body: two that are alike are one event"},
		{Name: "kind", Value: "deal.won", From: "what"},
		{Name: "occurred_at", Value: "2026-11-01T07:00:00Z", From: "at"},
		{Name: "mode", Value: "history", From: "how"},
		{Name: "email", Value: "a@b.org", From: "mail"},
		{Name: "external_id", Value: "7", From: "no"},
		{Name: "name", Value: "Ada", From: "who"},
		{Name: "phone", Value: "1", From: "tel"},
		{Name: "channel", Value: "organic", From: "the source's own"},
		{Name: "fields.hand_raiser", Value: true, From: "hand_raiser"},
		{Name: "fields.landing_page", Value: "/prices", From: "url"},
		{Name: "consent.contact", Value: true, From: "consent.contact"},
		{Name: "consent.newsletter", Value: false, From: "mail_ok"},
		{Name: "consent.calls", Value: false, From: "the kind, by grants and withdrawals"},
		{Name: "confidence", Value: 0.5, From: "sure"},
		{Name: "outcome", Value: "won", From: "the kind, by outcomes"},
		{Name: "rep", Value: "ana", From: "by"},
		{Name: "reason", Value: "price", From: "because"},
	}
	if got := answer.Events[0].Facts; !slices.Equal(got, want) {
		t.Errorf("%v\nnot %v", got, want)
	}
}

// TestLeftOut: what the preset leaves out is told in its words, and is no refusal.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	q := question(t, `[{"id":"a","email":"a@b.org","test":"yes"},{"id":"b","type":"other","email":"b@b.org"},{"id":"c","email":"c@b.org","type":"lead"},{"id":"d","type":"lead"}]`,
		func(s *agreement.Source) {
			s.Map.Skip = []preset.Test{{At: place(t, "test"), Is: []string{"yes"}, Why: "it is a test"}}
			s.Map.Only = []preset.Test{{At: preset.Place{place(t, "type")[0], place(t, "=lead")[0]}, Is: []string{"lead"}, Why: "it is no lead"}}
		})
	answer, err := rehearsal.Ask(q)
	if err != nil || !answer.Taken() || len(answer.Events) != 1 || answer.Events[0].ID != "c" {
		t.Fatalf("%+v, %v", answer, err)
	}
	if want := []hook.Omission{{Index: 0, Why: "it is a test"}, {Index: 1, Why: "it is no lead"}}; !slices.Equal(answer.Omitted, want) {
		t.Errorf("left out: %v", answer.Omitted)
	}
	if len(answer.Bad) != 1 || answer.Bad[0].Index != 3 {
		t.Errorf("refused: %v", answer.Bad)
	}
	var text bytes.Buffer
	if err := answer.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  result    taken: 1 event, 1 refused, 2 left out\n", "  left out  event 1: it is a test\n", "  left out  event 2: it is no lead\n",
		"  refused   event 4, d: the event names nobody", "  empty     hand_raiser, landing_page\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, text.String())
		}
	}
	q.Request.Body = []byte(`{"id":"a","email":"a@b.org","test":"yes"}`)
	if answer, err := rehearsal.Ask(q); err != nil || !answer.Taken() || len(answer.Events) != 0 || len(answer.Omitted) != 1 {
		t.Errorf("alone: %+v, %v", answer, err)
	}
}

// TestProofs: each kind is checked when the request brings it, by any of the secrets.
func TestProofs(t *testing.T) {
	t.Parallel()
	for _, p := range []preset.Proof{
		{Kind: preset.HMAC, Header: "X-Signature"}, {Kind: preset.Bearer}, {Kind: preset.Basic}, {Kind: preset.Header, Header: "X-Key"},
		{Kind: preset.Query}, {Kind: preset.Body, Path: place(t, "key")}, {Kind: preset.StandardWebhook},
	} {
		q := question(t, `{"email":"a@b.org"}`, func(s *agreement.Source) {
			s.Verify = agreement.Verify{Proof: p, Secrets: []string{"env:NEW", "env:OLD"}}
		})
		q.Secret = func(ref string) (string, error) {
			if p.Kind == preset.StandardWebhook {
				return map[string]string{"env:NEW": "whsec_bmV3", "env:OLD": "whsec_b2xk"}[ref], nil
			}
			return "user:" + ref, nil
		}
		asked := func(what string) rehearsal.Answer {
			t.Helper()
			answer, err := rehearsal.Ask(q)
			if err != nil {
				t.Fatalf("%s, %s: %v", p.Kind, what, err)
			}
			return answer
		}
		if answer := asked("unsigned"); answer.Proof.Checked != (p.Kind == preset.Body) || answer.Taken() == answer.Proof.Checked {
			t.Errorf("%s, unsigned: %+v", p.Kind, answer.Proof)
		}
		old, err := q.Secret("env:OLD")
		if err != nil {
			t.Fatal(err)
		}
		if err := hook.Sign(p, old, q.Request, at); err != nil {
			t.Fatal(err)
		}
		if answer := asked("signed with the old one"); !answer.Proof.Holds || !answer.Taken() {
			t.Errorf("%s, signed: %+v", p.Kind, answer.Proof)
		}
		q.Secret = func(string) (string, error) {
			return map[bool]string{true: "whsec_b3RoZXI=", false: "user:other"}[p.Kind == preset.StandardWebhook], nil
		}
		if answer := asked("signed with none"); !answer.Proof.Checked || answer.Proof.Holds || answer.Taken() || len(answer.Events) != 1 {
			t.Errorf("%s, with other secrets: %+v", p.Kind, answer)
		}
		q.Secret = func(string) (string, error) { return "", errors.New("it is not set") }
		if _, err := rehearsal.Ask(q); err == nil || !strings.Contains(err.Error(), "--unsigned") {
			t.Errorf("%s, without secrets: %v", p.Kind, err)
		}
		q.Unsigned = true
		if answer := asked("left out"); answer.Proof.Checked || !answer.Taken() {
			t.Errorf("%s, left out: %+v", p.Kind, answer.Proof)
		}
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		formats []preset.Format
		body    string
		want    string
	}{
		{[]preset.Format{preset.JSON}, ` {"a":1}`, "application/json"},
		{[]preset.Format{preset.JSON}, `no json`, "application/json"},
		{[]preset.Format{preset.Form, preset.JSON}, `[1]`, "application/json"},
		{[]preset.Format{preset.Form, preset.JSON}, `a=1`, "application/x-www-form-urlencoded"},
		{[]preset.Format{preset.Form}, `{"a":1}`, "application/x-www-form-urlencoded"},
		{[]preset.Format{preset.JSON, preset.Form}, `a=1`, "application/x-www-form-urlencoded"},
		{[]preset.Format{preset.Form, preset.JSON}, "--a b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--a b--", `multipart/form-data; boundary="a b"`},
		{[]preset.Format{preset.JSON, preset.Form}, "------x7\nContent-Disposition: form-data; name=x", "multipart/form-data; boundary=----x7"},
		{[]preset.Format{preset.Form}, "--", "application/x-www-form-urlencoded"},
		{[]preset.Format{preset.JSON}, "--a\r\n", "application/json"},
		{[]preset.Format{preset.XML}, `<a/>`, "text/xml"},
		{[]preset.Format{preset.XML}, ``, "text/xml"},
		{[]preset.Format{preset.CloudEvents}, `{}`, "application/cloudevents+json"},
		{[]preset.Format{preset.CloudEvents}, `[{}]`, "application/cloudevents-batch+json"},
	} {
		if got := rehearsal.Media(c.formats, []byte(c.body)); got != c.want {
			t.Errorf("%v, %q: %q, not %q", c.formats, c.body, got, c.want)
		}
	}
}

// TestTerminal: nothing that a sender wrote commands the terminal or fills it.
func TestTerminal(t *testing.T) {
	t.Parallel()
	q := question(t, `{"id":"a\u001b[2J\u202e","email":"a@b.org","name":"`+strings.Repeat("ä", 500)+`","phone":"1\r\n2"}`, nil)
	answer, err := rehearsal.Ask(q)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := answer.Write(&text); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\r\u202e") || strings.Contains(text.String(), strings.Repeat("ä", 61)) || !strings.Contains(text.String(), "1  2") {
		t.Errorf("%q", text.String())
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	r, err := rehearsal.Request("https://h/base/", "crm", []string{"X-Key: a: b", "x-key:c"}, []string{"a=1 &", "b=", "a=2"}, nil)
	if err != nil || r.URI != "https://h/base/v1/hooks/crm?a=1+%26&b=&a=2" || !slices.Equal(r.Header["X-Key"], []string{"a: b", "c"}) ||
		!slices.Equal(r.Query["a"], []string{"1 &", "2"}) || r.Method != http.MethodPost {
		t.Errorf("%+v, %v", r, err)
	}
	for _, c := range []struct{ origin, header, param string }{
		{"h", "a: b", "a=b"}, {"https://u:p@h", "a: b", "a=b"}, {"https://h", "hunter2", "a=b"}, {"https://h", ": hunter2", "a=b"},
		{"https://h", "a: b", "hunter2"}, {"https://h", "a: b", "=hunter2"},
	} {
		if _, err := rehearsal.Request(c.origin, "crm", []string{c.header}, []string{c.param}, nil); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v", c, err)
		}
	}
}
