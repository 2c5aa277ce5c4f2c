package agreement

import (
	"regexp"
	"strings"
)

// settle says in which cells each question of the formula is true. It is called when all conditions are read and the cells are cut.
func (p *prover) settle(f *formula) *formula {
	if f.join != lone {
		out := &formula{join: f.join, parts: make([]*formula, len(f.parts))}
		for i, part := range f.parts {
			out.parts[i] = p.settle(part)
		}
		return out
	}
	q := f.question
	s := p.subjects[q.subject]
	if p.steps -= 1 + len(s.cells)/8; p.steps < 0 {
		return truth(true) // nothing will be said
	}
	yes, unsure := newSet(len(s.cells)), newSet(len(s.cells))
	for i, c := range s.cells {
		switch holds, sure := q.answer(c); {
		case s.fails && i == isError:
		case !sure:
			unsure.add(i)
		case holds != q.denied:
			yes.add(i)
		}
	}
	certain := &formula{question: q, in: yes}
	if unsure.empty() {
		return certain
	}
	test := p.test(q)
	in := newSet(len(p.subjects[test].cells))
	in.add(isTrue)
	if q.denied {
		in = p.subjects[test].all.without(in)
	}
	return both(all, &formula{question: q, in: yes.or(unsure)},
		both(anyOf, certain, &formula{question: question{subject: test}, in: in}))
}

// answer is what is true in a cell, and whether it is of all values in it.
func (q question) answer(c cell) (holds, sure bool) {
	switch {
	case q.number != nil:
		return q.number(c.number), true
	case q.flag != nil:
		return q.flag(c), true
	case q.lower && (!c.other || c.inLower):
		return q.text(strings.ToLower(c.text)), true
	case c.other:
		return false, !q.looks
	}
	return q.text(c.text), true
}

// test is the subject that stands for what a text test finds in texts that no condition names.
func (p *prover) test(q question) int {
	key := "? " + q.how + " " + p.subjects[q.subject].name + " " + q.word
	if q.lower {
		key = "? lower" + key[1:]
	}
	if i, ok := p.names[key]; ok {
		return i
	}
	i := p.subject(key, variable{})
	p.subjects[i].cut()
	const most = 64 // of one agreement have to do with each other
	if len(p.tests) < most {
		for _, o := range p.tests {
			if o.subject == q.subject && o.lower == q.lower {
				p.link(i, q, p.names[o.key], o.question)
				p.link(p.names[o.key], o.question, i, q)
			}
		}
		p.tests = append(p.tests, textTest{q, key})
	}
	return i
}

type textTest struct {
	question
	key string
}

// link keeps what follows for one test when another is true of a text.
func (p *prover) link(i int, a question, j int, b question) {
	follows, excludes := false, false
	begins := func(f func(string, string) bool) {
		follows = a.how == b.how && f(a.word, b.word) || b.how == "contains" && strings.Contains(a.word, b.word)
		excludes = a.how == b.how && !f(a.word, b.word) && !f(b.word, a.word)
	}
	switch a.how {
	case "contains":
		follows = b.how == a.how && strings.Contains(a.word, b.word)
	case "startsWith":
		begins(strings.HasPrefix)
	case "endsWith":
		begins(strings.HasSuffix)
	case "matches":
		if word, ok := plainPattern(a.word); ok {
			follows = b.how == "contains" && strings.Contains(word, b.word)
		}
	}
	yes := newSet(2)
	yes.add(isTrue)
	no := newSet(2)
	no.add(isFalse)
	switch {
	case follows:
		p.links[i] = append(p.links[i], consequence{yes, j, yes})
		p.links[j] = append(p.links[j], consequence{no, i, no})
	case excludes:
		p.links[i] = append(p.links[i], consequence{yes, j, no})
	}
}

// plainPattern is the word that a pattern looks for when it is no more than a word.
func plainPattern(pattern string) (string, bool) {
	return pattern, pattern != "" && regexp.QuoteMeta(pattern) == pattern
}
