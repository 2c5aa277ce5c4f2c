package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/preset"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// everyPreset is an agreement with a source of each preset, that bears the preset's name.
func everyPreset(t testing.TB) *agreement.Agreement {
	t.Helper()
	return parsed(t, presetsText(t))
}

func presetOf(t testing.TB, name string) preset.Preset {
	t.Helper()
	p, err := preset.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func presetsText(t testing.TB) string {
	t.Helper()
	var sources strings.Builder
	for _, name := range preset.Names() {
		accounts := ""
		if presetOf(t, name).Closed {
			accounts = ", accounts: [00D000000000062EAA]"
		}
		fmt.Fprintf(&sources, "  %s: {preset: %s, secret: env:SECRET, channel: web%s}\n", name, name, accounts)
	}
	return strings.Replace(`
title: Presets
version: "1"
parties: {marketing: Mara Lind, sales: Theo Brandt}
fields:
  first_name: text
  last_name: text
  company: text
  job_title: text
  employees: number
  industry: text
  country: text
  city: text
  website: text
  wants_call: flag
  utm_source: text
  utm_campaign: text
  tag: text
  tags: text
  gclid: text
  interests: text
  timing: text
  eula: text
channels: [web, organic, cpc, paid]
consent: {purposes: [email, phone, sms]}
sources:
SOURCES
`+funnel, "SOURCES", strings.TrimRight(sources.String(), "\n"), 1)
}

// post has a body read by the source of a preset, at noon.
func post(t testing.TB, a *agreement.Agreement, name, contentType, body string) (Read, error) {
	t.Helper()
	s, ok := a.Source(name)
	if !ok {
		t.Fatalf("no source %q", name)
	}
	return New(a, s).Read(&Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}, noon)
}

// TestSamples holds what becomes of each preset's sample to a file. LEADPACT_UPDATE=1 writes the files anew.
func TestSamples(t *testing.T) {
	t.Parallel()
	a := everyPreset(t)
	for _, name := range preset.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, contentType, err := preset.Sample(name)
			if err != nil {
				t.Fatal(err)
			}
			read, err := post(t, a, name, contentType, string(body))
			if err != nil {
				t.Fatal(err)
			}
			if len(read.Events) == 0 || len(read.Refused) > 0 {
				t.Errorf("%d events, refused %v", len(read.Events), read.Refused)
			}
			got, file := told(t, read), filepath.Join("testdata", "presets", name+".txt")
			if os.Getenv("LEADPACT_UPDATE") != "" {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v; LEADPACT_UPDATE=1 go test ./internal/hook -run TestSamples writes it", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs:\n%s", file, got)
			}
		})
	}
}

// told is what was read of a body, for people.
func told(t testing.TB, read Read) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, e := range read.Events {
		when := "when it came in"
		if e.Event.GetOccurredAt() != event.Micros(noon) {
			when = event.Time(e.Event.GetOccurredAt()).Format(time.RFC3339Nano)
		}
		fmt.Fprintf(&out, "id           %s\noccurred at  %s\n", e.Event.GetId(), when)
		lead := proto.CloneOf(e.Event.GetLeadReceived())
		lead.ContentHash = nil
		text, err := protojson.Marshal(lead)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&out, text, "", "  "); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n\n")
	}
	for _, r := range read.Refused {
		fmt.Fprintf(&out, "refused %d: %s\n", r.Index, r.Detail)
	}
	fmt.Fprintf(&out, "skipped: %d\n", read.Skipped)
	return out.Bytes()
}

