package check_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/check"
)

// faulty is an agreement that names a field which it does not declare, in a condition of two lines, behind letters of several bytes.
const faulty = `title: Ünïcödé
version: "1"
parties: {marketing: M, sales: S}
fields: {employees: number}
sources:
  web: {format: json, verify: {bearer: env:TOKEN}}
stages:
  - name: lead
  - name: mql
    when: |
      "ü" == "ü" &&
      lead.employes > 10
  - {name: won, when: did("won") >= 1, final: true}
  - {name: lost, when: did("lost") >= 1, final: true}
handoff:
  at: mql
  routes: [{pool: all}]
  unassigned: {within: 10m, calendar: always}
pools:
  all: {teams: [t]}
clocks:
  - {name: call, within: 1h, calendar: always, stops_on: [attempt], on_breach: notify}
`

func TestReportsNameTheSamePlace(t *testing.T) {
	t.Parallel()
	_, faults := agreement.Parse("a/agreement.yaml", []byte(faulty))
	if len(faults) != 1 || faults[0].Line != 12 || faults[0].Column != 7 {
		t.Fatalf("faults %+v, want one at 12:7", faults)
	}
	report := check.NewReport("", faults, nil)

	var out bytes.Buffer
	if err := report.JSON(&out); err != nil {
		t.Fatal(err)
	}
	var told check.Report
	if err := json.Unmarshal(out.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	want := check.Fault{File: "a/agreement.yaml", Line: 12, Column: 7, Level: "error", Path: faults[0].Path, Message: faults[0].Message, Hint: faults[0].Hint}
	if len(told.Faults) != 1 || told.Faults[0] != want || told.Hash != "" {
		t.Errorf("JSON tells %+v, want %+v", told, want)
	}

	out.Reset()
	if err := report.SARIF(&out, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Version string `json:"version"`
		Runs    []struct {
			ColumnKind string `json:"columnKind"`
			Results    []struct {
				Level   string `json:"level"`
				Message struct {
					Text string `json:"text"`
				} `json:"message"`
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct {
							URI string `json:"uri"`
						} `json:"artifactLocation"`
						Region struct {
							StartLine   int `json:"startLine"`
							StartColumn int `json:"startColumn"`
						} `json:"region"`
					} `json:"physicalLocation"`
				} `json:"locations"`
			} `json:"results"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(out.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].ColumnKind != "unicodeCodePoints" || len(log.Runs[0].Results) != 1 {
		t.Fatalf("SARIF %s", &out)
	}
	found := log.Runs[0].Results[0]
	place := found.Locations[0].PhysicalLocation
	if place.ArtifactLocation.URI != want.File || place.Region.StartLine != 12 || place.Region.StartColumn != 7 || found.Level != "error" ||
		!strings.HasPrefix(found.Message.Text, want.Message) || !strings.Contains(found.Message.Text, want.Hint) {
		t.Errorf("SARIF tells %+v", found)
	}
}

// TestReportsOfNothing: an empty list, not null, so that programs need not ask.
func TestReportsOfNothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	report := check.NewReport("abc", nil, nil)
	if err := report.JSON(&out); err != nil || !strings.Contains(out.String(), `"faults": []`) || !strings.Contains(out.String(), `"hash": "abc"`) {
		t.Errorf("JSON %s, %v", &out, err)
	}
	out.Reset()
	if err := report.SARIF(&out, ""); err != nil || !strings.Contains(out.String(), `"results": []`) {
		t.Errorf("SARIF %s, %v", &out, err)
	}
}
