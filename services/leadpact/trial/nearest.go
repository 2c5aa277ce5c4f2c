package trial

import (
	"cmp"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/lead"
	"github.com/leadpact/leadpact/services/scoring/score"
)

const (
	// mostTried bounds the search, so that an agreement of thousands of rules answers within a second or two.
	mostTried = 1500
	// mostTouches is how many more touches of one kind are tried.
	mostTouches = 10
	// mostVariants bounds the touches that are made of one rule.
	mostVariants = 32
	// mostShown is how many changes are kept for each decision, one for each thing that changes.
	mostShown = 3
)

// Otherwise is what would have turned one decision.
type Otherwise struct {
	Decision string `json:"decision"` // stage, grade, persona or route
	Was      string `json:"was"`
	// Ways are the nearest first; none when nothing that was tried would.
	Ways []Way `json:"ways"`
}

// Way is a change, and what it leads to.
type Way struct {
	Change  Change `json:"change"`
	Words   string `json:"words"`
	Becomes string `json:"becomes"`
}

// The decisions.
const (
	ofStage   = "stage"
	ofGrade   = "grade"
	ofPersona = "persona"
	ofRoute   = "route"
)

// of is the decision of that name.
func (d decision) of(name string) string {
	switch name {
	case ofStage:
		return d.stage
	case ofGrade:
		return d.grade
	case ofPersona:
		return d.persona
	}
	return d.pool
}

// otherwise tries changes of one thing on the product's own core and keeps those that turn a decision. Which values to try it takes from
// the agreement's own conditions.
func (q Question) otherwise(terms *score.Terms, s *story) (out []Otherwise, tried, suggested int) {
	was := s.decision(q.Agreement)
	changes := q.suggestions(s)
	suggested = len(changes)
	// The nearest come first; so the search leaves out only what is farther.
	slices.SortStableFunc(changes, func(x, y Change) int { return cmp.Compare(x.size(), y.size()) })
	changes = changes[:min(len(changes), mostTried)]
	for _, of := range []string{ofStage, ofGrade, ofPersona, ofRoute} {
		if of == ofGrade && len(q.Agreement.Grades) == 0 || of == ofPersona && len(q.Agreement.Personas) == 0 {
			continue
		}
		out = append(out, Otherwise{Decision: of, Was: was.of(of), Ways: []Way{}})
	}
	for _, c := range changes {
		other := tell(q.Agreement, terms, c.Apply(q.Lead, q.At), q.At)
		becomes := other.decision(q.Agreement)
		for i := range out {
			out[i].consider(c, becomes.of(out[i].Decision))
		}
	}
	return out, len(changes), suggested
}

// consider keeps a change that turns the decision, unless a nearer one of the same thing is kept.
func (o *Otherwise) consider(c Change, becomes string) {
	if becomes == o.Was || len(o.Ways) >= mostShown {
		return
	}
	if slices.ContainsFunc(o.Ways, func(w Way) bool { return w.Change.What == c.What && w.Change.Name == c.Name }) {
		return
	}
	o.Ways = append(o.Ways, Way{c, c.String(), becomes})
}

// suggestions are the changes of one thing that the agreement's conditions give reason to try.
func (q Question) suggestions(s *story) []Change {
	l := literals{}
	for _, c := range conditions(q.Agreement) {
		l.gather(c)
	}
	out := q.fieldChanges(s, l)
	out = append(out, q.consentChanges(l)...)
	out = append(out, q.touchChanges()...)
	out = append(out, q.originChanges(s, l)...)
	return append(out, q.deedChanges(l)...)
}

// conditions are all on leads, and the rules' on touches.
func conditions(a *agreement.Agreement) []*agreement.Condition {
	var out []*agreement.Condition
	for _, r := range a.Scoring.Rules {
		out = append(out, r.When, r.On)
	}
	for _, g := range a.Grades {
		out = append(out, g.When)
	}
	for _, s := range a.Stages {
		out = append(out, s.When)
	}
	for _, r := range a.Handoff.Routes {
		out = append(out, r.When)
	}
	for _, p := range a.Personas {
		for _, t := range p.Traits {
			out = append(out, t.When)
		}
	}
	return out
}

// literals are what conditions compare each variable with.
type literals map[agreement.Variable][]any

func (l literals) gather(c *agreement.Condition) {
	for _, one := range c.Comparisons() {
		for _, v := range one.Variables {
			for _, value := range one.Literals {
				l[v] = append(l[v], values(one.Operator, value)...)
			}
		}
	}
}

// values are what to try for a literal: at a number's threshold and on both sides of it, and what matches a pattern.
func values(operator string, literal any) []any {
	switch literal := literal.(type) {
	case float64:
		step := 1.0
		if literal != math.Trunc(literal) {
			step = 0.01
		}
		hundredths := func(n float64) float64 { return math.Round(n*100) / 100 }
		return []any{literal, hundredths(literal + step), hundredths(literal - step)}
	case string:
		if operator != "matches" {
			return []any{literal}
		}
		var out []any
		pattern, err := regexp.Compile(literal)
		for word := range strings.SplitSeq(literal, "|") {
			if word = strings.Trim(word, `^$()\b`); err == nil && pattern.MatchString(word) {
				out = append(out, word)
			}
		}
		return out
	}
	return []any{literal}
}