// What senders do that a reader stumbles over. want is one line for each event: id, kind, who, outcome, and what else the row is about.
func TestTraps(t *testing.T) {
	t.Parallel()
	const (
		form    = "application/x-www-form-urlencoded"
		asJSON  = "application/json"
		soap    = "text/xml; charset=utf-8"
		deal    = `{"meta":{"action":"change","entity":"deal","entity_id":"%s","timestamp":"2026-03-04T09:00:00Z"},"data":%s,"previous":{}}`
		invitee = `{"event":"invitee.canceled","created_at":"2026-03-04T09:00:00.000000Z","payload":{"email":"a@example.com","name":null,"uri":"u/1","rescheduled":%s,"tracking":{"utm_medium":null}}}`
		person  = `{"vid":7,"properties":{"email":{"value":"a@example.com"},"company":{"value":""},%s"lastmodifieddate":{"value":"1772614800000"}}}`
		report  = `{"event_id":"e","object_type":"%s","metric":"%s","timestamp":%s,"data":{"identifiers":{"id":"7"},"recipient":"%s"}}`
		record  = `<Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Body><notifications><OrganizationId>%s</OrganizationId>` +
			`<Notification><Id>n1</Id><sObject xsi:type="sf:%s">%s</sObject></Notification></notifications></Body></Envelope>`
		ours = "00D000000000062EAA"
	)
	a := everyPreset(t)
	for _, c := range []struct{ name, preset, media, body, want string }{
		{"null wipes nothing", "calendly", asJSON, fmt.Sprintf(invitee, "false"), "invitee.canceled:u/1 invitee.canceled a@example.com web at 09:00:00"},
		{"a meeting that is moved", "calendly", asJSON, fmt.Sprintf(invitee, "true"), "skipped 1"},
		{"a routing form", "calendly", asJSON, `{"event":"routing_form_submission.created","payload":{}}`, "skipped 1"},
		{"one event without its list", "mautic", asJSON,
			`{"mautic.form_on_submit":{"submission":{"id":34,"ipAddress":[],"form":{},"lead":{"id":26},"results":{"email":"a@example.com"}}},"timestamp":"2026-03-04T09:00:00+01:00"}`,
			"mautic.form_on_submit:34 mautic.form_on_submit a@example.com 26 web at 08:00:00"},
		{"an address that is none, beside an id", "mautic", asJSON,
			`{"mautic.form_on_submit":[{"submission":{"id":35,"lead":{"id":27},"results":{"email":"a@example.com."}}}]}`,
			"mautic.form_on_submit:35 mautic.form_on_submit a@example.com. 27 web"},
		{"an address that bounced", "mautic", asJSON,
			`{"mautic.lead_channel_subscription_changed":[{"contact":{"id":5},"channel":"email","new_status":"bounced","timestamp":"2026-03-04T09:00:00+00:00"}]}`,
			"mautic.lead_channel_subscription_changed:5:email:2026-03-04T09:00:00+00:00 mautic.lead_channel_subscription_changed email bounced 5 web at 09:00:00"},
		{"a contact that is gone", "mautic", asJSON, `{"mautic.lead_post_delete":[{"id":7,"timestamp":"2026-03-04T09:00:00+01:00"}]}`, "skipped 1"},
		{"a test lead", "google-ads", asJSON, `{"lead_id":"t","user_column_data":[{"column_id":"EMAIL","string_value":"a@example.com"}],"is_test":true}`, "skipped 1"},
		{"no column_id, and a telephone number alone", "google-ads", asJSON,
			`{"lead_id":"g1","form_id":9007199254740993,"user_column_data":[{"column_name":"PHONE_NUMBER","string_value":"+49 30 1"},{"column_name":"What age?","string_value":"x"}],"is_test":false}`,
			"g1 lead_form_submitted g1 web tel +49 30 1"},
		{"ids above 2^53", "hubspot-app", asJSON,
			`[{"eventId":9007199254740993,"subscriptionId":1,"occurredAt":1772614800000,"subscriptionType":"contact.creation","objectId":9007199254740995}]`,
			"9007199254740993:1:1772614800000 contact.creation 9007199254740995 web at 09:00:00"},
		{"a deal of HubSpot's", "hubspot-app", asJSON, `[{"eventId":1,"subscriptionId":1,"occurredAt":1,"subscriptionType":"deal.creation","objectId":5}]`, "skipped 1"},
		{"another object under the newer name", "hubspot-app", asJSON,
			`[{"eventId":1,"subscriptionId":1,"occurredAt":1,"subscriptionType":"object.creation","objectTypeId":"0-3","objectId":5}]`, "skipped 1"},
		{"an opt-out", "hubspot-workflow", asJSON, fmt.Sprintf(person, `"hs_email_optout":{"value":"true"},`),
			"7:1772614800000 hubspot_workflow a@example.com 7 web forbids email at 09:00:00"},
		{"no opt-out is no consent", "hubspot-workflow", asJSON, fmt.Sprintf(person, `"hs_email_optout":{"value":"false"},`),
			"7:1772614800000 hubspot_workflow a@example.com 7 web at 09:00:00"},
		{"an empty company is no object", "hubspot-workflow", asJSON, fmt.Sprintf(person, ""), "7:1772614800000 hubspot_workflow a@example.com 7 web at 09:00:00"},
		{"a lead status beside a stage that means nothing", "hubspot-workflow", asJSON,
			fmt.Sprintf(person, `"lifecyclestage":{"value":"lead"},"hs_lead_status":{"value":"UNQUALIFIED"},`),
			"7:1772614800000 hubspot_workflow a@example.com 7 web lost at 09:00:00"},
		{"the keys that were chosen", "hubspot-workflow", asJSON, `{"email":"a@example.com","hs_object_id":"8","lastmodifieddate":"1772614800000","lifecyclestage":"customer"}`,
			"8:1772614800000 hubspot_workflow a@example.com 8 web won at 09:00:00"},
		{"commas in tags, a plus in a number", "activecampaign", form,
			"type=contact_tag_added&date_time=2026-03-04T03%3A00%3A00-06%3A00&contact%5Bid%5D=9&contact%5Bemail%5D=a%40example.com&contact%5Bphone%5D=%2B1+555" +
				"&contact%5Btags%5D=%5BA%5D+one%2C+%5BB%5D+two",
			"sum contact_tag_added a@example.com 9 web tel +1 555 at 09:00:00 tags=[A] one, [B] two"},
		{"a custom field by its name", "activecampaign", form, "contact%5Bid%5D=9&contact%5Bemail%5D=a%40example.com&contact%5Bfields%5D%5Beula%5D=%7C%7CYes%7C%7C",
			"sum automation a@example.com 9 web eula=||Yes||"},
		{"an unsubscription", "activecampaign", form, "type=unsubscribe&contact%5Bid%5D=9", "sum unsubscribe 9 web forbids email"},
		{"a deal that was won", "activecampaign", form, "type=deal_update&deal%5Bid%5D=1&deal%5Bstatus%5D=1&deal%5Bcontactid%5D=9&deal%5Bcontact_email%5D=a%40example.com",
			"sum deal_update a@example.com 9 web won"},
		{"a deal's own number is nobody", "pipedrive", asJSON, fmt.Sprintf(deal, "812", `{"id":812,"person_id":null,"status":"won"}`), "skipped 1"},
		{"no data at all", "pipedrive", asJSON, fmt.Sprintf(deal, "812", `{}`), "skipped 1"},
		{"a deal's person", "pipedrive", asJSON, fmt.Sprintf(deal, "812", `{"id":812,"person_id":4022,"status":"won"}`),
			"deal:812:change:2026-03-04T09:00:00Z change deal 4022 web won at 09:00:00"},
		{"an open deal", "pipedrive", asJSON, fmt.Sprintf(deal, "812", `{"id":812,"person_id":4022,"status":"open"}`),
			"deal:812:change:2026-03-04T09:00:00Z change deal 4022 web at 09:00:00"},
		{"a person of version 1", "pipedrive", asJSON,
			`{"v":1,"event":"added.person","meta":{"action":"added","object":"person","id":10,"timestamp":1772614800,"timestamp_micro":1772614800000001},
			  "current":{"id":10,"name":"A B","email":[{"value":"b@example.com","primary":false},{"value":"a@example.com","primary":true}]}}`,
			"added.person:10:1772614800000001 added.person a@example.com 10 web at 09:00:00"},
		{"a finished call", "pipedrive", asJSON,
			`{"meta":{"action":"change","entity":"activity","entity_id":"3","timestamp":"2026-03-04T09:00:00Z"},"data":{"id":3,"person_id":4,"type":"call","done":true}}`,
			"activity:3:change:2026-03-04T09:00:00Z change activity 4 web attempt at 09:00:00"},
		{"a time with blanks in it", "typeform", asJSON,
			`{"event_id":"e","event_type":"form_response","form_response":{"submitted_at":"2026-03-04T09: 00: 00Z","answers":[{"type":"email","email":"a@example.com"}]}}`,
			"refused occurred_at"},
		{"an address in a text", "typeform", asJSON,
			`{"event_id":"e","event_type":"form_response","form_response":{"answers":[{"type":"text","text":"a@example.com","field":{"ref":"q"}}]}}`, "refused names nobody"},
		{"an answer that is not finished", "typeform", asJSON, `{"event_id":"e","event_type":"form_response_partial","form_response":{"hidden":{"email":"a@example.com"}}}`, "skipped 1"},
		{"a medium that is no channel", "typeform", asJSON,
			`{"event_id":"e","event_type":"form_response","form_response":{"hidden":{"email":"a@example.com","utm_medium":"carrier-pigeon"}}}`, "e form_response a@example.com web"},
		{"a medium that is one", "typeform", asJSON,
			`{"event_id":"e","event_type":"form_response","form_response":{"hidden":{"email":"a@example.com","utm_medium":"cpc"}}}`, "e form_response a@example.com cpc"},
		{"a visitor without a name", "segment", asJSON, `{"type":"track","event":"Seen","messageId":"m","anonymousId":"x","userId":null}`, "skipped 1"},
		{"a batch", "segment", asJSON,
			`[{"type":"identify","messageId":"m1","userId":"u1"},{"type":"group","messageId":"m2","userId":"u1"},{"type":"page","messageId":"m3","anonymousId":"x"}]`,
			"m1 identify u1 web; skipped 2"},
		{"a batch under its name", "segment", asJSON, `{"batch":[{"type":"track","event":"Asked","messageId":"m1","userId":"u1"}]}`, "m1 Asked u1 web"},
		{"what is no call at all", "segment", asJSON, `{"type":"s","user_name":"a@example.com","_id":"x"}`, "refused names nobody"},
		{"a company that is an object", "segment", asJSON, `{"type":"identify","messageId":"m1","userId":"u1","traits":{"company":{"id":7}}}`, "m1 identify u1 web"},
		{"what was sent", "customerio", asJSON, fmt.Sprintf(report, "email", "sent", "1772614800", "a@example.com"), "skipped 1"},
		{"a message to colleagues", "customerio", asJSON, fmt.Sprintf(report, "slack", "clicked", "1772614800", "#leads"), "skipped 1"},
		{"spam, says a reader", "customerio", asJSON, fmt.Sprintf(report, "email", "spammed", "1772614800", "a@example.com"), "e email spammed a@example.com 7 web forbids email at 09:00:00"},
		{"a recipient that is a number", "customerio", asJSON, fmt.Sprintf(report, "sms", "clicked", `"1772614800"`, "+1 555"), "e sms clicked 7 web tel +1 555 at 09:00:00"},
		{"no time", "customerio", asJSON, fmt.Sprintf(report, "email", "clicked", `"abc"`, "a@example.com"), "refused occurred_at"},
		{"a foreign organization", "salesforce", soap, fmt.Sprintf(record, "00D000000000666EAA", "Lead", "<Id>1</Id><Email>a@example.com</Email>"), "account"},
		{"a deal that is open", "salesforce", soap, fmt.Sprintf(record, ours, "Opportunity", "<Id>1</Id><ContactId>3</ContactId><IsClosed>false</IsClosed><IsWon>false</IsWon><StageName>Talks</StageName>"),
			"n1 Opportunity 3 web qualified"},
		{"a deal that was lost", "salesforce", soap, fmt.Sprintf(record, ours, "Opportunity", "<Id>1</Id><ContactId>3</ContactId><StageName>Closed Lost</StageName>"), "n1 Opportunity 3 web lost"},
		{"a deal without anybody", "salesforce", soap, fmt.Sprintf(record, ours, "Opportunity", "<Id>1</Id><ContactId xsi:nil=\"true\"/><StageName>Closed Won</StageName>"), "skipped 1"},
		{"a lead whose status is the house's own", "salesforce", soap, fmt.Sprintf(record, ours, "Lead", "<Id>1</Id><Email>a@example.com</Email><Status>Warm</Status>"), "n1 Lead a@example.com 1 web"},
		{"a finished call of Salesforce's", "salesforce", soap, fmt.Sprintf(record, ours, "Task", "<Id>1</Id><WhoId>2</WhoId><TaskSubtype>Call</TaskSubtype><Status>Completed</Status>"), "n1 Task 2 web attempt"},
		{"who wants no calls", "salesforce", soap, fmt.Sprintf(record, ours, "Lead", "<Id>1</Id><Email>a@example.com</Email><DoNotCall>true</DoNotCall><HasOptedOutOfEmail>false</HasOptedOutOfEmail>"),
			"n1 Lead a@example.com 1 web forbids phone"},
		{"an object of their own", "salesforce", soap, fmt.Sprintf(record, ours, "Ship__c", "<Id>1</Id><Email>a@example.com</Email>"), "skipped 1"},
		{"a ping", "intercom", asJSON, `{"type":"notification_event","topic":"ping","id":null,"data":{"item":{"type":"ping"}}}`, "skipped 1"},
		{"one who unsubscribed", "intercom", asJSON,
			`{"topic":"contact.unsubscribed","id":"n","created_at":1772614800,"data":{"item":{"type":"contact_unsubscribe","contact":{"type":"contact","id":"6","email":"a@example.com"}}}}`,
			"n contact.unsubscribed a@example.com 6 web forbids email at 09:00:00"},
		{"one whom his own flag contradicts", "intercom", asJSON,
			`{"topic":"contact.subscribed","id":"n","data":{"item":{"type":"contact","id":"6","unsubscribed_from_emails":true}}}`, "n contact.subscribed 6 web forbids email"},
		{"one who came back", "intercom", asJSON,
			`{"topic":"contact.subscribed","id":"n","data":{"item":{"type":"contact","id":"6","unsubscribed_from_emails":false}}}`, "n contact.subscribed 6 web allows email"},
		{"a conversation's own number is nobody", "intercom", asJSON,
			`{"topic":"conversation.user.created","id":"n","data":{"item":{"type":"conversation","id":"99","source":{"author":{"type":"admin","email":"us@example.com"}},
			  "contacts":{"contacts":[{"id":"6"}]}}}}`, "n conversation.user.created 6 web"},
		{"several leads in one request", "meta", asJSON,
			`{"entry":[{"changes":[{"field":"leadgen","value":{"leadgen_id":"1","created_time":1772614800}},{"field":"feed","value":{}}]},
			  {"changes":[{"field":"leadgen","value":{"leadgen_id":6276465415920,"created_time":1772614800}}]}]}`,
			"1 leadgen 1 web at 09:00:00; 6276465415920 leadgen 6276465415920 web at 09:00:00; skipped 1"},
		{"a lead that is gone", "linkedin", asJSON, `{"type":"LEAD_ACTION","leadGenFormResponse":"urn:1","leadAction":"DELETED","occurredAt":1}`, "skipped 1"},
		{"lists of one", "zapier", asJSON, `{"id":["z"],"email":["a@example.com"],"first_name":["A"],"company":["Acme"],"employees":["50"]}`,
			"z  a@example.com web company=Acme employees=50 first_name=A"},
		{"several answers", "unbounce", form, "data.json=" + `%7B%22email%22%3A%5B%22a%40example.com%22%5D%2C%22interests%22%3A%5B%22x%22%2C%22y%22%5D%7D`,
			"sum form_submitted a@example.com web interests=x, y"},
		{"names with and without the number", "jotform", form,
			"submissionID=5&rawRequest=" + `%7B%22q3_name%22%3A%7B%22first%22%3A%22A%22%2C%22last%22%3A%22B%22%7D%2C%22q12_email%22%3A%22a%40example.com%22%2C%22q13_emailOptIn%22%3A%22no%22%7D`,
			"5 form_submitted a@example.com web first_name=A last_name=B"},
		{"a box that is ticked", "gravity-forms", form, "id=5&email=a%40example.com&wants_call=on&date_created=2026-03-04+09%3A00%3A00",
			"5 form_submitted a@example.com web at 09:00:00 wants_call=true"},
		{"spam", "gravity-forms", form, "id=5&email=a%40example.com&status=spam", "skipped 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			read, err := post(t, a, c.preset, c.media, c.body)
			if got := line(read, err); got != c.want {
				t.Errorf("\ngot  %s\nwant %s", got, c.want)
			}
		})
	}
}

