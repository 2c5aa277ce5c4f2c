package agreement

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	fieldForm  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	secretForm = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:[^\s]+)$`)
	pathForm   = regexp.MustCompile(`^[^.\s]+(\.[^.\s]+)*$`)
	headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
)

// notFields are names that conditions cannot tell from something else.
var notFields = []string{
	"kind", "source", "channel", // of touches
	"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
	"package", "namespace", "return", "var", "void", "while",
}

// ownSources are the services; what they make carries their name as its source.
var ownSources = []string{"ingest", "scoring", "handoff", "compliance", "console"}

func (b *builder) readFields(n *node) {
	if n == nil || n.kind == null || !b.isMapping(n, "fields") {
		return
	}
	for _, p := range n.pairs {
		f := Field{Name: p.key.text}
		switch {
		case !fieldForm.MatchString(f.Name):
			b.at(p.key, quote(f.Name)+" is not a name of a field", "use lower-case letters, digits and _, and begin with a letter")
			continue
		case slices.Contains(notFields, f.Name):
			b.at(p.key, quote(f.Name)+" has another meaning in conditions", "choose another name, as lead_"+f.Name)
			continue
		}
		kind := p.value
		if p.value.kind == mapping {
			b.fields(p.value, &fieldShape)
			kind = b.need(p.value, "type")
			f.Precedence = b.refs(p.value.get("precedence"), "source", b.words.sources)
			b.pending(p.value.get("ask"), "questions")
			f.Ask = b.prose(p.value.get("ask"))
		}
		f.Type = FieldType(b.oneOf(kind, "type of a field", string(Text), string(Number), string(Flag)))
		b.a.Fields = append(b.a.Fields, f)
	}
}

func (b *builder) readSources(n *node) {
	pairs := b.entries(n, "sources")
	if n != nil && n.kind == mapping && len(n.pairs) == 0 {
		b.at(n, "an agreement needs a source", "name where leads come from")
	}
	for _, p := range pairs {
		if slices.Contains(ownSources, p.key.text) {
			b.at(p.key, quote(p.key.text)+" is the name of one of leadpact's own services", "choose another name")
		}
		v := b.fields(p.value, &sourceShape)
		if v == nil {
			continue
		}
		s := Source{
			Name:    p.key.text,
			Format:  Format(b.oneOf(b.need(v, "format"), "format", string(JSON), string(StandardWebhooks))),
			Verify:  b.readVerify(b.need(v, "verify")),
			Map:     b.readMap(v.get("map")),
			Channel: b.ref(v.get("channel"), "channel", b.words.channels),
			History: b.flag(v.get("history")),
			Witness: b.flag(v.get("witness")),
		}
		if s.History && s.Format == StandardWebhooks {
			b.at(v.get("history"), "history comes in batches, and Standard Webhooks has none", "let a source with format json bring it")
		}
		b.a.Sources = append(b.a.Sources, s)
	}
}

// readVerify reads the one proof of a source: bearer: SECRET, standard-webhooks: SECRET, or hmac: with its secret and form.
func (b *builder) readVerify(n *node) Verify {
	before := len(b.list)
	defer func() {
		for i := before; i < len(b.list); i++ {
			b.list[i].Secret = true // whatever is wrong here, a secret may stand in the line
		}
	}()
	n = b.fields(n, &verifyShape)
	if n == nil {
		return Verify{}
	}
	if len(n.pairs) != 1 {
		b.at(n, "verify names one proof", "write one of hmac, bearer, standard-webhooks")
		return Verify{}
	}
	v := Verify{Kind: VerifyKind(n.pairs[0].key.text)}
	value := n.pairs[0].value
	if v.Kind != HMAC {
		v.Secrets = b.secrets(value, n.pairs[0].key)
		return v
	}
	v.Header, v.Encoding, v.Algorithm = "X-Signature", "hex", "sha256"
	if value.kind != mapping {
		v.Secrets = b.secrets(value, n.pairs[0].key)
		return v
	}
	b.fields(value, &hmacShape)
	v.Secrets = b.secrets(b.need(value, "secret"), value)
	if h := value.get("header"); h != nil {
		if v.Header = b.text(h); v.Header != "" && !headerForm.MatchString(v.Header) {
			b.at(h, quote(v.Header)+" is not the name of a header", "write it as X-Signature")
		}
	}
	if e := value.get("encoding"); e != nil {
		v.Encoding = b.oneOf(e, "encoding", "hex", "base64")
	}
	if p := value.get("prefix"); p != nil {
		v.Prefix = b.text(p)
	}
	if a := value.get("algorithm"); a != nil {
		v.Algorithm = b.oneOf(a, "algorithm", "sha256", "sha1")
	}
	return v
}

// secrets reads one or two references. What stands there instead of a reference may be a secret, so no fault repeats it.
func (r *reader) secrets(n, at *node) []string {
	if n == nil {
		return nil
	}
	items := r.items(n)
	if len(items) < 1 || len(items) > 2 {
		r.at(at, "one secret belongs here, or two while they are changed over", "write env:NAME or file:PATH")
		return nil
	}
	var out []string
	for _, item := range items {
		if s := r.secret(item); s != "" {
			out = append(out, s)
		}
	}
	if len(out) == 2 && out[0] == out[1] {
		r.at(items[1], "both secrets are the same", "keep one")
	}
	return out
}

func (r *reader) secret(n *node) string {
	if n.kind == scalar && secretForm.MatchString(n.text) {
		return n.text
	}
	r.add(Fault{
		Line: n.line, Column: n.column, Path: n.path, Secret: true,
		Message: "a reference to a secret belongs here, never the secret itself",
		Hint:    "write env:NAME for an environment variable or file:PATH for a file; if this was a secret, change it",
	})
	return ""
}

func (b *builder) readMap(n *node) Mapping {
	if n == nil || n.kind == null {
		return Mapping{}
	}
	if b.fields(n, &mapShape) == nil {
		return Mapping{}
	}
	m := Mapping{
		Events: b.path(n.get("events")), ID: b.path(n.get("id")), Kind: b.path(n.get("kind")),
		OccurredAt: b.path(n.get("occurred_at")), Email: b.path(n.get("email")), ExternalID: b.path(n.get("external_id")),
		Name: b.path(n.get("name")), Phone: b.path(n.get("phone")), Channel: b.path(n.get("channel")),
		Rep: b.path(n.get("rep")), Reason: b.path(n.get("reason")),
	}
	if fields := n.get("fields"); fields != nil && b.isMapping(fields, "map.fields") {
		m.Fields = map[string]string{}
		for _, p := range fields.pairs {
			m.Fields[b.ref(p.key, "field", b.fieldNames)] = b.path(p.value)
		}
	}
	if outcomes := n.get("outcomes"); outcomes != nil && b.isMapping(outcomes, "map.outcomes") {
		m.Outcomes = map[string]string{}
		for _, p := range outcomes.pairs {
			if v := b.oneOf(p.value, "outcome", outcomeKinds()...); v != "" {
				m.Outcomes[p.key.text] = v
			}
		}
	}
	return m
}

// outcomeKinds are what a source may report: everything but a rejection, which asks the rep for a reason of the agreement.
func outcomeKinds() []string {
	return slices.DeleteFunc(Kinds(), func(k string) bool { return k == Rejected })
}

// path is a dotted path into a JSON body.
func (b *builder) path(n *node) string {
	s := b.text(n)
	if s != "" && !pathForm.MatchString(s) {
		b.at(n, fmt.Sprintf("%s is not a path", quote(s)), "write the keys with dots between them, as contact.properties.email")
		return ""
	}
	return strings.TrimSpace(s)
}