// distinct are the values once each, in their order.
func distinct(all []any) []any {
	seen := make(map[any]bool, len(all))
	var out []any
	for _, v := range all {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// fieldChanges give each field each value that a condition asks for, and take away what is known.
func (q Question) fieldChanges(s *story, l literals) []Change {
	var out []Change
	terms := score.NewTerms(q.Agreement)
	for _, f := range q.Agreement.Fields {
		from := s.known.Fields[f.Name].Value
		all := slices.Concat(l[agreement.Variable{Subject: "lead", Name: f.Name}], l[agreement.Variable{Subject: "touch", Name: f.Name}])
		if len(l[agreement.Variable{Subject: "known", Name: f.Name}]) > 0 {
			all = append(all, map[agreement.FieldType]any{agreement.Text: "known", agreement.Number: 1.0, agreement.Flag: true}[f.Type])
		}
		for _, to := range distinct(all) {
			if to != from && terms.Declared(f.Name, to) {
				out = append(out, Change{What: ofField, Name: f.Name, From: from, To: to})
			}
		}
		if from != nil {
			out = append(out, Change{What: ofField, Name: f.Name, From: from})
		}
	}
	return out
}

// consentChanges grant or withdraw what a condition asks for.
func (q Question) consentChanges(l literals) []Change {
	var out []Change
	for _, purpose := range q.Agreement.Consent.Purposes {
		if len(l[agreement.Variable{Subject: "consent", Name: purpose}]) == 0 {
			continue
		}
		c := Change{What: ofConsent, Name: purpose, To: !q.Lead.Consent[purpose]}
		if granted, said := q.Lead.Consent[purpose]; said {
			c.From = granted
		}
		out = append(out, c)
	}
	return out
}

// touchChanges bring what the rules on touches ask for, once and again.
func (q Question) touchChanges() []Change {
	var variants []Touch
	for _, r := range q.Agreement.Scoring.Rules {
		if r.On == nil {
			continue
		}
		l := literals{}
		l.gather(r.On)
		variants = append(variants, q.variants(l)...)
	}
	var out []Change
	for i := range variants {
		for more := 1; more <= mostTouches; more++ {
			out = append(out, Change{What: ofTouch, Name: variants[i].Kind, More: more, Touch: &variants[i]})
		}
	}
	return out
}

// variants are touches with the values that one rule names, each with each.
func (q Question) variants(l literals) []Touch {
	out := []Touch{{Kind: q.Lead.Touches[0].Kind}}
	each := func(values []any, set func(*Touch, string)) {
		var more []Touch
		for _, t := range out {
			for _, v := range distinct(values) {
				if text, ok := v.(string); ok {
					set(&t, text)
					more = append(more, t)
				}
			}
		}
		if len(more) > 0 {
			out = more[:min(len(more), mostVariants)]
		}
	}
	each(l[agreement.Variable{Subject: "touch", Name: "kind"}], func(t *Touch, v string) { t.Kind = v })
	each(l[agreement.Variable{Subject: "touch", Name: "source"}], func(t *Touch, v string) { t.Source = v })
	each(l[agreement.Variable{Subject: "touch", Name: "channel"}], func(t *Touch, v string) { t.Channel = v })
	terms := score.NewTerms(q.Agreement)
	for _, f := range q.Agreement.Fields {
		var more []Touch
		for _, v := range distinct(l[agreement.Variable{Subject: "touch", Name: f.Name}]) {
			for _, t := range out {
				if terms.Declared(f.Name, v) {
					t.Fields = maps.Clone(t.Fields)
					if t.Fields == nil {
						t.Fields = map[string]any{}
					}
					t.Fields[f.Name] = v
					more = append(more, t)
				}
			}
		}
		if len(more) > 0 {
			out = more[:min(len(more), mostVariants)]
		}
	}
	return out
}

// originChanges have the lead come from another source, or on another channel.
func (q Question) originChanges(s *story, l literals) []Change {
	var out []Change
	channel := score.Channel(q.Agreement, s.known.First.Channel)
	if len(l[agreement.Variable{Name: "channel"}]) > 0 {
		for _, to := range append(slices.Clone(q.Agreement.Channels), score.Unlisted) {
			if to != channel {
				out = append(out, Change{What: ofChannel, From: channel, To: to})
			}
		}
	}
	if len(l[agreement.Variable{Name: "source"}]) > 0 {
		for _, to := range q.Agreement.Sources {
			if to.Name != s.known.First.Source {
				out = append(out, Change{What: ofSource, From: s.known.First.Source, To: to.Name})
			}
		}
	}
	return out
}

// deedChanges have sales do one more of a kind, as many as a condition asks for, or nothing of it.
func (q Question) deedChanges(l literals) []Change {
	var out []Change
	for _, kind := range agreement.Kinds() {
		now := q.Lead.Did[kind]
		counts := []any{float64(now + 1)}
		if now > 0 {
			counts = append(counts, 0.0)
		}
		for _, v := range distinct(append(counts, l[agreement.Variable{Subject: "did", Name: kind}]...)) {
			n, ok := v.(float64)
			to := int(n)
			if !ok || float64(to) != n || to == now || to < 0 || to > lead.Remembered {
				continue
			}
			c := Change{What: ofDeed, Name: kind, More: to - now}
			if kind == lead.Rejected && to > 0 {
				c.Reason = q.reason()
			}
			out = append(out, c)
		}
	}
	return out
}

// reason is why a lead would be given back: as it was, or for one that sends it back to marketing, for no other changes its stage.
func (q Question) reason() string {
	all := q.Agreement.Rejections
	if q.Lead.Reason != "" || len(all) == 0 {
		return q.Lead.Reason
	}
	return all[max(0, slices.IndexFunc(all, func(r agreement.Rejection) bool { return r.Recycle }))].Reason
}