// line is what was read of a body in one line.
func line(read Read, err error) string {
	var out []string
	switch {
	case errors.Is(err, ErrAccount):
		out = append(out, "account")
	case err != nil:
		out = append(out, err.Error())
	}
	for _, e := range read.Events {
		out = append(out, words(e.Event))
	}
	for _, r := range read.Refused {
		for _, about := range []string{"occurred_at", "names nobody"} {
			if strings.Contains(r.Detail, about) {
				out = append(out, "refused "+about)
			}
		}
	}
	if read.Skipped > 0 {
		out = append(out, fmt.Sprintf("skipped %d", read.Skipped))
	}
	return strings.Join(out, "; ")
}

func words(e *eventv1.Event) string {
	lead := e.GetLeadReceived()
	id := e.GetId()
	if len(id) == 64 {
		id = "sum"
	}
	out := id + " " + lead.GetKind()
	for _, part := range []string{lead.GetEmail(), lead.GetExternalId(), lead.GetChannel(), lead.GetOutcome().GetKind()} {
		if part != "" {
			out += " " + part
		}
	}
	for _, c := range lead.GetConsents() {
		out += map[bool]string{true: " allows ", false: " forbids "}[c.GetGranted()] + c.GetPurpose()
	}
	if lead.GetPhone() != "" {
		out += " tel " + lead.GetPhone()
	}
	if at := event.Time(e.GetOccurredAt()); !at.Equal(noon) {
		out += at.Format(" at 15:04:05")
	}
	values := event.Values(lead.GetFields())
	for _, name := range []string{"company", "employees", "eula", "first_name", "interests", "last_name", "tags", "wants_call"} {
		if v, ok := values[name]; ok {
			out += fmt.Sprintf(" %s=%v", name, v)
		}
	}
	return out
}

