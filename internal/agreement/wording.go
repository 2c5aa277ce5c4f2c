package agreement

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
)

// hintMark parts a message from its hint where CEL has room for one text only.
const hintMark = "\x00"

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	mismatch   = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*?)\.?\((.*)\)'`)
	wanted     = regexp.MustCompile(`^expected type '([^']*)' but found '([^']*)'`)
	expecting  = regexp.MustCompile(` expecting \{.*$| expecting .*$`)
)

// explain turns CEL's messages into words for people who do not know CEL.
func (l *language) explain(d dialect, text string, issues *cel.Issues) []remark {
	var out []remark
	for _, e := range issues.Errors() {
		r := remark{line: max(e.Location.Line(), 1), column: max(e.Location.Column(), 0)}
		if message, hint, ok := strings.Cut(e.Message, hintMark); ok {
			r.message, r.hint = message, hint
		} else {
			l.word(&r, d, text, e.Message)
		}
		out = append(out, r)
		if strings.HasPrefix(e.Message, "Syntax error") {
			break // the parser's further guesses follow from the first
		}
	}
	return out
}

func (l *language) word(r *remark, d dialect, text, message string) {
	if m := undeclared.FindStringSubmatch(message); m != nil {
		l.wordUndeclared(r, d, text, m[1])
		return
	}
	if m := mismatch.FindStringSubmatch(message); m != nil {
		wordMismatch(r, m[1], m[2], m[3])
		return
	}
	if m := wanted.FindStringSubmatch(message); m != nil {
		r.message = "here belongs " + typeWord(m[1]) + ", and this is " + typeWord(m[2])
		return
	}
	if rest, ok := strings.CutPrefix(message, "Syntax error: "); ok {
		r.message = "the condition cannot be read: " + strings.ReplaceAll(expecting.ReplaceAllString(rest, ""), "'<EOF>'", "the end")
		r.hint = `write it as score >= 50 && lead.country == "DE"`
		return
	}
	r.message = message
}

// wordUndeclared names what the author wrote: CEL says only "lead" of lead.emplyees.
func (l *language) wordUndeclared(r *remark, d dialect, text, name string) {
	if before := textBefore(text, *r); strings.HasSuffix(before, name) {
		r.column -= utf8.RuneCountInString(name) // CEL points at the bracket of a call
	} else if subject, _, ok := strings.Cut(name, "."); ok && strings.HasSuffix(before, subject) {
		r.column -= utf8.RuneCountInString(subject) // and at the dot of a member
	}
	name, _, _ = strings.Cut(name, ".")
	switch {
	case (name == "lead" || name == "touch") && name != d.subject, d.subject == "touch" && slices.Contains(leadWords, name):
		r.message, r.hint = name+" cannot be looked at here", "a rule with 'when' looks at the lead, one with 'on' at touch.kind, touch.source, touch.channel and touch.<field>"
	case name == d.subject:
		field := memberAt(text, *r, name)
		if field == "" {
			r.message, r.hint = name+" stands alone", "name a field: "+name+".<field>"
			return
		}
		r.message, r.hint = "no field is named "+quote(field), choose(field, d.members)
	case operator(name) != "":
		r.message = "conditions have no operator '" + operator(name) + "'"
	case strings.HasPrefix(name, "_") || strings.HasPrefix(name, "@"):
		r.message = "conditions have no " + quote(strings.Trim(name, "_@"))
	case l.declares(name):
		r.message, r.hint = quote(name)+" is a field", "write "+d.subject+"."+name
	default:
		r.message, r.hint = "nothing here is named "+quote(name), choose(name, d.words)
	}
}

func (l *language) declares(field string) bool {
	_, ok := l.types[field]
	return ok
}

// operator is how people write the operator that CEL has under this name, or "".
func operator(name string) string {
	op, _ := operators.FindReverse(name)
	return op
}

// textBefore is what stands in the line before the remark.
func textBefore(text string, r remark) string {
	line := []rune(strings.Split(text, "\n")[min(r.line-1, strings.Count(text, "\n"))])
	return string(line[:min(r.column, len(line))])
}

// memberAt is the word after "name." where the remark points.
func memberAt(text string, r remark, name string) string {
	lines := strings.Split(text, "\n")
	if r.line > len(lines) {
		return ""
	}
	line := []rune(lines[r.line-1])
	rest := string(line[min(r.column, len(line)):])
	rest, ok := strings.CutPrefix(rest, name)
	if !ok {
		return ""
	}
	rest, ok = strings.CutPrefix(strings.TrimSpace(rest), ".")
	if !ok {
		return ""
	}
	rest = strings.TrimSpace(rest)
	end := strings.IndexFunc(rest, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
	if end < 0 {
		end = len(rest)
	}
	return rest[:end]
}

func wordMismatch(r *remark, function, target, args string) {
	words := strings.Split(args, ", ")
	for i, w := range words {
		words[i] = typeWord(w)
	}
	if op := operator(function); op != "" {
		switch {
		case len(words) == 2 && function == operators.In:
			r.message = "'in' looks for " + words[0] + " in " + words[1]
		case len(words) == 2 && (function == operators.LogicalAnd || function == operators.LogicalOr):
			r.message = "'" + op + "' joins " + words[0] + " and " + words[1]
			r.hint = "both sides must be true or false"
		case len(words) == 2:
			r.message = "'" + op + "' stands between " + words[0] + " and " + words[1]
			r.hint = "both sides must be of one type"
		default:
			r.message = "'" + op + "' does not go with " + strings.Join(words, " and ")
		}
		return
	}
	r.message = function + " does not go with " + strings.Join(words, " and ")
	if target != "" {
		r.message = function + " of " + typeWord(target) + " does not go with " + strings.Join(words, " and ")
	}
}

func typeWord(t string) string {
	switch t {
	case "string":
		return "a text"
	case "double", "int", "uint":
		return "a number"
	case "bool":
		return "a flag"
	case "null":
		return "null"
	case "dyn":
		return "anything"
	}
	if strings.HasPrefix(t, "list(") {
		return "a list"
	}
	return "a value of type " + t
}
