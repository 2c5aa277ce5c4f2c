package trial

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

// Lead is one lead as somebody describes it to ask what would become of it.
type Lead struct {
	// Source of the touches that name none of their own, and Channel of those of this source; without it the source's own channel.
	Source  string `json:"source"`
	Channel string `json:"channel,omitempty"`
	// Fields by declared name, a string, a float64 or a bool: what its first touch brought beside its own.
	Fields map[string]any `json:"fields,omitempty"`
	// Consent is what its person allowed with the first touch, or forbade, by purpose.
	Consent map[string]bool `json:"consent,omitempty"`
	// Touches in any order; one at least.
	Touches []Touch `json:"touches"`
	// Did counts what sales did by kind; it happened last.
	Did map[string]int `json:"did,omitempty"`
	// Reason of a rejection.
	Reason string `json:"reason,omitempty"`
	// Stage is where it stood when the first of the touches came; empty when they are the first of all.
	Stage string `json:"stage,omitempty"`
}

// Touch is one outside event.
type Touch struct {
	Kind string `json:"kind"`
	// At is when it happened; the moment of the trial unless given.
	At      time.Time      `json:"at,omitzero"`
	Source  string         `json:"source,omitempty"`
	Channel string         `json:"channel,omitempty"`
	Fields  map[string]any `json:"fields,omitempty"`
}

// Read reads a lead as JSON. What is no JSON of this form is an error at once; what does not fit the agreement is found by Check.
func Read(text []byte) (Lead, error) {
	var l Lead
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Lead{}, misread(text, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Lead{}, fmt.Errorf("line %d: something follows the lead: one file holds one", lineOf(text, d.InputOffset()))
	}
	return l, nil
}

// misread says what is wrong with the JSON and what to write instead.
func misread(text []byte, err error) error {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var when *time.ParseError
	unknown, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("line %d: %s is a JSON %s, and %s belongs there", lineOf(text, wrong.Offset), cmp.Or(wrong.Field, "the lead"), wrong.Value, jsonType(wrong.Type.Kind().String()))
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: it is no JSON: %w", lineOf(text, syntax.Offset), err)
	case errors.As(err, &when):
		return fmt.Errorf("line %d: %q is no time: write it as 2026-11-25T16:20:00Z", lineOf(text, int64(bytes.Index(text, []byte(when.Value)))), when.Value)
	case isUnknown:
		return fmt.Errorf("line %d: no key is named %s: a lead has source, channel, fields, consent, touches, did, reason and stage, and a touch kind, at, source, channel and fields; "+
			"what is known of the lead stands under fields", lineOf(text, int64(bytes.Index(text, []byte(unknown)))), unknown)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New(`it ends too soon: a lead begins as {"source": "website", "touches": [{"kind": "form_submitted"}]}`)
	}
	return fmt.Errorf("it cannot be read: %w", err)
}

func jsonType(kind string) string {
	switch kind {
	case "map", "struct":
		return "an object"
	case "slice":
		return "a list"
	case "int":
		return "a whole number"
	}
	return "a text"
}

func lineOf(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:max(0, min(offset, int64(len(text))))], []byte("\n"))
}

// Check finds what does not fit the agreement, all of it: every error says where and what to do.
func (l Lead) Check(a *agreement.Agreement, at time.Time) error {
	c := checker{agreement: a, terms: score.NewTerms(a)}
	c.source("source", l.Source, true)
	c.channel("channel", l.Channel)
	c.fields("fields", l.Fields)
	c.consent(l.Consent)
	if len(l.Touches) == 0 {
		c.say("touches", `a lead begins with a touch: write [{"kind": "form_submitted"}], or what your source says`)
	}
	for i, t := range l.Touches {
		where := fmt.Sprintf("touches[%d]", i)
		if t.Kind == "" {
			c.say(where+".kind", "say what happened, in the source's word, as form_submitted")
		}
		if t.At.After(at) {
			c.say(where+".at", fmt.Sprintf("%s is after the moment of the trial, %s: give a later --at", t.At.Format(time.RFC3339Nano), at.Format(time.RFC3339Nano)))
		}
		if !t.At.IsZero() && t.At.Year() < 1970 {
			c.say(where+".at", "no event is older than 1970")
		}
		c.source(where+".source", t.Source, false)
		c.channel(where+".channel", t.Channel)
		c.fields(where+".fields", t.Fields)
	}
	c.deeds(l)
	stages := names(a.Stages, func(s agreement.Stage) string { return s.Name })
	if l.Stage != "" && !slices.Contains(stages, l.Stage) {
		c.say("stage", fmt.Sprintf("no stage is named %q: choose one of %s", l.Stage, strings.Join(stages, ", ")))
	}
	return errors.Join(c.faults...)
}