// Each preset's proof can be made and holds, for its sample; another secret, another byte and another hour do not pass.
func TestProofs(t *testing.T) {
	t.Parallel()
	for _, name := range preset.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := presetOf(t, name)
			secret, other := "a secret of ours", "a secret of others"
			if p.Proof.Kind == preset.Basic {
				secret, other = "user:"+secret, "user:"+other
			}
			if p.Proof.Kind == preset.StandardWebhook {
				secret, other = "whsec_bm9ib2R5IGVsc2Uga25vd3MgdGhpcyAx", "whsec_c29tZWJvZHkgZWxzZSBrbm93cyB0aGlz"
			}
			body, contentType, err := preset.Sample(name)
			if err != nil {
				t.Fatal(err)
			}
			r := &Request{
				Method: http.MethodPost, URI: "https://in.example.com/v1/hooks/" + name, Query: url.Values{},
				Header: http.Header{"Content-Type": {contentType}}, Body: body,
			}
			if err := Sign(p.Proof, secret, r, noon); err != nil {
				t.Fatal(err)
			}
			ours, err := NewVerifier(p.Proof, secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := ours.Verify(r, noon); err != nil {
				t.Error(err)
			}
			theirs, err := NewVerifier(p.Proof, other)
			if err != nil {
				t.Fatal(err)
			}
			if theirs.Verify(r, noon) == nil {
				t.Error("the proof of one secret passes for another")
			}
			timed := p.Proof.Time != nil || p.Proof.Kind == preset.StandardWebhook
			if passes := ours.Verify(r, noon.Add(6*time.Minute)) == nil; passes == timed {
				t.Errorf("six minutes later it passes: %v", passes)
			}
			signed := p.Proof.Kind == preset.HMAC || p.Proof.Kind == preset.Digest || p.Proof.Kind == preset.StandardWebhook
			r.Body = bytes.Clone(r.Body)
			r.Body[len(r.Body)/2] ^= 1
			if passes := ours.Verify(r, noon) == nil; passes == signed && p.Proof.Kind != preset.Body {
				t.Errorf("with another byte in the body it passes: %v", passes)
			}
		})
	}
}

// An event of a tool that does not say what it is may be a lead: it is refused, and so kept, where those of another kind are left out.
func TestUnnamed(t *testing.T) {
	t.Parallel()
	a, tried := everyPreset(t), 0
	for _, name := range preset.Names() {
		p := presetOf(t, name)
		if len(p.Map.Only) == 0 {
			continue
		}
		tried++
		body, contentType, err := preset.Sample(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, paths := range p.Map.Only[0].At {
			for _, path := range paths {
				key := path.Steps[len(path.Steps)-1].Name
				body = bytes.ReplaceAll(body, []byte(`"`+key+`":`), []byte(`"other":`))
				body = bytes.ReplaceAll(body, []byte("xsi:"+strings.TrimPrefix(key, "@")+"="), []byte("xsi:other="))
			}
		}
		read, err := post(t, a, name, contentType, string(body))
		want := `the event does not say what it is: "` + p.Map.Only[0].At.String() + `" is empty`
		if err != nil || len(read.Events) > 0 || read.Skipped > 0 || len(read.Refused) == 0 || read.Refused[0].Detail != want {
			t.Errorf("%s: %+v, %v", name, read, err)
		}
	}
	if tried < 9 {
		t.Errorf("%d presets let events in by what they are", tried)
	}
}
