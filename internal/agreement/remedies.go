package agreement

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Step is one rung of a ladder of remedies.
type Step struct {
	// After is the time since the breach.
	After time.Duration
	Do    string
	To    string
	For   time.Duration
	By    float64 // 0..1
	Leads int
}

// Ladder is what follows a breach, in the order of time.
type Ladder struct {
	Name  string
	Steps []Step
}

// remedies are the words for what follows a breach.
func remedies() []string {
	return []string{"remind", "escalate", "reassign", "bench", "reduce-weight", "credit", "executive-notice"}
}

func (b *builder) ladder(n *node) string {
	name := b.ref(n, "ladder of remedies", b.ladders)
	if name != "" {
		b.usedLadders[name] = true
	}
	return name
}

func (b *builder) readRemedies(n *node) {
	b.pending(n, "ladders of remedies")
	for _, p := range b.entries(n, "remedies") {
		l := Ladder{Name: p.key.text}
		for _, item := range b.rows(p.value, "a ladder of remedies") {
			v := b.fields(item, &stepShape)
			if v == nil {
				continue
			}
			s := Step{After: b.duration(v.get("after")), Do: b.oneOf(b.need(v, "do"), "remedy", remedies()...), To: b.text(v.get("to")), For: b.duration(v.get("for"))}
			if by := v.get("by"); by != nil {
				s.By = float64(b.percent(by, 1, 100)) / 100
			}
			if leads := v.get("leads"); leads != nil {
				s.Leads = b.count(leads, 1_000_000)
			}
			b.checkStep(v, s)
			if k := len(l.Steps); k > 0 && s.After < l.Steps[k-1].After {
				b.at(v, "this step comes before the one above it", "write the steps in the order of their time")
			}
			l.Steps = append(l.Steps, s)
		}
		if p.value.kind == null || p.value.kind == list && len(p.value.items) == 0 {
			b.at(p.value, "a ladder of remedies has a step", "write - {do: remind}")
		}
		if !b.usedLadders[l.Name] {
			b.at(p.key, fmt.Sprintf("no promise names the remedies %s", quote(l.Name)), "name them: remedies: "+l.Name+"; or take them out")
		}
		b.a.Ladders = append(b.a.Ladders, l)
	}
}

// checkStep wants of a step what it cannot do without, and nothing that goes with another.
func (b *builder) checkStep(v *node, s Step) {
	asks := map[string][]string{"bench": {"for"}, "reduce-weight": {"by", "for"}, "credit": {"leads"}, "escalate": {"to"}}
	for _, key := range asks[s.Do] {
		b.need(v, key)
	}
	for _, key := range []string{"to", "for", "by", "leads"} {
		extra := v.get(key)
		if extra != nil && s.Do != "" && !slices.Contains(asks[s.Do], key) && (key != "to" || s.Do != "remind") {
			b.at(extra, fmt.Sprintf("%s does not go with %s", quote(key), s.Do), "")
		}
	}
}

func (a *Agreement) sayRemedies() Section {
	s := Section{Title: "What follows a breach", Pending: true}
	for _, l := range a.Ladders {
		var steps []string
		for _, step := range l.Steps {
			steps = append(steps, step.words())
		}
		s.add(l.Name, l.Name, nil, Fact{"", strings.Join(steps, "; ")})
	}
	return s
}

// words tell a step: "after 4 hours: reduce the weight by 50 % for 1 week".
func (s Step) words() string {
	when, what := "at once", s.Do
	if s.After > 0 {
		when = "after " + spell(s.After)
	}
	if s.To != "" {
		what += " to " + s.To
	}
	if s.By > 0 {
		what += " by " + percentage(s.By)
	}
	if s.For > 0 {
		what += " for " + spell(s.For)
	}
	if s.Leads > 0 {
		what += " of " + plural(float64(s.Leads), "lead", "leads")
	}
	return when + ": " + what
}
