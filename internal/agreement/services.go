package agreement

import (
	"fmt"
	"strings"
)

// Service is what a side does for the other.
type Service struct {
	Name     string
	Party    Side
	Says     string
	Stages   []string
	Promises []string
}

func (b *builder) readServices(n *node) {
	served := map[string]bool{}
	for _, p := range b.entries(n, "services") {
		v := b.fields(p.value, &serviceShape)
		if v == nil {
			continue
		}
		s := Service{
			Name: p.key.text, Party: b.side(b.need(v, "party")), Says: b.prose(b.need(v, "says")),
			Stages: b.refs(v.get("stages"), "stage", b.words.stages), Promises: b.refs(b.need(v, "promises"), "promise", b.promises),
		}
		if list := v.get("promises"); list != nil && len(b.items(list)) == 0 {
			b.at(list, fmt.Sprintf("nothing measures the service %s", quote(s.Name)), "name a clock, a record or an obligation")
		}
		for _, name := range s.Promises {
			served[name] = true
		}
		b.a.Services = append(b.a.Services, s)
	}
	if len(b.a.Services) == 0 {
		return
	}
	for _, o := range b.a.Obligations {
		if at, ok := b.promisedAt[o.Name]; ok && !served[o.Name] {
			b.add(Fault{
				Line: at.line, Column: at.column, Path: "obligations." + o.Name, Message: fmt.Sprintf("no service has the obligation %s", quote(o.Name)),
				Hint: "name it among the promises of the service that it measures",
			})
		}
	}
}

func (a *Agreement) sayServices() Section {
	s := Section{Title: "What each side does for the other"}
	for _, v := range a.Services {
		s.add(v.Name, v.Name, nil, Fact{"", v.Says}, Fact{"by", string(v.Party)}, Fact{"stages", strings.Join(v.Stages, ", ")}, Fact{"measured by", strings.Join(v.Promises, ", ")})
	}
	return s
}
