package preset

import (
	"mime"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// all are the presets by name.
func all(t *testing.T) map[string]Preset {
	t.Helper()
	out := map[string]Preset{}
	for _, name := range Names() {
		p, err := ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = p
	}
	return out
}

// The names are what agreements are written with: none may go.
func TestNames(t *testing.T) {
	t.Parallel()
	names := Names()
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %v", names)
	}
	for _, name := range []string{
		"activecampaign", "calendly", "customerio", "form", "google-ads", "gravity-forms", "hubspot-app", "hubspot-app-v1", "hubspot-workflow",
		"hubspot-workflow-v2", "intercom", "jotform", "json", "linkedin", "make", "marketo", "mautic", "meta", "n8n", "pipedrive", "rudderstack",
		"salesforce", "segment", "standard-webhooks", "typeform", "unbounce", "zapier",
	} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestEveryPreset(t *testing.T) {
	t.Parallel()
	kinds := []ProofKind{HMAC, Digest, Bearer, Basic, Header, Query, Body, StandardWebhook}
	for name, p := range all(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p.Name != name || p.Title == "" || p.Secret == "" || len(p.Formats) == 0 {
				t.Errorf("name %q, title %q, secret %q, formats %v: none may be empty", p.Name, p.Title, p.Secret, p.Formats)
			}
			if !slices.Contains(kinds, p.Proof.Kind) {
				t.Errorf("proof %q is none of %v", p.Proof.Kind, kinds)
			}
			if len(p.Map.Email) == 0 && len(p.Map.ExternalID) == 0 {
				t.Error("nothing says who a lead is")
			}
			if p.Closed && len(p.Account) == 0 {
				t.Error("closed, and nothing says whose account a body is from")
			}
		})
	}
}

func TestEveryMapping(t *testing.T) {
	t.Parallel()
	field := regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	outcomes := []string{"accepted", "attempt", "reached", "qualified", "won", "lost"}
	for name, p := range all(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, test := range slices.Concat(p.Map.Only, p.Map.Skip) {
				if len(test.At) == 0 || test.Why == "" || len(test.Is) == 0 {
					t.Errorf("the test at %s needs a place, words and a reason: %v, %q", test.At, test.Is, test.Why)
				}
			}
			for _, pattern := range p.Map.Any {
				if !strings.Contains(pattern, "{name}") {
					t.Errorf("%q is the same for every field", pattern)
				}
				if _, err := At(strings.ReplaceAll(pattern, "{name}", "employees")); err != nil {
					t.Error(err)
				}
			}
			for declared := range p.Map.Fields {
				if !field.MatchString(declared) {
					t.Errorf("no agreement can declare the field %q", declared)
				}
			}
			for word, outcome := range p.Map.Outcomes {
				if !slices.Contains(outcomes, outcome) {
					t.Errorf("%q is %q, which is none of %v", word, outcome, outcomes)
				}
			}
			for what, purpose := range p.Map.Withdrawals {
				if p.Map.Grants[what] == purpose {
					t.Errorf("%q withdraws and grants %s", what, purpose)
				}
			}
		})
	}
}

func TestEverySample(t *testing.T) {
	t.Parallel()
	formats := map[string]Format{
		"application/json": JSON, "application/x-www-form-urlencoded": Form, "multipart/form-data": Form, "text/xml": XML,
		"application/cloudevents+json": CloudEvents,
	}
	for name, p := range all(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, contentType, err := Sample(name)
			if err != nil {
				t.Fatal(err)
			}
			media, _, err := mime.ParseMediaType(contentType)
			if err != nil {
				t.Fatal(err)
			}
			if f := formats[media]; !slices.Contains(p.Formats, f) {
				t.Errorf("the sample is %s, and the preset takes %v", contentType, p.Formats)
			}
			if len(body) == 0 {
				t.Error("the sample is empty")
			}
		})
	}
}

func TestNoSample(t *testing.T) {
	t.Parallel()
	if _, _, err := Sample("../files/json"); err == nil {
		t.Error("a sample of nothing")
	}
}

// Each preset has a row in the list of sources, and the page that the row links speaks of it.
func TestEveryDocsPage(t *testing.T) {
	t.Parallel()
	const folder = "../../docs/sources/"
	list, err := os.ReadFile(folder + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range all(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := regexp.MustCompile(`(?m)^\| \[[^]]+\]\(([a-z-]+\.md)(#[a-z-]+)?\) \| ` + "`" + regexp.QuoteMeta(name) + "`" + ` \|`).FindSubmatch(list)
			if row == nil {
				t.Fatalf("no row of docs/sources/README.md is of `%s`", name)
			}
			page, err := os.ReadFile(folder + string(row[1]))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(page), "preset: "+name) && !strings.Contains(string(page), name) {
				t.Errorf("%s does not say how to write the preset %s", row[1], name)
			}
		})
	}
}

