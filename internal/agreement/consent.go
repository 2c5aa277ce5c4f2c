package agreement

import "slices"

// Contact is the purpose that no agreement declares: who withdraws it is not contacted.
const Contact = "contact"

// Consent is what people are asked to allow. What was never said is not granted.
type Consent struct {
	Purposes []string
	// Needed are those of them without which a lead is not handed off.
	Needed []string
}

func (b *builder) readConsent(n *node) {
	v := b.fields(n, &consentShape)
	if v == nil {
		return
	}
	seen := map[string]place{}
	purposes := b.need(v, "purposes")
	for _, item := range b.items(purposes) {
		switch name := b.name(item, seen); name {
		case "":
		case Contact:
			b.at(item, quote(Contact)+" is there without being named: who withdraws it is not contacted", "take it out")
		default:
			b.a.Consent.Purposes = append(b.a.Consent.Purposes, name)
		}
	}
	if purposes != nil && purposes.kind == list && len(purposes.items) == 0 {
		b.at(purposes, "consent without a purpose asks for nothing", "name what people allow: purposes: [marketing]")
	}
	b.a.Consent.Needed = b.refs(v.get("needed"), "purpose", b.words.purposes)
}

func (a *Agreement) sayConsent() Section {
	s := Section{Title: "What people allow"}
	for _, p := range a.Consent.Purposes {
		s.add(p, "consent to "+p, nil, Fact{"needed for a handoff", yes(slices.Contains(a.Consent.Needed, p))})
	}
	return s
}
