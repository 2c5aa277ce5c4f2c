package agreement

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/leadpact/leadpact/internal/calendar"
)

// Term is a word that both sides use in one sense.
type Term struct {
	Name string
	Says string
	// When holds of the leads that the word is true of; nil of a word in prose only and of one with a checklist.
	When *Condition
	// Checklist are the fields that must be known for it, in the order of the text: budget, authority, need and timing of BANT.
	Checklist []Check
	// ReviewBy is the day by which both sides look at it again; the zero Date is none.
	ReviewBy calendar.Date
}

// Check is one field of a checklist and what it stands for.
type Check struct{ Aspect, Field string }

// Persona is a kind of person among the leads.
type Persona struct {
	Name string
	Says string
	// Traits speak for it by their weights.
	Traits []Trait
	// Least is the share of the weights that must hold, 0..1.
	Least float64
	// WinRate, 0..1, and Deal say what such a lead is worth; both 0 when nobody says.
	WinRate, Deal float64
	Owner         Side // or ""
	Evidence      string
	ReviewBy      calendar.Date
}

// Trait is one thing that speaks for a persona.
type Trait struct {
	When   *Condition
	Weight int
}

// ICP is the ideal customer; conditions name it is("icp").
type ICP struct {
	Says     string
	When     *Condition
	Owner    Side // or ""
	Evidence string
	ReviewBy calendar.Date
}

const (
	// icpTerm is the term that the ideal customer brings.
	icpTerm = "icp"
	// Unmatched is the persona of a lead that is none of them.
	Unmatched = "unmatched"
	// maxSummary bounds the summary in characters: half a page.
	maxSummary = 1200
)

// PersonaOf tells which persona a lead is, and how clearly: the margin is the share of weight, 0..1, that would have to go or come for
// another answer. Of two that match alike the first in the document is it. A lead that reaches none is Unmatched.
func (a *Agreement) PersonaOf(l *Lead) (string, float64) {
	shares, at := make([]float64, len(a.Personas)), -1
	for i, p := range a.Personas {
		if shares[i] = p.share(l); shares[i] >= p.Least && (at < 0 || shares[i] > shares[at]) {
			at = i
		}
	}
	name, margin, best := Unmatched, 1.0, 0.0
	if at >= 0 {
		name, best = a.Personas[at].Name, shares[at]
		margin = best - a.Personas[at].Least
	}
	for i, p := range a.Personas {
		if i != at { // what it lacks to be the answer
			margin = min(margin, max(p.Least, best)-shares[i])
		}
	}
	return name, margin
}

// share is how much of the weights of its traits a lead has. A trait that costs too much to ask counts as missing.
func (p Persona) share(l *Lead) float64 {
	have, all := 0, 0
	for _, t := range p.Traits {
		all += t.Weight
		if holds, err := t.When.Holds(l); err == nil && holds {
			have += t.Weight
		}
	}
	if all == 0 {
		return 0
	}
	return float64(have) / float64(all)
}

// termText is the condition that a term stands for, or "" for a word in prose: its own, that of its stage, or that its checklist is known.
func termText(n *node) string {
	if n == nil || n.kind != mapping {
		return ""
	}
	if when := n.get("when"); when != nil {
		return when.text
	}
	if stage := n.get("stage"); stage != nil {
		return fmt.Sprintf("stage == %q", stage.text)
	}
	var known []string
	for _, key := range []string{"bant", "checklist"} {
		if list := n.get(key); list != nil {
			for _, p := range list.pairs {
				known = append(known, fmt.Sprintf("known(%q)", p.value.text))
			}
		}
	}
	return strings.Join(known, " && ")
}

// declareTerms tells the language what is("…") may name.
func (b *builder) declareTerms(terms, icp *node) {
	b.language.terms = map[string]*meaning{}
	if terms != nil {
		for _, p := range terms.pairs {
			b.language.terms[p.key.text] = &meaning{text: termText(p.value)}
		}
	}
	if when := icp.get("when"); when != nil {
		b.language.terms[icpTerm] = &meaning{text: when.text}
	}
	b.language.termNames = sortedKeys(b.language.terms)
	for _, name := range b.language.termNames {
		b.language.define(name)
	}
	for _, t := range b.language.terms {
		t.used = false
	}
}

