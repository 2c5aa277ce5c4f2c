// Package work is what the benchmarks work on: an agreement, a roster and lead events of an ordinary size, made from numbers.
package work

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/event"
	eventv1 "github.com/leadpact/leadpact/proto/leadpact/event/v1"
)

// Source is the source of every event, and Secret what signs its webhooks.
const (
	Source = "website"
	Secret = "the secret of the benchmarks"
)

// Shape is the size of the agreement and the roster.
type Shape struct {
	Rules int // scoring rules; at most 30 of them could match any one lead
	Reps  int
	// Breach is what happens on a breach: "reassign" or "notify".
	Breach string
	// Within is the promise in the agreement's words, "" for four hours.
	Within string
}

// Ordinary is the shape of every row that does not say otherwise: 30 rules, 20 reps.
func Ordinary() Shape { return Shape{Rules: 30, Reps: 20, Breach: "reassign"} }

// segments are the values that spread the rules beyond the first ten: each lead is of one segment.
const (
	always     = 10 // rules that look at every lead
	perSegment = 20 // rules of each segment
)

// Agreement writes the agreement.
func (s Shape) Agreement() []byte {
	within := s.Within
	if within == "" {
		within = "4h"
	}
	breach := s.Breach
	if breach == "" {
		breach = "reassign"
	}
	var b strings.Builder
	b.WriteString(`title: The agreement of the benchmarks
version: bench-1
parties: {marketing: Marketing, sales: Sales}

fields:
  employees: number
  country: text
  industry: text
  title: text
  segment: text
  hand_raiser: flag

sources:
  ` + Source + `:
    format: json
    verify:
      hmac: {secret: env:LEADPACT_BENCH_SECRET, header: X-Signature, prefix: "sha256="}

calendars:
  day-and-night:
    zone: Etc/UTC
    hours: {mon-sun: "00:00-24:00"}

scoring:
`)
	rule := func(i, points int, key, condition string) {
		fmt.Fprintf(&b, "  - name: r%d\n    points: %d\n    %s: %s\n", i, points, key, condition)
	}
	for i := range s.Rules {
		switch {
		case i >= always:
			rule(i, 1, "when", fmt.Sprintf(`lead.segment == "s%d" && lead.employees >= %d`, (i-always)/perSegment, 10*(i%perSegment)))
		case i%3 == 0:
			rule(i, 5, "on", fmt.Sprintf(`touch.kind == "form_submitted" && touch.employees >= %d`, 5*i))
			b.WriteString("    half_life: 30d\n    cap: 50\n")
		case i%3 == 1:
			rule(i, 3, "when", fmt.Sprintf(`lead.employees >= %d && lead.country in ["DE", "FR", "US"]`, 20*i))
		default:
			rule(i, 2, "when", fmt.Sprintf(`lead.title.contains("ea") || lead.industry == "i%d"`, i))
		}
	}
	fmt.Fprintf(&b, `
grades:
  - {name: A, when: score >= 30}
  - {name: B}

stages:
  - name: lead
  - {name: mql, when: lead.hand_raiser}
  - {name: sal, when: did("accepted") >= 1}
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}

handoff:
  at: mql
  routes: [{pool: sales}]
  unassigned: {within: 1h, calendar: day-and-night}

pools:
  sales: {teams: [sales]}

clocks:
  - {name: first-response, within: %s, calendar: day-and-night, stops_on: [accepted, attempt, reached], warn: [80%%], on_breach: %s}
`, within, breach)
	return []byte(b.String())
}

// Roster writes the roster: reps of different weights, none of whom is ever full.
func (s Shape) Roster() []byte {
	var b strings.Builder
	b.WriteString("zone: Etc/UTC\nteams:\n  sales: {manager: ines}\nreps:\n")
	for i := range s.Reps {
		fmt.Fprintf(&b, "  rep%04d: {team: sales, weight: %d, capacity: 100000}\n", i, 1+i%5)
	}
	return []byte(b.String())
}

// Parse compiles the agreement.
func (s Shape) Parse() (*agreement.Agreement, error) {
	a, faults := agreement.Parse("agreement of the benchmarks", s.Agreement())
	if len(faults) > 0 {
		return nil, fmt.Errorf("the agreement of the benchmarks: %w", faults[0])
	}
	return a, nil
}

// Event is the nth lead's event, as ingest would publish it; handed says whether the lead comes to the handoff point.
func Event(n int, handed bool, at time.Time) *eventv1.Event {
	id := fmt.Sprintf("evt-%08d", n)
	hash := sha256.Sum256([]byte(id))
	text := func(s string) *eventv1.Value { return &eventv1.Value{Kind: &eventv1.Value_Text{Text: s}} }
	return &eventv1.Event{
		Id: id, Source: Source, OccurredAt: event.Micros(at), RecordedAt: event.Micros(at), Mode: eventv1.Mode_MODE_LIVE,
		Body: &eventv1.Event_LeadReceived{LeadReceived: &eventv1.LeadReceived{
			Kind: "form_submitted", Email: Email(n), Name: fmt.Sprintf("Person %d of Many", n), Channel: "organic", ContentHash: hash[:],
			Fields: map[string]*eventv1.Value{
				"employees":   {Kind: &eventv1.Value_Number{Number: float64(n % 997)}},
				"country":     text(countries[n%len(countries)]),
				"industry":    text(fmt.Sprintf("i%d", n%40)),
				"title":       text(titles[n%len(titles)]),
				"segment":     text(fmt.Sprintf("s%d", n%50)),
				"hand_raiser": {Kind: &eventv1.Value_Flag{Flag: handed}},
			},
		}},
	}
}

// Email is the nth lead's address.
func Email(n int) string { return fmt.Sprintf("person%d@company%d.example", n, n%5000) }

// Handed says whether the nth lead is among the share that comes to the handoff point, spread evenly.
func Handed(n int, share float64) bool { return int(float64(n+1)*share) > int(float64(n)*share) }

// Body is the nth lead's webhook in generic JSON.
func Body(n int, handed bool) []byte {
	return fmt.Appendf(nil, `{"id":"evt-%08d","type":"form_submitted","email":%q,"name":"Person %d of Many","fields":{"employees":%d,"country":%q,"industry":"i%d","title":%q,"segment":"s%d","hand_raiser":%t}}`,
		n, Email(n), n, n%997, countries[n%len(countries)], n%40, titles[n%len(titles)], n%50, handed)
}

var (
	countries = [...]string{"DE", "FR", "US", "GB", "NL", "SE", "PL", "IT"}
	titles    = [...]string{"Head of Sales", "Engineer", "Team Lead", "Chief of Staff", "Buyer", "Student"}
)
