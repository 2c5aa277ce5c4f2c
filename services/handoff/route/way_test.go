package route_test

import (
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/handoff/route"
)

func TestWay(t *testing.T) {
	t.Parallel()
	a, faults := agreement.Parse("a.yaml", []byte(`
title: Routes
version: "1"
parties: {marketing: M, sales: S}
fields: {country: text}
sources: {web: {format: json, verify: {bearer: env:WEB}}}
stages:
  - {name: lead}
  - {name: mql, when: score > 0}
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}
handoff:
  at: mql
  routes:
    - {when: lead.country == "DE", pool: de}
    - {when: 'lead.country.matches("(x+x+)+y|A.*")', pool: a}
    - {pool: all}
  unassigned: {within: 10m, calendar: always}
pools: {de: {teams: [t]}, a: {teams: [t]}, all: {teams: [t]}}
clocks: [{name: call, within: 1h, calendar: always, stops_on: [attempt]}]
`))
	if a == nil {
		t.Fatal(faults)
	}
	for country, want := range map[string]int{"DE": 0, "AT": 1, "": 2, "FR": 2, "A" + strings.Repeat("x", 4<<20): 2 /* costs too much to ask */} {
		if got := route.Way(a.Handoff.Routes, &agreement.Lead{Fields: map[string]any{"country": country}}); got != want {
			t.Errorf("%.10q takes route %d, not %d", country, got, want)
		}
	}
	if got := route.Way(nil, &agreement.Lead{}); got != -1 {
		t.Errorf("no routes, and it takes %d", got)
	}
}
