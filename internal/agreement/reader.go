package agreement

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leadpact/leadpact/internal/calendar"
)

// reader takes values out of the tree. A value that is absent (nil) or faulty reads as the zero value; its fault is already
// in the list, so callers go on and find the next.
type reader struct {
	*faults
	doc *document
}

// nameForm is what names look like: they become parts of addresses and labels of metrics.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// fields checks that n is a mapping with no other keys than those of the shape and returns it; nil when it is no mapping.
func (r *reader) fields(n *node, s *shape) *node {
	if !r.isMapping(n, s.what) {
		return nil
	}
	n.what = s.what
	for _, p := range n.pairs {
		if !slices.ContainsFunc(s.keys, func(m member) bool { return m.key == p.key.text }) {
			r.at(p.key, fmt.Sprintf("%s has no key %q", s.what, p.key.text), r.choose(p.key.text, s.names()))
		}
	}
	return n
}

func (r *reader) isMapping(n *node, what string) bool {
	if n == nil {
		return false
	}
	if n.kind != mapping {
		r.at(n, what+" is written as keys with values", "write key: value lines, indented below the name")
		return false
	}
	return true
}

// need is the value of a key that must be there; nil and a fault when it is not.
func (r *reader) need(n *node, key string) *node {
	if n == nil {
		return nil
	}
	v := n.get(key)
	if v == nil || v.kind == null {
		at := n
		if v != nil {
			at = v
		}
		r.at(at, fmt.Sprintf("%s needs %s", n.what, key), "")
		return nil
	}
	return v
}

// entries are the pairs of a mapping whose keys are names of the writer's choice.
func (r *reader) entries(n *node, what string) []pair {
	if n == nil || n.kind == null || !r.isMapping(n, what) {
		return nil
	}
	var out []pair
	for _, p := range n.pairs {
		if r.goodName(p.key) {
			out = append(out, p)
		}
	}
	return out
}

// items are the values of a list; a single value stands for a list of one.
func (r *reader) items(n *node) []*node {
	switch {
	case n == nil || n.kind == null:
		return nil
	case n.kind == list:
		return n.items
	}
	return []*node{n}
}

// rows are the items of a list of mappings.
func (r *reader) rows(n *node, what string) []*node {
	if n == nil || n.kind == null {
		return nil
	}
	if n.kind != list {
		r.at(n, what+" is a list", "begin each entry with a dash")
		return nil
	}
	return n.items
}

func (r *reader) goodName(n *node) bool {
	if nameForm.MatchString(n.text) {
		return true
	}
	r.at(n, fmt.Sprintf("%s is not a name", quote(n.text)), "use up to 63 letters, digits, - and _, and begin with a letter or digit")
	return false
}

// name is a declared name, unique among the names seen.
func (r *reader) name(n *node, seen map[string]place) string {
	s := r.text(n)
	if s == "" || !r.goodName(n) {
		return ""
	}
	if first, ok := seen[s]; ok {
		r.beside(n, fmt.Sprintf("the name %q is taken", s), elsewhere+" has it; names are unique", first.line)
		return s
	}
	seen[s] = n.place
	return s
}

// text is a text of one or more characters on one line.
func (r *reader) text(n *node) string {
	text := r.lines(n)
	if n != nil && n.style == block && strings.Contains(text, "\n") {
		r.at(n, "a text of one line belongs here", "write it beside its key")
		return ""
	}
	return text
}

// lines are a text of one or more characters.
func (r *reader) lines(n *node) string {
	if n == nil {
		return ""
	}
	switch {
	case n.kind != scalar:
		r.at(n, "a text belongs here", "")
		return ""
	case strings.TrimSpace(n.text) == "":
		r.at(n, "the text is empty", "")
		return ""
	case utf8.RuneCountInString(n.text) > 500:
		r.at(n, "the text is longer than 500 characters", "")
		return ""
	}
	return n.text
}

// ref is a name that must be among the declared ones.
func (r *reader) ref(n *node, what string, declared []string) string {
	s := r.text(n)
	if s != "" && !slices.Contains(declared, s) {
		r.at(n, fmt.Sprintf("no %s is named %s", what, quote(s)), r.choose(s, declared))
		return ""
	}
	return s
}

// refs are names that must be among the declared ones, each once.
func (r *reader) refs(n *node, what string, declared []string) []string {
	var out []string
	for _, item := range r.items(n) {
		s := r.ref(item, what, declared)
		if s == "" {
			continue
		}
		if slices.Contains(out, s) {
			r.at(item, fmt.Sprintf("%q stands twice in the list", s), "keep one")
			continue
		}
		out = append(out, s)
	}
	return out
}

