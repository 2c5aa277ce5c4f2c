package agreement_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
)

func TestComparisons(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		when string
		want []string
	}{
		{`score >= 50 || lead.wants_call`, []string{"score >= [50]", "lead.wants_call is [true false]"}},
		{`50 <= score`, []string{"score >= [50]"}},
		{`lead.country in ["DE", "AT"]`, []string{"lead.country in [DE AT]"}},
		{`lead.country.lower().matches("de|at")`, []string{"lead.country matches [de|at]"}},
		{`did("attempt") > 3`, []string{"did.attempt > [3]"}},
		{`known("employees") && !("country" in known)`, []string{"known.employees is [true false]", "known.country is [true false]"}},
		{`lead.employees * 2 > 10 + score`, []string{"lead.employees score > [2 10]"}},
		{`is("big")`, []string{"lead.employees > [1000]"}},
		{`stage == channel`, nil},
	} {
		a, faults := agreement.Parse("a.yaml", []byte(`
title: Comparisons
version: "1"
parties: {marketing: M, sales: S}
terms: {big: {when: lead.employees > 1000}}
fields: {employees: number, country: text, wants_call: flag}
channels: [paid]
sources: {web: {format: json, verify: {bearer: env:WEB}}}
stages:
  - {name: lead}
  - name: mql
    when: |
      `+test.when+` || is("big")
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}
handoff: {at: mql, routes: [{pool: all}], unassigned: {within: 10m, calendar: always}}
pools: {all: {teams: [t]}}
clocks: [{name: call, within: 1h, calendar: always, stops_on: [attempt]}]
`))
		if a == nil {
			t.Fatal(faults)
		}
		var got []string
		for _, c := range a.Stages[1].When.Comparisons() {
			var names []string
			for _, v := range c.Variables {
				names = append(names, strings.TrimPrefix(v.Subject+"."+v.Name, "."))
			}
			got = append(got, fmt.Sprintf("%s %s %v", strings.Join(names, " "), c.Operator, c.Literals))
		}
		if want := slices.Concat(test.want, []string{"lead.employees > [1000]"}); !slices.Equal(got, want) {
			t.Errorf("%s:\n\tgot  %q\n\twant %q", test.when, got, want)
		}
	}
	if got := (*agreement.Condition)(nil).Comparisons(); got != nil {
		t.Errorf("a condition that holds always compares %v", got)
	}
}
