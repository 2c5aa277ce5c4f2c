package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
)

// want is what a recorded body should become.
type want struct {
	source string
	// people are whom the events name, by e-mail address, else by the sender's id.
	people []string
	// refused events, and those left out.
	refused, omitted int
	// whole says that nothing of it can be read.
	whole bool
}

// wants by file, as the notes beside the files and those who recorded them have it.
var wants = map[string]want{
	"activecampaign_contact_2016.form.txt":          {source: "activecampaign", people: []string{"ivan@example.com"}},
	"activecampaign_contact_tag_added.form.txt":     {source: "activecampaign", people: []string{"robert@example.com"}},
	"calendly_invitee_canceled.json":                {source: "calendly", people: []string{"betty@rei.com"}},
	"calendly_invitee_created.json":                 {source: "calendly", people: []string{"betty@rei.com"}},
	"google_ads_lead_form.json":                     {source: "google-ads", people: []string{"jane@example.com"}},
	"google_ads_lead_form_no_column_id.json":        {source: "google-ads", people: []string{"priya.sharma@example.com"}},
	"hubspot_contact_creation.json":                 {source: "hubspot-app", people: []string{"123"}},
	"hubspot_contact_deletion_batch.json":           {source: "hubspot-app", omitted: 2},
	"hubspot_property_change.json":                  {source: "hubspot-app", people: []string{"173595202426"}},
	"hubspot_v1_contact_with_form_submissions.json": {source: "hubspot-workflow", people: []string{"perf_user_970@test.com"}},
	"mautic_form_on_submit_object_not_array.json":   {source: "mautic", people: []string{"email@formsubmit.com"}},
	"mautic_form_on_submit_toplevel_timestamp.json": {source: "mautic", people: []string{"email@formsubmit.com"}},
	"mautic_form_on_submit_two_events.json":         {source: "mautic", people: []string{"example@afads.com", "jkhj@hgjh.com."}},
	"meta_leadgen.json":                             {source: "meta", people: []string{"6276465415920"}},
	"meta_leadgen_two_entries.json":                 {source: "meta", people: []string{"lead-1-0-0", "lead-1-0-1", "lead-1-1-0", "lead-1-1-1"}},
	"pipedrive_v1_deal_updated.json":                {source: "pipedrive", omitted: 1}, // a deal without a person
	"pipedrive_v2_envelope.json":                    {source: "pipedrive", omitted: 1},
	"salesforce_ack_expected_response.xml":          {source: "salesforce", whole: true}, // an answer, not a message
	"salesforce_outbound_bad_org.xml":               {source: "salesforce", whole: true},
	"salesforce_outbound_minimal.xml":               {source: "salesforce", whole: true}, // of the right organization, with no notification
	"typeform_2017_choices.json":                    {source: "typeform", refused: 1},    // nobody is named
	"typeform_2019_short_text.json":                 {source: "typeform", refused: 1},    // an address in a text, which could be anything
}

// sourceOf is the source of a folder whose files hold a request with what another receiver made of it.
var sourceOf = map[string]string{"customerio": "customerio", "segment": "segment", "facebook_lead_ads": "lists"}

// exchange is a file of such a folder.
type exchange struct {
	Input struct {
		Request struct {
			Body    string            `json:"body"`
			Headers map[string]string `json:"headers"`
		} `json:"request"`
	} `json:"input"`
	Output struct {
		Queue []struct {
			UserID string `json:"userId"`
		} `json:"queue"`
	} `json:"output"`
}

// checkBodies prints what became of each body, and returns how many are not as they should be.
func checkBodies(folder string) (wrong int, err error) {
	a, faults := agreement.Parse("hookcheck", []byte(contract()))
	if len(faults) > 0 {
		return 0, faults[0]
	}
	missing := maps.Clone(wants)
	fmt.Printf("%-60s %-18s %5s %7s %8s  %s\n", "body", "source", "taken", "refused", "left out", "result")
	files := os.DirFS(folder)
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "INDEX.tsv" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		delete(missing, name)
		got, said, err := checkBody(a, name, text)
		if err != nil {
			said, wrong = "WRONG: "+err.Error(), wrong+1
		}
		fmt.Printf("%-60s %-18s %5d %7d %8d  %s\n", name, got.source, len(got.people), got.refused, got.omitted, said)
		return nil
	})
	if err != nil {
		return wrong, err
	}
	for name := range missing {
		wrong++
		fmt.Printf("%-60s WRONG: the file is missing\n", name)
	}
	return wrong, nil
}

