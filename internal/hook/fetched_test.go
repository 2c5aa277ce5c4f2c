package hook

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// thinSource is HubSpot's app, with or without a token to fetch with.
func thinSource(t *testing.T, token string) *Source {
	t.Helper()
	text := strings.Replace(presetsText(t), "  hubspot-app: {preset: hubspot-app,", "  hubspot-app: {preset: hubspot-app,"+token, 1)
	a := parsed(t, text)
	src, ok := a.Source("hubspot-app")
	if !ok {
		t.Fatal("no such source")
	}
	return New(a, src)
}

const token = " fetch: {token: env:TOKEN},"

func TestOnlyWhoHasATokenFetches(t *testing.T) {
	t.Parallel()
	body := `[{"eventId":1,"subscriptionId":9,"portalId":7,"occurredAt":1767225600000,"subscriptionType":"contact.creation","objectId":501}]`
	for with, want := range map[string]string{"": "", token: "hubspot-contact"} {
		read, err := thinSource(t, with).Read(&Request{Method: "POST", Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(body)}, noon)
		if err != nil || len(read.Events) != 1 {
			t.Fatalf("%+v, %v", read, err)
		}
		var sent eventv1.Event
		if err := proto.Unmarshal(read.Events[0].Wire, &sent); err != nil {
			t.Fatal(err)
		}
		if lr := sent.GetLeadReceived(); lr.GetFetch() != want || lr.GetExternalId() != "501" || lr.GetEmail() != "" {
			t.Errorf("with%q: %v", with, lr)
		}
	}
}

func TestFetched(t *testing.T) {
	t.Parallel()
	s := thinSource(t, token)
	thin := &eventv1.Event{
		Id: "e1", Source: "hubspot-app", OccurredAt: 1_767_225_600_000_000, RecordedAt: 1_767_225_601_000_000, Mode: eventv1.Mode_MODE_LIVE,
		Body: &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{Kind: "contact.creation", ExternalId: "501", Fetch: "hubspot-contact"}},
	}
	for _, want := range []string{"hs_email_optout", "email", "firstname", "lastname", "phone", "company", "numemployees", "lifecyclestage", "industry", "utm_source"} {
		if !slices.Contains(s.Asks(), want) {
			t.Errorf("%s is not asked for: %v", want, s.Asks())
		}
	}
	for name, c := range map[string]struct {
		found string
		at    time.Time
		fails bool
	}{
		"changed later":     {`{"id":"501","properties":{"email":"lea@example.com","numemployees":"30"},"updatedAt":"2026-01-02T00:00:00Z"}`, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), false},
		"without its time":  {`{"id":"501","properties":{"email":"lea@example.com","numemployees":"30"}}`, event.Time(thin.GetOccurredAt()), false},
		"a number of words": {`{"properties":{"numemployees":"thirty"}}`, time.Time{}, true},
		"a list":            {`[{"properties":{"email":"lea@example.com"}}]`, time.Time{}, true},
		"cut off":           {`{"properties":{"email":"lea@exam`, time.Time{}, true},
		"nothing":           {``, time.Time{}, true},
	} {
		e, err := s.Fetched(thin, []byte(c.found), noon)
		if c.fails {
			if err == nil || strings.Contains(err.Error(), "lea@") || strings.Contains(err.Error(), "thirty") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		lr := e.Event.GetLeadReceived()
		if e.Event.GetId() != "fetch:e1" || e.Event.GetSource() != "hubspot-app" || e.Event.GetOccurredAt() != event.Micros(c.at) || e.Event.GetRecordedAt() != event.Micros(noon) ||
			lr.GetEmail() != "lea@example.com" || lr.GetExternalId() != "501" || lr.GetKind() != FetchedKind || lr.GetFetch() != "" || lr.GetFields()["employees"].GetNumber() != 30 {
			t.Errorf("%s: %v", name, e.Event)
		}
	}
	thin.Id = strings.Repeat("x", maxID)
	if e, err := s.Fetched(thin, []byte(`{}`), noon); err != nil || len(e.Event.GetId()) > maxID || !strings.HasPrefix(e.Event.GetId(), "fetch:") {
		t.Errorf("a long id becomes %q, %v", e.Event.GetId(), err)
	}
}
