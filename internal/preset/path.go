package preset

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Kind says how a step goes on from where it stands.
type Kind uint8

// The kinds of step.
const (
	// Member goes to an object's member by name, or to an array's element by number.
	Member Kind = iota
	// Each goes to every element of an array, or to every member of an object that is an object or array itself.
	Each
	// Items goes to every element of an array; a thing that is no array is the one item.
	Items
	// Where goes to the first element of an array whose member at the dotted Name is the text Value; a thing that is no array is the
	// one element.
	Where
	// Ending goes to the first member whose name ends with Name.
	Ending
	// Like goes to the first member whose whole name matches Pattern.
	Like
	// Key is the name of the member that the last Each over an object came through.
	Key
)

// Step is one step of a path.
type Step struct {
	Kind  Kind
	Name  string
	Value string
	// Pattern of a name, for Like alone.
	Pattern *regexp.Regexp
}

// Path leads to a value in a body: steps with dots between them.
//
//	contact.email                    members, from the event
//	answers.[type=email].email       the first element whose member type is "email"
//	data.[type=user].email           the thing itself, where it is no array, if its member type is "user"
//	[Job Title].[*_email]            a member by its whole name, whatever stands in it; the first whose name ends so
//	answers.[~q\d+_email\d*]         the first member whose whole name matches
//	entry.*.changes.*                every element; for events only
//	lead.[]                          every element, or the one thing that stands there; for events only
//	/meta.action                     from the body instead of the event
//	@key                             the name of the member that an event was found under
//	=form_response                   no path: this text
type Path struct {
	Steps []Step
	// Root says that the path begins at the body, not at the event.
	Root bool
	// Constant is the text itself, when there are no steps.
	Constant string

	text string
}

// String is the path as it was written.
func (p Path) String() string { return p.text }

// ParsePath reads a path. The error says what is wrong with it.
func ParsePath(text string) (Path, error) {
	p := Path{text: text}
	if constant, ok := strings.CutPrefix(text, "="); ok {
		if constant == "" {
			return p, errors.New("nothing stands behind the =")
		}
		p.Constant = constant
		return p, nil
	}
	rest, root := strings.CutPrefix(text, "/")
	p.Root = root
	for {
		step, after, err := parseStep(rest)
		if err != nil {
			return p, err
		}
		p.Steps = append(p.Steps, step)
		if after == "" {
			return p, nil
		}
		if after[0] != '.' {
			return p, fmt.Errorf("a dot belongs before %q", after)
		}
		rest = after[1:]
	}
}

func parseStep(text string) (step Step, rest string, err error) {
	if strings.HasPrefix(text, "[") {
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return step, "", errors.New("a [ has no ]")
		}
		inner, rest := text[1:end], text[end+1:]
		if inner == "" {
			return Step{Kind: Items}, rest, nil
		}
		name, value, found := strings.Cut(inner, "=")
		if ending, ok := strings.CutPrefix(inner, "*"); ok && ending != "" {
			return Step{Kind: Ending, Name: ending}, rest, nil
		}
		if pattern, ok := strings.CutPrefix(inner, "~"); ok && pattern != "" {
			compiled, err := regexp.Compile("^(?:" + pattern + ")$")
			if err != nil {
				return step, "", fmt.Errorf("%q is no pattern", pattern)
			}
			return Step{Kind: Like, Name: pattern, Pattern: compiled}, rest, nil
		}
		if !found {
			return Step{Name: inner}, rest, nil
		}
		if name == "" || value == "" {
			return step, "", errors.New("between [ and ] stands member=value, a whole name, *ending, ~pattern, or nothing")
		}
		return Step{Kind: Where, Name: name, Value: value}, rest, nil
	}
	name, rest := text, ""
	if dot := strings.IndexByte(text, '.'); dot >= 0 {
		name, rest = text[:dot], text[dot:]
		if rest == "." {
			return step, "", errors.New("it ends with a dot")
		}
	}
	switch {
	case name == "":
		return step, "", errors.New("a name is missing between the dots")
	case strings.ContainsAny(name, " \t\r\n"):
		return step, "", errors.New("a name has a blank in it: write it in brackets, as [Job Title]")
	case name == "*":
		return Step{Kind: Each}, rest, nil
	case name == "@key":
		return Step{Kind: Key}, rest, nil
	}
	return Step{Name: name}, rest, nil
}

// Single says that a path leads to one value at most, as all but those of events must.
func (p Path) Single() bool {
	for i, s := range p.Steps {
		if s.Kind == Each || s.Kind == Items || (s.Kind == Key && (i > 0 || len(p.Steps) > 1)) {
			return false
		}
	}
	return true
}

// Index is the step's name as a place in an array; false when it is none.
func (s Step) Index() (int, bool) {
	i, err := strconv.Atoi(s.Name)
	return i, err == nil && i >= 0
}

// Place is where a thing may stand: alternatives, of which the first that is filled counts. The texts of an alternative with several
// paths are joined.
type Place [][]Path

// At is the place of one path.
func At(text string) (Place, error) {
	p, err := ParsePath(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a path: %w", text, err)
	}
	if !p.Single() {
		return nil, fmt.Errorf("%q leads to more than one value", text)
	}
	return Place{{p}}, nil
}

// String is the place in words.
func (p Place) String() string {
	var alternatives []string
	for _, paths := range p {
		var joined []string
		for _, path := range paths {
			joined = append(joined, path.String())
		}
		alternatives = append(alternatives, strings.Join(joined, " + "))
	}
	return strings.Join(alternatives, ", else ")
}

// UnmarshalYAML reads a path, or a list whose items are paths or lists of paths.
func (p *Place) UnmarshalYAML(unmarshal func(any) error) error {
	var raw any
	if err := unmarshal(&raw); err != nil {
		return err
	}
	items, isList := raw.([]any)
	if !isList {
		items = []any{raw}
	}
	*p = nil
	for _, item := range items {
		parts, several := item.([]any)
		if !several {
			parts = []any{item}
		}
		var alternative []Path
		for _, part := range parts {
			text, ok := part.(string)
			if !ok {
				return fmt.Errorf("%v is not a path", part)
			}
			one, err := At(text)
			if err != nil {
				return err
			}
			alternative = append(alternative, one[0]...)
		}
		*p = append(*p, alternative)
	}
	return nil
}

// Paths are alternatives for the events of a body; each may lead to many.
type Paths []Path

// UnmarshalYAML reads a path or a list of them.
func (p *Paths) UnmarshalYAML(unmarshal func(any) error) error {
	var texts []string
	if err := unmarshal(&texts); err != nil {
		var text string
		if unmarshal(&text) != nil {
			return err
		}
		texts = []string{text}
	}
	*p = nil
	for _, text := range texts {
		path, err := ParsePath(text)
		if err != nil {
			return fmt.Errorf("%q is not a path: %w", text, err)
		}
		*p = append(*p, path)
	}
	return nil
}