// checkBody reads one body and compares. It tells who is named, or what the sender would be told.
func checkBody(a *agreement.Agreement, name string, text []byte) (got want, said string, err error) {
	expected, recorded := wants[name], false
	media := map[string]string{".json": "application/json", ".xml": "text/xml", ".txt": "application/x-www-form-urlencoded"}[path.Ext(name)]
	if source, inFolder := sourceOf[path.Dir(name)]; inFolder {
		var ex exchange
		if err := json.Unmarshal(text, &ex); err != nil {
			return got, "", err
		}
		expected, recorded, text, media = want{source: source}, true, []byte(ex.Input.Request.Body), ex.Input.Request.Headers["Content-Type"]
		for _, q := range ex.Output.Queue {
			if q.UserID != "" {
				expected.people = append(expected.people, q.UserID)
			}
		}
	}
	if expected.source == "" {
		return got, "", errors.New("nothing is known of this file")
	}
	got.source = expected.source
	s, ok := a.Source(expected.source)
	if !ok {
		return got, "", fmt.Errorf("there is no source %s", expected.source)
	}
	source := hook.New(a, s)
	r := &hook.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {media}}, Body: text}
	read, err := source.Read(r, time.Now())
	if err != nil {
		got.whole, said = true, err.Error()
	}
	got.refused, got.omitted = len(read.Refused), read.Skipped
	var why []string
	for _, e := range read.Events {
		lr := e.Event.GetLeadReceived()
		who := lr.GetEmail()
		if who == "" || recorded {
			who = lr.GetExternalId()
		}
		got.people = append(got.people, who)
	}
	for _, refusal := range read.Refused {
		why = append(why, refusal.Detail)
	}
	if seen, err := source.Inspect(r); err == nil {
		for _, o := range seen.Omitted {
			why = append(why, o.Why)
		}
	}
	if said == "" {
		said = strings.Join(append(slices.Clone(got.people), why...), "; ")
	}
	// Where another receiver's view was recorded: whoever is taken must be whom it saw; what it could not tell apart from a visitor may be
	// refused or left out here, in words.
	same := slices.Equal(got.people, expected.people) && got.refused == expected.refused && got.omitted == expected.omitted && got.whole == expected.whole
	if recorded {
		same = slices.Equal(got.people, expected.people) || (len(got.people) == 0 && said != "")
	}
	if !same {
		return got, said, fmt.Errorf("want %v, %d refused, %d left out, whole %v: got %s", expected.people, expected.refused, expected.omitted, expected.whole, said)
	}
	return got, said, nil
}

// contract is an agreement with a source of each preset that bodies were recorded of.
func contract() string {
	var out strings.Builder
	out.WriteString(`title: Recorded bodies
version: "1"
parties: {marketing: Marketing, sales: Sales}
fields: {company: text, job_title: text, city: text, employees: number}
sources:
  lists:
    format: json
    verify: {bearer: env:S}
    map: {id: id.0, external_id: facebook_lead_id.0, name: [[first_name.0, last_name.0]], phone: phone_number.0, fields: {city: city.0}}
  salesforce: {preset: salesforce, secret: env:S, accounts: ["123456789012345"]}
`)
	named := map[string]bool{"lists": true, "salesforce": true}
	for _, w := range wants {
		named[w.source] = true
	}
	for _, s := range sourceOf {
		named[s] = true
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if name != "lists" && name != "salesforce" {
			fmt.Fprintf(&out, "  %s: {preset: %s, secret: env:S}\n", name, name)
		}
	}
	out.WriteString(`stages:
  - name: lead
  - {name: mql, when: score >= 1}
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}
scoring: [{name: known, points: 1, when: known("company")}]
handoff:
  at: mql
  routes: [{pool: all}]
  unassigned: {within: 1h, calendar: always}
pools: {all: {teams: [t]}}
clocks: [{name: first-response, within: 1h, calendar: always, stops_on: [accepted], on_breach: reassign}]
`)
	return out.String()
}