func (b *builder) readTerms(n *node) {
	for _, p := range b.entries(n, "terms") {
		if p.key.text == icpTerm && b.a.ICP != nil {
			b.at(p.key, quote(icpTerm)+" is the ideal customer's own term", "say it there")
			continue
		}
		t := Term{Name: p.key.text}
		if p.value.kind == scalar {
			t.Says = b.prose(p.value)
			b.a.Terms = append(b.a.Terms, t)
			continue
		}
		v := b.fields(p.value, &termShape)
		if v == nil {
			continue
		}
		t.Says, t.ReviewBy = b.prose(v.get("says")), b.reviewBy(v.get("review_by"), "the term "+quote(t.Name))
		bound := 0
		for _, key := range []string{"when", "stage", "bant", "checklist"} {
			if v.get(key) != nil {
				bound++
			}
		}
		if bound > 1 {
			b.at(v, "a term is bound to one rule", "keep one of when, stage, bant and checklist")
		}
		if when := v.get("when"); when != nil {
			t.When = b.condition(when, b.language.lead, nil)
		}
		if stage := v.get("stage"); stage != nil && b.ref(stage, "stage", b.words.stages) != "" {
			t.When = b.condition(&node{place: stage.place, path: stage.path, kind: scalar, text: termText(v)}, b.language.lead, nil)
			b.mention(t.Name) // the funnel uses it
		}
		if bant := b.fields(v.get("bant"), &bantShape); bant != nil {
			t.Checklist = b.checklist(bant, bantShape.names())
			for _, key := range bantShape.names() {
				b.need(bant, key)
			}
			b.checkBANT(bant, t.Checklist)
		}
		if list := v.get("checklist"); list != nil {
			if list.kind == mapping && len(list.pairs) == 0 {
				b.at(list, "a checklist without fields says nothing", "write what must be known: {size: employees}")
			}
			for _, p := range b.entries(list, "a checklist") {
				t.Checklist = append(t.Checklist, Check{p.key.text, b.ref(p.value, "field", b.fieldNames)})
			}
		}
		b.a.Terms = append(b.a.Terms, t)
	}
}

// checkBANT wants four answers of their own.
func (b *builder) checkBANT(n *node, list []Check) {
	for i, c := range list {
		if j := slices.IndexFunc(list[:i], func(o Check) bool { return o.Field == c.Field }); c.Field != "" && j >= 0 {
			b.at(n.get(c.Aspect), fmt.Sprintf("the field %s stands for the %s already", quote(c.Field), list[j].Aspect), "BANT asks four things; name a field for each")
		}
	}
}

func (b *builder) checklist(n *node, aspects []string) []Check {
	var out []Check
	for _, aspect := range aspects {
		if field := n.get(aspect); field != nil {
			out = append(out, Check{aspect, b.ref(field, "field", b.fieldNames)})
		}
	}
	return out
}

func (b *builder) readPersonas(n *node) {
	seen := map[string]place{}
	for _, item := range b.rows(n, "personas") {
		v := b.fields(item, &personaShape)
		if v == nil {
			continue
		}
		p := Persona{
			Name: b.name(b.need(v, "name"), seen), Says: b.prose(v.get("says")), Least: 1,
			Owner: b.side(v.get("owner")), Evidence: b.prose(v.get("evidence")),
		}
		p.ReviewBy = b.reviewBy(v.get("review_by"), "the persona "+quote(p.Name))
		if p.Name == Unmatched {
			b.at(v.get("name"), quote(Unmatched)+" is the persona of a lead that is none of them", "choose another name")
		}
		if least := v.get("least"); least != nil {
			p.Least = float64(b.percent(least, 1, 100)) / 100
		}
		if worth := b.fields(v.get("worth"), &worthShape); worth != nil {
			p.WinRate = float64(b.percent(b.need(worth, "win_rate"), 1, 100)) / 100
			p.Deal = b.amount(b.need(worth, "deal"))
		}
		traits := b.need(v, "traits")
		if traits != nil && traits.kind == list && len(traits.items) == 0 {
			b.at(traits, "a persona without traits is nobody", "say what speaks for it: - when: lead.employees < 50")
		}
		for _, item := range b.rows(traits, "traits") {
			if t := b.fields(item, &traitShape); t != nil {
				p.Traits = append(p.Traits, Trait{When: b.condition(b.need(t, "when"), b.language.lead, barredInTraits), Weight: b.count(t.get("weight"), 1000)})
			}
		}
		b.a.Personas = append(b.a.Personas, p)
	}
}