// oneOf is a word of the language.
func (r *reader) oneOf(n *node, what string, words ...string) string {
	s := r.text(n)
	if s != "" && !slices.Contains(words, s) {
		r.at(n, fmt.Sprintf("%s is no %s", quote(s), what), r.choose(s, words))
		return ""
	}
	return s
}

func (r *reader) flag(n *node) bool {
	if n == nil {
		return false
	}
	if n.kind != scalar || n.style != plain || n.text != "true" && n.text != "false" {
		r.at(n, "true or false belongs here", "")
	}
	return n.text == "true"
}

// number is a finite number within ±1 000 000.
func (r *reader) number(n *node) float64 {
	if n == nil {
		return 0
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if n.kind != scalar || n.style != plain || err != nil || math.Abs(f) > 1e6 || math.IsNaN(f) {
		r.at(n, "a number between -1000000 and 1000000 belongs here", "")
		return 0
	}
	return f
}

// count is a whole number from 1 to most; 1 when n is absent or faulty.
func (r *reader) count(n *node, most int) int {
	if n == nil {
		return 1
	}
	v, err := strconv.Atoi(n.text)
	if n.kind != scalar || n.style != plain || err != nil || v < 1 || v > most {
		r.at(n, fmt.Sprintf("a whole number from 1 to %d belongs here", most), "")
		return 1
	}
	return v
}

// amount is a number above 0 and at most a trillion; 0 when n is absent or faulty.
func (r *reader) amount(n *node) float64 {
	if n == nil {
		return 0
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if n.kind != scalar || n.style != plain || err != nil || !(f > 0) || f > 1e12 {
		r.at(n, "a number above 0 belongs here", "write it without separators: 120000")
		return 0
	}
	return f
}

// day is a date; the zero Date when n is absent or faulty.
func (r *reader) day(n *node) calendar.Date {
	if n == nil {
		return calendar.Date{}
	}
	day, _ := r.date(n, map[calendar.Date]place{})
	return day
}

// timeOfDay is a time between 00:00 and 23:59; 00:00 when n is absent or faulty.
func (r *reader) timeOfDay(n *node) calendar.Clock {
	if n == nil {
		return 0
	}
	at, err := calendar.ParseClock(n.text)
	if n.kind != scalar || err != nil || time.Duration(at)*time.Second >= 24*time.Hour {
		r.at(n, quote(n.text)+" is no time of day", "write it as 09:30")
		return 0
	}
	return at
}

// percent reads 80 or 80%.
func (r *reader) percent(n *node, least, most int) int {
	if n == nil {
		return least
	}
	v, err := strconv.Atoi(strings.TrimSuffix(n.text, "%"))
	if n.kind != scalar || err != nil || v < least || v > most {
		r.at(n, fmt.Sprintf("a whole percentage from %d to %d belongs here", least, most), "write 80 or 80%")
		return least
	}
	return v
}

// duration reads 90s, 5m, 24h, 30d, 2w or several of them, as 1h30m. It is positive; 0 stands for absent or faulty.
func (r *reader) duration(n *node) time.Duration {
	if n == nil {
		return 0
	}
	d, ok := time.Duration(0), false
	if n.kind == scalar {
		d, ok = parseDuration(n.text)
	}
	if !ok {
		r.at(n, "a length of time belongs here", "write 90s, 5m, 24h, 30d or 2w")
		return 0
	}
	if d <= 0 || d > longest {
		r.at(n, "the length of time must be more than nothing and at most 10 years", "")
		return 0
	}
	return d
}

// longest is as far as promises reach; calendars are compiled for their horizon and not for ever.
const longest = 3650 * 24 * time.Hour

var units = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

func parseDuration(s string) (time.Duration, bool) {
	var sum time.Duration
	for before := longest; s != ""; {
		digits := 0
		for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits > 9 || digits == len(s) {
			return 0, false
		}
		count, err := strconv.Atoi(s[:digits])
		unit := units[s[digits]]
		if err != nil || unit == 0 || unit >= before {
			return 0, false
		}
		if time.Duration(count) > 2*longest/unit {
			return 2 * longest, true
		}
		sum += time.Duration(count) * unit
		before, s = unit, s[digits+1:]
		if s == "" {
			return sum, true
		}
	}
	return 0, false
}

// quote shows a word of the file, shortened when it is long.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}