type checker struct {
	agreement *agreement.Agreement
	terms     *score.Terms
	faults    []error
}

func (c *checker) say(where, what string) {
	c.faults = append(c.faults, fmt.Errorf("%s: %s", where, what))
}

func (c *checker) source(where, name string, needed bool) {
	if _, ok := c.agreement.Source(name); ok || name == "" && !needed {
		return
	}
	all := strings.Join(names(c.agreement.Sources, func(s agreement.Source) string { return s.Name }), ", ")
	if name == "" {
		c.say(where, "say who sends it: "+all)
		return
	}
	c.say(where, fmt.Sprintf("no source is named %q: choose one of %s", name, all))
}

func (c *checker) channel(where, name string) {
	if name == "" || name == score.Unlisted || slices.Contains(c.agreement.Channels, name) {
		return
	}
	c.say(where, fmt.Sprintf("no channel is named %q: choose one of %s; any other counts as %s", name,
		strings.Join(append(slices.Clone(c.agreement.Channels), score.Unlisted), ", "), score.Unlisted))
}

func (c *checker) fields(where string, fields map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		i := slices.IndexFunc(c.agreement.Fields, func(f agreement.Field) bool { return f.Name == name })
		if i < 0 {
			c.say(where+"."+name, "the agreement declares no such field: it has "+strings.Join(names(c.agreement.Fields, func(f agreement.Field) string { return f.Name }), ", "))
			continue
		}
		if c.terms.Declared(name, fields[name]) {
			continue
		}
		wants := map[agreement.FieldType]string{agreement.Text: "a text in quotes", agreement.Number: "a number without quotes", agreement.Flag: "true or false"}
		c.say(where+"."+name, fmt.Sprintf("the field is a %s: write %s, or leave it out when it is not known", c.agreement.Fields[i].Type, wants[c.agreement.Fields[i].Type]))
	}
}

func (c *checker) consent(said map[string]bool) {
	purposes := append([]string{lead.Contact}, c.agreement.Consent.Purposes...)
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !slices.Contains(purposes, name) {
			c.say("consent."+name, "the agreement asks for no such consent: it has "+strings.Join(purposes, ", "))
		}
	}
}

func (c *checker) deeds(l Lead) {
	for _, kind := range slices.Sorted(maps.Keys(l.Did)) {
		switch n := l.Did[kind]; {
		case !lead.IsDeed(kind):
			c.say("did."+kind, "sales does none of the kind: choose one of "+strings.Join(agreement.Kinds(), ", "))
		case n < 0 || n > lead.Remembered:
			c.say("did."+kind, fmt.Sprintf("%d is no count that is remembered: write 0 to %d", n, lead.Remembered))
		}
	}
	reasons := names(c.agreement.Rejections, func(r agreement.Rejection) string { return r.Reason })
	switch {
	case l.Did[lead.Rejected] > 0 && len(reasons) > 0 && !slices.Contains(reasons, l.Reason):
		c.say("reason", "a rejection names its reason: one of "+strings.Join(reasons, ", "))
	case l.Did[lead.Rejected] == 0 && l.Reason != "":
		c.say("reason", `only a rejection has one: write "did": {"rejected": 1} with it, or take it out`)
	}
}

func names[T any](all []T, name func(T) string) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = name(one)
	}
	return out
}