func (b *builder) readICP(n *node) {
	v := b.fields(n, &icpShape)
	if v == nil {
		return
	}
	b.a.ICP = &ICP{
		When: b.condition(b.need(v, "when"), b.language.lead, barredInTraits), Says: b.prose(v.get("says")),
		Owner: b.side(v.get("owner")), Evidence: b.prose(v.get("evidence")), ReviewBy: b.reviewBy(v.get("review_by"), "the ideal customer"),
	}
}

func (r *reader) side(n *node) Side {
	return Side(r.oneOf(n, "party", string(Marketing), string(Sales)))
}

// reviewBy remembers when a definition is to be looked at again.
func (b *builder) reviewBy(n *node, what string) calendar.Date {
	day := b.day(n)
	if day != (calendar.Date{}) {
		b.a.definitions = append(b.a.definitions, definition{n.place, n.path, what, day})
	}
	return day
}

// definition is something whose review falls due.
type definition struct {
	place
	path string
	what string
	by   calendar.Date
}

// Stale finds the definitions that were to be looked at again before the day.
func (a *Agreement) Stale(day calendar.Date) []Fault {
	fs := &faults{file: a.file}
	for _, d := range a.definitions {
		if d.by.String() < day.String() {
			fs.add(Fault{
				Line: d.line, Column: d.column, Path: d.path,
				Message: fmt.Sprintf("%s was to be looked at again by %s", d.what, d.by),
				Hint:    "look at it with the other side, then write the next day",
			})
		}
	}
	return a.joined.Place(fs.sorted())
}

// fieldTerms are words of the field that mean something else in every company: who writes them must say what they mean here.
var fieldTerms = []string{"MQL", "SAL", "SQL", "SQO", "SRL", "BANT", "MEDDIC", "ICP"}

var acronym = regexp.MustCompile(`\b[A-Z]{3,6}s?\b`)

// longestTerm is how many words a term in prose may have.
const longestTerm = 6

// mention notes that a term is used.
func (b *builder) mention(term string) {
	if t := b.language.terms[term]; t != nil {
		t.used = true
	}
}

// spokenTerms are the terms by how prose writes them, whatever their capitals and with spaces for hyphens. Two that prose writes alike
// are a fault at the second.
func (b *builder) spokenTerms(n *node) map[string]string {
	spoken := map[string]string{}
	if b.a.ICP != nil {
		spoken[icpTerm] = icpTerm
	}
	for _, p := range pairsOf(n) {
		name := p.key.text
		phrase := strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(name))
		if first, ok := spoken[phrase]; ok && first != name {
			b.at(p.key, fmt.Sprintf("a text that names the term %s may mean %s as well", quote(name), quote(first)), "choose another name: capitals, spaces and hyphens make no difference")
			b.mention(name) // one fault is enough
			continue
		}
		spoken[phrase] = name
	}
	return spoken
}

// singulars are a phrase, and what it may be the plural of.
func singulars(phrase string) []string {
	out := []string{phrase}
	if one, ok := strings.CutSuffix(phrase, "s"); ok {
		out = append(out, one)
	}
	if one, ok := strings.CutSuffix(phrase, "es"); ok {
		out = append(out, one)
	}
	if one, ok := strings.CutSuffix(phrase, "ies"); ok {
		out = append(out, one+"y")
	}
	return out
}