func TestExtends(t *testing.T) {
	t.Parallel()
	from := fstest.MapFS{
		"files/base.yaml": {Data: []byte(`
title: Base
formats: [json]
secret: a word
proof: {kind: hmac, header: X-Sign, encoding: hex}
map:
  id: id
  email: [email, mail]
  skip: [{at: test, is: ["true"], why: a test}]
  any: ["{name}"]
  outcomes: {done: won}
  fields: {company: firm, country: land}
`)},
		"files/same.yaml":  {Data: []byte("title: Same\nextends: base\n")},
		"files/other.yaml": {Data: []byte("title: Other\nextends: base\nproof: {kind: bearer}\nmap:\n  email: address\n  skip: []\n  outcomes: {shut: lost}\n  fields: {company: org}\n")},
		"files/third.yaml": {Data: []byte("title: Third\nextends: other\nmap: {id: key}\n")},
		"files/lost.yaml":  {Data: []byte("title: Lost\nextends: nobody\n")},
	}
	get := func(name string) Preset {
		p, err := read(from, name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	base, same, other, third := get("base"), get("same"), get("other"), get("third")

	want := base
	want.Name, want.Title, want.Extends = "same", "Same", "base"
	if !reflect.DeepEqual(same, want) {
		t.Errorf("what says nothing of its own is another:\n%+v\n%+v", same, want)
	}
	if !reflect.DeepEqual(other.Proof, Proof{Kind: Bearer}) {
		t.Errorf("two proofs are mixed: %+v", other.Proof)
	}
	if got := other.Map.Email.String(); got != "address" {
		t.Errorf("a place of its own: %s", got)
	}
	if got := other.Map.ID.String(); got != "id" {
		t.Errorf("a place of the base: %s", got)
	}
	if len(other.Map.Skip) != 0 || len(base.Map.Skip) != 1 {
		t.Errorf("an empty list takes the place of the base's: %v, %v", other.Map.Skip, base.Map.Skip)
	}
	if got := other.Map.Fields; len(got) != 1 || got["company"].String() != "org" {
		t.Errorf("fields of its own take the place of the base's: %v", got)
	}
	if !reflect.DeepEqual(other.Map.Outcomes, map[string]string{"shut": "lost"}) {
		t.Errorf("a table of its own takes the place of the base's: %v", other.Map.Outcomes)
	}
	if !reflect.DeepEqual(other.Map.Any, base.Map.Any) {
		t.Errorf("patterns of the base: %v", other.Map.Any)
	}
	if third.Map.ID.String() != "key" || third.Map.Email.String() != "address" || third.Proof.Kind != Bearer || third.Secret != "a word" {
		t.Errorf("a preset like one that is like another: %+v", third)
	}
	if _, err := read(from, "lost"); err == nil {
		t.Error("a preset extends one that does not exist")
	}
}

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"title: A\nformat: json\n",
		"title: A\nmap: {mail: email}\n",
		"title: A\nproof: {kind: hmac, secret: x}\n",
		"title: A\nmap: {skip: [{at: a, is: [b], because: c}]}\n",
	} {
		if _, err := read(fstest.MapFS{"files/a.yaml": {Data: []byte(text)}}, "a"); err == nil {
			t.Errorf("an unknown key is no error in %q", text)
		}
	}
}

func TestOver(t *testing.T) {
	t.Parallel()
	place := func(text string) Place {
		p, err := At(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	base := Mapping{
		ID: place("id"), Email: place("email"), Unpack: []string{"raw"}, Any: []string{"{name}"},
		Fields: map[string]Place{"company": place("firm"), "country": place("land")}, Outcomes: map[string]string{"done": "won"},
	}
	got := Mapping{
		Email: place("mail"), Fields: map[string]Place{"company": place("org")}, Outcomes: map[string]string{"shut": "lost"},
	}.Over(base)
	want := base
	want.Email = place("mail")
	want.Fields = map[string]Place{"company": place("org"), "country": place("land")}
	want.Outcomes = map[string]string{"shut": "lost"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if base.Fields["company"].String() != "firm" {
		t.Error("the base was changed")
	}
	if !reflect.DeepEqual(Mapping{}.Over(base), base) {
		t.Error("nothing over a mapping is another mapping")
	}
}
