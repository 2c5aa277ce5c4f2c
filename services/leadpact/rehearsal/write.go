package rehearsal

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// widest is how much of a value stands on a line, in characters.
const widest = 60

// Write tells a person. The error is that of w.
func (a Answer) Write(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s, %s, at %s\n\n", a.Source, a.Preset, a.At.UTC().Format("Mon 2006-01-02 15:04:05 UTC"))
	fmt.Fprintf(&out, "  proof     %s\n", a.Proof.words())
	fmt.Fprintf(&out, "  read as   %s\n", shown(a.Media))
	fmt.Fprintf(&out, "  result    %s\n", a.result())
	a.writeEvents(&out)
	for _, bad := range a.Bad {
		fmt.Fprintf(&out, "  refused   event %d, %s: %s\n", bad.Index+1, shown(bad.ID), bad.Detail)
	}
	for _, o := range a.Omitted {
		fmt.Fprintf(&out, "  left out  event %d: %s\n", o.Index+1, o.Why)
	}
	if len(a.Empty) > 0 && len(a.Events) > 0 {
		fmt.Fprintf(&out, "  empty     %s\n", strings.Join(a.Empty, ", "))
	}
	_, err := w.Write(out.Bytes())
	return err
}

func (p Proof) words() string {
	switch {
	case p.Holds:
		return fmt.Sprintf("%s, it holds", p.Kind)
	case p.Checked:
		return fmt.Sprintf("%s, it fails: %s", p.Kind, p.Why)
	}
	return fmt.Sprintf("%s, not checked: %s", p.Kind, p.Why)
}

func (a Answer) result() string {
	if a.Proof.Checked && !a.Proof.Holds {
		return "refused for its proof; what follows is what would become of it otherwise" + a.also()
	}
	if a.Refused != "" {
		return "refused: " + a.Refused
	}
	if !a.Taken() {
		return "refused: no event of it can be taken"
	}
	said := fmt.Sprintf("taken: %s", counted(len(a.Events), "event"))
	if n := len(a.Bad); n > 0 {
		said += fmt.Sprintf(", %d refused", n)
	}
	if n := len(a.Omitted); n > 0 {
		said += fmt.Sprintf(", %d left out", n)
	}
	return said
}

// also is what else is wrong with what fails for its proof.
func (a Answer) also() string {
	if a.Refused != "" {
		return "\n            refused: " + a.Refused
	}
	return ""
}

// writeEvents writes the events as one table.
func (a Answer) writeEvents(out *bytes.Buffer) {
	if len(a.Events) == 0 {
		return
	}
	name, value := 0, 0
	for _, e := range a.Events {
		for _, f := range e.Facts {
			name, value = max(name, utf8.RuneCountInString(f.Name)), max(value, utf8.RuneCountInString(f.text()))
		}
	}
	fmt.Fprintf(out, "\n  %5s  %-*s  %-*s  %s\n", "event", name, "what", value, "value", "from")
	for i, e := range a.Events {
		number := fmt.Sprint(i + 1)
		for _, f := range e.Facts {
			line := fmt.Sprintf("  %5s  %-*s  %-*s  %s", number, name, f.Name, value, f.text(), f.From)
			fmt.Fprintln(out, strings.TrimRight(line, " "))
			number = ""
		}
	}
	fmt.Fprintln(out)
}

func (f Fact) text() string { return shown(fmt.Sprint(f.Value)) }

// shown is a text of the sender as it may stand in a terminal: on one line, without what would command the terminal, and not too long.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || (unicode.IsSpace(r) && r != ' ') {
			return ' '
		}
		return r
	}, s)
	if all := []rune(s); len(all) > widest {
		return string(all[:widest-1]) + "…"
	}
	return s
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