// checkTerms finds terms that are used and not defined, and those that are defined and not used. Prose uses a term by its name, in the
// plural too, and a proposal by its clause.
func (b *builder) checkTerms(n *node) {
	spoken := b.spokenTerms(n)
	for _, p := range b.proses {
		words := strings.FieldsFunc(strings.ToLower(p.text), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
		for i := range words {
			for k := i + 1; k <= min(i+longestTerm, len(words)); k++ {
				for _, phrase := range singulars(strings.Join(words[i:k], " ")) {
					if name, ok := spoken[phrase]; ok {
						if p.path != "terms."+name && !strings.HasPrefix(p.path, "terms."+name+".") {
							b.mention(name)
						}
						break
					}
				}
			}
		}
		for _, at := range acronym.FindAllStringIndex(p.text, -1) {
			word := strings.TrimSuffix(p.text[at[0]:at[1]], "s")
			if !slices.Contains(fieldTerms, word) || b.defines(word) {
				continue
			}
			places := b.doc.trace(p)
			where := places[min(len([]rune(p.text[:at[0]])), len(places)-1)]
			b.add(Fault{
				Line: where.line, Column: where.column, Path: p.path, Message: fmt.Sprintf("the term %s is used and not defined", word),
				Hint: fmt.Sprintf("say what it means here: terms: {%s: {when: …}}", strings.ToLower(word)),
			})
			break // once for each text
		}
	}
	for _, p := range b.a.Proposals {
		b.mention(p.Clause)
	}
	for _, p := range pairsOf(n) {
		if t := b.language.terms[p.key.text]; t != nil && !t.used && p.key.text != icpTerm {
			b.at(p.key, fmt.Sprintf("the term %s is defined and not used", quote(p.key.text)), "use it: is(\""+p.key.text+"\") in a condition, or its name in a text; or take it out")
		}
	}
}

// pairsOf are the entries of a mapping that may be absent.
func pairsOf(n *node) []pair {
	if n == nil {
		return nil
	}
	return n.pairs
}

// defines says whether a term of that name is defined, whatever its capitals.
func (b *builder) defines(word string) bool {
	for name := range b.language.terms {
		if strings.EqualFold(name, word) {
			return true
		}
	}
	return false
}

func (a *Agreement) sayTerms() Section {
	s := Section{Title: "What the words mean"}
	for _, t := range a.Terms {
		var list []string
		for _, c := range t.Checklist {
			list = append(list, c.Aspect+" in "+c.Field)
		}
		s.add(t.Name, t.Name, nil, Fact{"", t.Says}, Fact{"true when", t.When.words()}, Fact{"asks for", strings.Join(list, ", ")}, Fact{"reviewed by", said(t.ReviewBy)})
	}
	return s
}

func (a *Agreement) sayPersonas() Section {
	s := Section{Title: "Whom we look for", Ordered: true}
	if a.ICP != nil {
		s.add("\nicp", "ideal customer", nil, Fact{"", a.ICP.Says}, Fact{"when", a.ICP.When.words()}, Fact{"kept by", string(a.ICP.Owner)},
			Fact{"evidence", a.ICP.Evidence}, Fact{"reviewed by", said(a.ICP.ReviewBy)})
	}
	for _, p := range a.Personas {
		var traits []string
		for _, t := range p.Traits {
			traits = append(traits, fmt.Sprintf("%s (%d)", t.When.words(), t.Weight))
		}
		s.add(p.Name, "persona "+p.Name, nil, Fact{"", p.Says}, Fact{"traits", strings.Join(traits, "; ")}, Fact{"at least", percentage(p.Least)},
			Fact{"won", percentage(p.WinRate)}, Fact{"a deal brings", positive(p.Deal)}, Fact{"kept by", string(p.Owner)},
			Fact{"evidence", p.Evidence}, Fact{"reviewed by", said(p.ReviewBy)})
	}
	return s
}
