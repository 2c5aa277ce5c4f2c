package hook

import (
	"net/http"
	"testing"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
)

// contract has a source of each kind.
const contract = `
title: Hooks
version: "1"
parties: {marketing: Mara Lind, sales: Theo Brandt}
fields:
  employees: number
  wants_call: flag
  company: text
channels: [organic, paid]
consent: {purposes: [marketing]}
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
  page:
    format: form
    verify: {query: env:PAGE}
    map: {name: [name, [first_name, last_name]], fields: {company: [org.name, company]}}
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
      consent: {marketing: contact.opted_in}
` + funnel

// funnel is the rest of an agreement, behind its sources.
const funnel = `calendars:
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

// sourceOf is one of the contract's sources.
func sourceOf(t testing.TB, name string) *Source {
	t.Helper()
	a := parsed(t, contract)
	s, ok := a.Source(name)
	if !ok {
		t.Fatalf("no source %q", name)
	}
	return New(a, s)
}

// read reads a JSON body that came with a webhook-id; "" is none.
func read(s *Source, body, webhookID string, now time.Time) (Read, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	if webhookID != "" {
		h["Webhook-Id"] = []string{webhookID}
	}
	return s.Read(&Request{Method: http.MethodPost, Header: h, Body: []byte(body)}, now)
}

func ids(events []Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.Event.GetId()
	}
	return out
}
