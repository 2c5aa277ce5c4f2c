package agreement

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/calendar"
)

// Parse reads, checks and compiles an agreement. The name stands in faults as the file's. When there are faults, as many as
// can be found in one pass and in the order of the text, the Agreement is nil. Any text is answered within a second or so.
func Parse(name string, text []byte) (*Agreement, []Fault) {
	fs, canonical := &faults{file: name}, Canonical(text)
	doc, root := readDocument(text, maxKeys, fs)
	p := &builder{reader: reader{faults: fs, doc: doc}, a: &Agreement{Text: canonical, Hash: hash(canonical), file: name, places: map[string]place{}}}
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
	groups     []string
	ladders    []string
	perLead    []string // the names of clocks and records
	promises   []string // these and those of obligations
	// promisedAt is where each of them stands: they share their names.
	promisedAt              map[string]place
	usedLadders, usedGroups map[string]bool
	proses                  []*node
	// reach is the most that can be promised on each calendar.
	reach    map[string]time.Duration
	language *language
}

func (b *builder) build(root *node) {
	n := b.fields(root, &agreementShape)
	if n == nil {
		return
	}
	title := b.need(n, "title")
	if b.a.Title = b.text(title); b.a.Title != "" {
		b.proses = append(b.proses, title)
	}
	b.a.Version = b.text(b.need(n, "version"))
	b.readFollows(n.get("follows"))
	b.readUnderWay(n.get("under_way"))
	b.readParties(b.need(n, "parties"))
	if include := n.get("include"); include != nil {
		b.at(include, "the files that this one includes are not read here", "give the file to leadpact by its name: it joins them")
	}
	b.readSummary(n.get("summary"))
	b.declare(n)
	b.readChannels(n.get("channels"))
	b.readFields(n.get("fields"))
	b.readConsent(n.get("consent"))
	b.readSources(b.need(n, "sources"))
	b.a.Calendars = b.readCalendars(n.get("calendars"))
	b.reach = map[string]time.Duration{Always: reach(calendar.Spec{Always: true})}
	for _, c := range b.a.Calendars {
		b.reach[c.Name] = reach(c)
	}

	var err error
	b.words.fields = b.a.Fields
	if b.language, err = newLanguage(b.words, func(l *Lead) string { name, _ := b.a.PersonaOf(l); return name }); err != nil {
		b.at(n, err.Error(), "report this: it is a fault of leadpact")
		return
	}
	b.declareTerms(n.get("terms"), n.get("icp"))
	b.readICP(n.get("icp"))
	b.readTerms(n.get("terms"))
	b.readPersonas(n.get("personas"))
	b.readGroups(n.get("groups"))
	b.readScoring(n.get("scoring"))
	b.checkGroups(n.get("groups"))
	b.readGrades(n.get("grades"))
	b.readStages(b.need(n, "stages"))
	b.readPools(b.need(n, "pools"))
	b.readHandoff(b.need(n, "handoff"))
	b.readClocks(b.need(n, "clocks"))
	b.giveOwners()
	b.readScope(n.get("scope"))
	b.readRecords(n.get("records"))
	b.readRejections(n.get("rejections"))
	b.readObligations(n.get("obligations"))
	b.readCaps(n.get("caps"))
	b.readServices(n.get("services"))
	b.readRemedies(n.get("remedies"))
	b.readAssets(n.get("assets"))
	b.readGoals(n.get("goals"))
	b.readMeetings(n.get("meetings"))
	b.readReview(n.get("review"))
	b.readDisputes(n.get("disputes"))
	b.readRules(n)
	b.checkTerms(n.get("terms"))
	b.keep(n)
	b.prove()
}

// readSummary reads what is for those who sign: it has to fit on half a page.
func (b *builder) readSummary(n *node) {
	if n == nil {
		return
	}
	switch {
	case n.kind != scalar || strings.TrimSpace(n.text) == "":
		b.at(n, "a text belongs here", "say in a few sentences what the two sides promise each other")
	case utf8.RuneCountInString(n.text) > maxSummary:
		b.at(n, fmt.Sprintf("the summary has %d characters; at most %d fit on half a page", utf8.RuneCountInString(n.text), maxSummary), "say less: the clauses say the rest")
	default:
		b.a.Summary = n.text
		b.proses = append(b.proses, n)
	}
}

// prose is a text in words, in which terms may stand.
func (b *builder) prose(n *node) string {
	text := b.lines(n)
	if text != "" {
		b.proses = append(b.proses, n)
	}
	return text
}

// pending remembers that the text asks for something that no service does yet.
func (b *builder) pending(n *node, what string) {
	if n == nil || n.kind == null || n.kind != scalar && len(n.items) == 0 && len(n.pairs) == 0 {
		return
	}
	b.a.pending = append(b.a.pending, Fault{
		File: b.file, Line: n.line, Column: n.column, Path: n.path, Message: notEnforced + ": " + what,
		Hint: "it is signed, compared and shown with the rest, and nothing acts on it",
	})
}

// Pending are the clauses that no service acts on yet, in the order of the text.
func (a *Agreement) Pending() []Fault {
	fs := &faults{file: a.file, list: slices.Clone(a.pending)}
	return a.joined.Place(fs.sorted())
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
	for _, p := range b.items(n.get("consent").get("purposes")) {
		b.words.purposes = append(b.words.purposes, p.text)
	}
	b.words.grades = namesOf(n.get("grades"))
	b.words.stages = namesOf(n.get("stages"))
	b.words.personas = append(namesOf(n.get("personas")), Unmatched)
	b.perLead = append(namesOf(n.get("clocks")), namesOf(n.get("records"))...)
	b.promises = append(slices.Clone(b.perLead), namesOf(n.get("obligations"))...)
	b.ladders, b.groups = keysOf(n.get("remedies")), keysOf(n.get("groups"))
	b.promisedAt, b.usedLadders, b.usedGroups = map[string]place{}, map[string]bool{}, map[string]bool{}
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
	b.language.left -= b.language.expanded
	if len(remarks) == 0 {
		c.place, c.path = n.place, n.path
		return c
	}
	places, lines := b.doc.trace(n), lineStarts(n.text)
	for _, r := range remarks {
		at := places[min(lines[min(r.line-1, len(lines)-1)]+max(r.column, 0), len(places)-1)]
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
