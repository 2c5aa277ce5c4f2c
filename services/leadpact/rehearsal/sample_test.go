package rehearsal_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
	"github.com/leadpact/leadpact/internal/preset"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
	"github.com/leadpact/leadpact/services/leadpact/rehearsal"
)

// TestSamples: each preset's sample is taken, also by an agreement that lists other accounts than the one it came from.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, name := range preset.Names() {
		p, err := preset.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, account := range []string{"", "700100200300400500"} {
			if (account == "" && p.Closed) || (account != "" && len(p.Account) == 0) {
				continue
			}
			t.Run(name+account, func(t *testing.T) {
				t.Parallel()
				a, s := tool(t, name, account)
				asked(t, a, s)
			})
		}
	}
}

// TestOrigins: of a tool's sample each outcome and consent is told with the place that it was read from.
func TestOrigins(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]rehearsal.Fact{
		"salesforce": {
			{Name: "outcome", Value: "reached", From: "sObject.[@type=Lead].Status"},
			{Name: "outcome", Value: "won", From: "=deal + sObject.IsClosed + sObject.IsWon"},
		},
		"hubspot-workflow": {{Name: "outcome", Value: "reached", From: "properties.hs_lead_status.value"}},
		"marketo":          {{Name: "consent.phone", Value: false, From: "do_not_call"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := tool(t, name, map[bool]string{true: "00D000000000062EAA"}[name == "salesforce"])
			answer := asked(t, a, s)
			var got []rehearsal.Fact
			for _, e := range answer.Events {
				for _, f := range e.Facts {
					if f.Name == "outcome" || strings.HasPrefix(f.Name, "consent.") {
						got = append(got, f)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v\nnot %v", got, want)
			}
		})
	}
}

// tool is a source of a preset in the test agreement, for one account of the tool; "" names none.
func tool(t *testing.T, name, account string) (*agreement.Agreement, agreement.Source) {
	t.Helper()
	source := fmt.Sprintf("{preset: %s, secret: env:S", name)
	if account != "" {
		source += fmt.Sprintf(", accounts: [%q]", account)
	}
	text := strings.Replace(string(apptest.Agreement), "sources:\n", "sources:\n  tool: "+source+"}\n", 1)
	a, faults := agreement.Parse("agreement.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s, ok := a.Source("tool")
	if !ok {
		t.Fatal("no source tool")
	}
	return a, s
}

// asked is the answer about the source's sample.
func asked(t *testing.T, a *agreement.Agreement, s agreement.Source) rehearsal.Answer {
	t.Helper()
	body, media, err := rehearsal.Sample(a, s)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := rehearsal.Ask(rehearsal.Question{
		Agreement: a, Source: s, Unsigned: true, At: at,
		Request: &hook.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {media}}, Body: body},
	})
	if err != nil || !answer.Taken() || len(answer.Events) == 0 || len(answer.Bad) > 0 {
		t.Fatalf("%+v, %v", answer, err)
	}
	return answer
}

// TestPartsWithoutHeader: a body of several parts that was saved without its headers is read.
func TestPartsWithoutHeader(t *testing.T) {
	t.Parallel()
	a, s := tool(t, "jotform", "")
	body, media, err := rehearsal.Sample(a, s)
	if err != nil || !strings.HasPrefix(media, "multipart/form-data") {
		t.Fatalf("%q, %v", media, err)
	}
	answer, err := rehearsal.Ask(rehearsal.Question{
		Agreement: a, Source: s, Unsigned: true, At: at, Request: &hook.Request{Method: http.MethodPost, Header: http.Header{}, Body: body},
	})
	if err != nil || !answer.Taken() || len(answer.Events) != 1 || answer.Media != media {
		t.Errorf("%+v, %v", answer, err)
	}
}
