package agreement

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/leadpact/leadpact/internal/calendar"
)

// Parse reads, checks and compiles an agreement. The name stands in faults as the file's. When there are faults, as many as
// can be found in one pass and in the order of the text, the Agreement is nil. Any text is answered within a second or so.
func Parse(name string, text []byte) (*Agreement, []Fault) {
	fs := &faults{file: name}
	doc, root := readDocument(text, maxKeys, fs)
	p := &builder{reader: reader{faults: fs, doc: doc}, a: &Agreement{Text: slices.Clone(text), Hash: hash(text), file: name, places: map[string]place{}}}
	if root != nil {
		p.build(root)
	}
	if list := fs.sorted(); len(list) > 0 {
		return nil, list
	}
	return p.a, nil
}

func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// builder makes the agreement. Names are gathered first, so that sections can refer to each other in any order.
type builder struct {
	reader
	a          *Agreement
	words      vocabulary
	fieldNames []string
	calendars  []string
	pools      []string
	// reach is the most that can be promised on each calendar.
	reach    map[string]time.Duration
	language *language
}

func (b *builder) build(root *node) {
	const what = "an agreement"
	n := b.fields(root, what, "title", "version", "parties", "fields", "channels", "sources", "calendars",
		"scoring", "grades", "stages", "handoff", "pools", "clocks", "rejections", "volumes")
	if n == nil {
		return
	}
	b.a.Title = b.text(b.need(n, what, "title"))
	b.a.Version = b.text(b.need(n, what, "version"))
	if parties := b.fields(b.need(n, what, "parties"), "parties", "marketing", "sales"); parties != nil {
		b.a.Parties = Parties{
			Marketing: b.text(b.need(parties, "parties", "marketing")),
			Sales:     b.text(b.need(parties, "parties", "sales")),
		}
	}
	b.declare(n)
	b.readChannels(n.get("channels"))
	b.readFields(n.get("fields"))
	b.readSources(b.need(n, what, "sources"))
	b.a.Calendars = b.readCalendars(n.get("calendars"))
	b.reach = map[string]time.Duration{Always: reach(calendar.Spec{Always: true})}
	for _, c := range b.a.Calendars {
		b.reach[c.Name] = reach(c)
	}

	var err error
	b.words.fields = b.a.Fields
	if b.language, err = newLanguage(b.words); err != nil {
		b.at(n, err.Error(), "report this: it is a fault of leadpact")
		return
	}
	b.readScoring(n.get("scoring"))
	b.readGrades(n.get("grades"))
	b.readStages(b.need(n, what, "stages"))
	b.readPools(b.need(n, what, "pools"))
	b.readHandoff(b.need(n, what, "handoff"))
	b.readClocks(b.need(n, what, "clocks"))
	b.readRejections(n.get("rejections"))
	b.readVolumes(n.get("volumes"))
	b.keep(n)
	b.prove()
}

// keep remembers where what is named in a section stands, for what shows only when all is read.
func (b *builder) keep(n *node) {
	at := func(section, name *node) {
		if path := section.text + "." + name.text; b.a.places[path] == (place{}) {
			b.a.places[path] = name.place
		}
	}
	for _, section := range n.pairs {
		for _, p := range section.value.pairs {
			at(section.key, p.key)
		}
		for _, item := range section.value.items {
			if name := item.get("name"); name != nil {
				at(section.key, name)
			}
		}
	}
}

// declare gathers the names that other sections may refer to, good and bad: a name that is refused where it is declared is
// not refused again where it is used.
func (b *builder) declare(n *node) {
	for _, c := range b.items(n.get("channels")) {
		b.words.channels = append(b.words.channels, c.text)
	}
	b.fieldNames = keysOf(n.get("fields"))
	b.words.sources = keysOf(n.get("sources"))
	b.words.grades = namesOf(n.get("grades"))
	b.words.stages = namesOf(n.get("stages"))
	b.calendars = append(slices.DeleteFunc(keysOf(n.get("calendars")), func(c string) bool { return c == Always || c == RepHours }), Always)
	b.pools = keysOf(n.get("pools"))
}

func keysOf(n *node) []string {
	var out []string
	if n != nil {
		for _, p := range n.pairs {
			out = append(out, p.key.text)
		}
	}
	return out
}

func namesOf(n *node) []string {
	var out []string
	if n != nil {
		for _, item := range n.items {
			if name := item.get("name"); name != nil && name.kind == scalar {
				out = append(out, name.text)
			}
		}
	}
	return out
}

func (b *builder) readChannels(n *node) {
	seen := map[string]place{}
	for _, item := range b.items(n) {
		if name := b.name(item, seen); name != "" {
			b.a.Channels = append(b.a.Channels, name)
		}
	}
}

// condition compiles the condition n; nil when it is absent or faulty.
func (b *builder) condition(n *node, d dialect, barred map[string]string) *Condition {
	if n == nil || len(b.list) >= maxFaults { // nobody would hear of further faults, and looking for them takes time
		return nil
	}
	if n.kind != scalar || n.text == "" {
		b.at(n, "a condition belongs here", `write it as score >= 50 && lead.country == "DE"`)
		return nil
	}
	size := len([]rune(n.text))
	if b.language.left -= size; size > maxCondition || b.language.left < 0 {
		b.at(n, "the condition is too long", fmt.Sprintf("at most %d characters, and %d in all conditions together", maxCondition, maxConditions))
		return nil
	}
	c, remarks := b.language.compile(d, n.text, barred)
	if len(remarks) == 0 {
		c.place, c.path = n.place, n.path
		return c
	}
	places, lines := b.doc.trace(n), lineStarts(n.text)
	for _, r := range remarks {
		at := places[min(lines[min(r.line-1, len(lines)-1)]+r.column, len(places)-1)]
		b.add(Fault{Line: at.line, Column: at.column, Path: n.path, Message: r.message, Hint: r.hint})
	}
	return nil
}

// lineStarts are the places in characters where the lines of a text begin.
func lineStarts(text string) []int {
	starts := []int{0}
	for i, r := range []rune(text) {
		if r == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}
