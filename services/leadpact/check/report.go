package check

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/leadpact/leadpact/internal/agreement"
)

// Report is what a check found, for programs.
type Report struct {
	// Hash of the agreement; empty when it has faults of its own.
	Hash   string  `json:"hash,omitempty"`
	Faults []Fault `json:"faults"`
}

// Fault is an agreement.Fault. Lines and columns count from 1, columns in characters.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Level   string `json:"level"`          // error, or warning when it keeps nothing from running
	Path    string `json:"path,omitempty"` // of the value: clocks[0].within
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// NewReport tells faults and warnings; hash is the agreement's.
func NewReport(hash string, faults, warnings []agreement.Fault) Report {
	r := Report{Hash: hash, Faults: []Fault{}}
	add := func(level string, list []agreement.Fault) {
		for _, f := range list {
			r.Faults = append(r.Faults, Fault{File: f.File, Line: f.Line, Column: f.Column, Level: level, Path: f.Path, Message: f.Message, Hint: f.Hint})
		}
	}
	add("error", faults)
	add("warning", warnings)
	slices.SortStableFunc(r.Faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r
}

// JSON writes the report. The error is that of w.
func (r Report) JSON(w io.Writer) error { return write(w, r) }

// SARIF writes the report as a SARIF 2.1.0 log, which editors and code review show at the places of the faults. The error is that
// of w.
func (r Report) SARIF(w io.Writer, version string) error {
	type text struct {
		Text string `json:"text"`
	}
	type region struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
	type artifact struct {
		URI string `json:"uri"`
	}
	type physical struct {
		ArtifactLocation artifact `json:"artifactLocation"`
		Region           region   `json:"region"`
	}
	type logical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
	type location struct {
		PhysicalLocation physical  `json:"physicalLocation"`
		LogicalLocations []logical `json:"logicalLocations,omitempty"`
	}
	type result struct {
		RuleID    string     `json:"ruleId"`
		Level     string     `json:"level"`
		Message   text       `json:"message"`
		Locations []location `json:"locations"`
	}
	type rule struct {
		ID               string `json:"id"`
		ShortDescription text   `json:"shortDescription"`
	}
	type driver struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		Rules   []rule `json:"rules"`
	}
	type tool struct {
		Driver driver `json:"driver"`
	}
	type run struct {
		Tool       tool     `json:"tool"`
		ColumnKind string   `json:"columnKind"`
		Results    []result `json:"results"`
	}
	const id = "agreement"
	out := run{
		Tool:       tool{driver{Name: "leadpact", Version: version, Rules: []rule{{id, text{"What an agreement or a roster says must fit together."}}}}},
		ColumnKind: "unicodeCodePoints", Results: []result{},
	}
	for _, f := range r.Faults {
		at := location{PhysicalLocation: physical{artifact{filepath.ToSlash(f.File)}, region{f.Line, f.Column}}}
		if f.Path != "" {
			at.LogicalLocations = []logical{{f.Path}}
		}
		message := f.Message
		if f.Hint != "" {
			message += " (" + f.Hint + ")"
		}
		out.Results = append(out.Results, result{RuleID: id, Level: f.Level, Message: text{message}, Locations: []location{at}})
	}
	return write(w, map[string]any{"$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", "version": "2.1.0", "runs": []run{out}})
}

func write(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write a report: %w", err)
	}
	return nil
}
