package agreement

import (
	"fmt"
	"slices"
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
		for _, item := range b.items(v.get("promises")) {
			served[item.text] = true
			if owner := b.owes(item.text); slices.Contains(s.Promises, item.text) && owner != "" && s.Party != "" && owner != s.Party {
				b.at(item, fmt.Sprintf("%s promises %s, and %s does this service", owner, quote(item.text), s.Party),
					fmt.Sprintf("name it in a service of %s, or name here what %s promises", owner, s.Party))
			}
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

// owes is the side that makes a promise: clocks are sales', records and obligations name theirs. Empty when nobody is known to.
func (b *builder) owes(promise string) Side {
	for _, c := range b.a.Clocks {
		if c.Name == promise {
			return Sales
		}
	}
	for _, r := range b.a.Records {
		if r.Name == promise {
			return r.Party
		}
	}
	for _, o := range b.a.Obligations {
		if o.Name == promise {
			return o.Party
		}
	}
	return ""
}

func (a *Agreement) sayServices() Section {
	s := Section{Title: "What each side does for the other"}
	for _, v := range a.Services {
		s.add(v.Name, v.Name, nil, Fact{"", v.Says}, Fact{"by", string(v.Party)}, Fact{"stages", strings.Join(v.Stages, ", ")}, Fact{"measured by", strings.Join(v.Promises, ", ")})
	}
	return s
}
