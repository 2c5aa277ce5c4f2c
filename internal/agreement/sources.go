package agreement

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/leadpact/leadpact/internal/preset"
)

var (
	fieldForm  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	secretForm = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:[^\s]+)$`)
	pathForm   = regexp.MustCompile(`^(=.+|/?([^.\s\[]+|\[[^\]]*\])(\.([^.\s\[]+|\[[^\]]*\]))*)$`)
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
		b.a.Sources = append(b.a.Sources, b.readSource(p.key, v))
	}
}

func (b *builder) readSource(name, v *node) Source {
	s := Source{
		Name:    name.text,
		Channel: b.ref(v.get("channel"), "channel", b.words.channels),
		History: b.flag(v.get("history")),
		Witness: b.flag(v.get("witness")),
		own:     b.readMap(v.get("map")),
	}
	from := b.readPreset(name, v)
	s.Tool = from
	s.Map = s.own.Over(from.Map)
	switch {
	case v.get("verify") != nil:
		b.hushed(func() { s.Verify = b.readVerify(v.get("verify")) })
	case from.Name != "":
		b.hushed(func() { s.Verify = Verify{Proof: from.Proof, Secrets: b.secrets(v.get("secret"), name)} })
	}
	if n := v.get("accounts"); n != nil {
		for _, item := range b.items(n) {
			s.Accounts = append(s.Accounts, b.text(item))
		}
		if from.Name != "" && len(from.Account) == 0 {
			b.at(n, "bodies of "+quote(from.Name)+" do not say whose account they come from", "leave accounts out")
		}
	} else if from.Closed {
		b.at(name, "the accounts of "+quote(from.Name)+" that may post are missing", "write accounts: [ID]; "+from.Title+" shows the id")
	}
	if n := b.fields(v.get("limit"), &limitShape); n != nil {
		s.Limit = Limit{PerSecond: b.amount(b.need(n, "per_second"))}
		s.Limit.Burst = max(1, int(math.Ceil(s.Limit.PerSecond)))
		if burst := n.get("burst"); burst != nil {
			s.Limit.Burst = b.count(burst, 1_000_000)
		}
	}
	if n := b.fields(v.get("fetch"), &fetchShape); n != nil {
		b.hushed(func() {
			if token := b.need(n, "token"); token != nil {
				s.Fetch = b.secret(token)
			}
		})
		if from.Name != "" && from.Map.Fetch == "" {
			b.at(v.get("fetch"), "bodies of "+quote(from.Name)+" are whole: nothing is fetched", "leave fetch out")
		}
	}
	if s.History && from.IDHeader != "" {
		b.at(v.get("history"), "history comes in batches, and Standard Webhooks has none", "let a source with format json bring it")
	}
	return s
}

// hushed reads what a secret may stand in by mistake: whatever is wrong there, no fault shows the line.
func (b *builder) hushed(read func()) {
	before := len(b.list)
	read()
	for i := before; i < len(b.list); i++ {
		b.list[i].Secret = true
	}
}

// readPreset reads the one of preset: and format: that stands there, and what may stand beside it.
func (b *builder) readPreset(name, v *node) preset.Preset {
	format, named := v.get("format"), v.get("preset")
	var word string
	switch {
	case format != nil && named != nil:
		b.at(format, "a source has a format or a preset, not both", "keep the preset")
		return preset.Preset{}
	case named != nil:
		word = b.oneOf(named, "preset", preset.Names()...)
		if (v.get("secret") == nil) == (v.get("verify") == nil) {
			b.at(named, "a source with a preset has a secret, or verify where another proof is wanted", "write secret: env:NAME")
		}
	case format != nil:
		word = b.oneOf(format, "format", plainFormats()...)
		b.need(v, "verify")
		if n := v.get("secret"); n != nil {
			b.at(n, "with format the secret stands under verify", "write verify: {bearer: env:NAME}, or use preset instead of format")
		}
	default:
		b.at(name, "the preset is missing: which tool posts here", "write preset: NAME, one of "+strings.Join(preset.Names(), ", ")+"; or format: json with verify")
	}
	if word == "" {
		return preset.Preset{}
	}
	p, err := preset.ByName(word)
	if err != nil {
		b.at(v, err.Error(), "")
	}
	return p
}

// plainFormats are the presets that are no tool.
func plainFormats() []string { return []string{"json", "form", "standard-webhooks", "cloudevents"} }

// readVerify reads the one proof of a source: its kind with a secret, or with the secret and its form.
func (b *builder) readVerify(n *node) Verify {
	n = b.fields(n, &verifyShape)
	if n == nil {
		return Verify{}
	}
	if len(n.pairs) != 1 {
		b.at(n, "verify names one proof", "write one of "+strings.Join(verifyShape.names(), ", "))
		return Verify{}
	}
	kind, value := n.pairs[0].key, n.pairs[0].value
	v := Verify{Proof: preset.Proof{Kind: preset.ProofKind(kind.text)}}
	if v.Kind == preset.HMAC {
		v.Header, v.Encoding, v.Algorithm = "X-Signature", "hex", "sha256"
	}
	if v.Kind == preset.Query {
		v.Param = "key"
	}
	shape, detailed := proofShapes()[v.Kind]
	if !detailed || value.kind != mapping {
		if v.Kind == preset.Header || v.Kind == preset.Body {
			b.at(value, string(v.Kind)+" needs a secret and where it stands", "write "+string(v.Kind)+": {secret: env:NAME, …}")
			return v
		}
		v.Secrets = b.secrets(value, kind)
		return v
	}
	before := len(b.list)
	b.fields(value, shape)
	v.Secrets = b.secrets(b.need(value, "secret"), value)
	if v.Kind == preset.Header {
		b.need(value, "header")
	}
	if v.Kind == preset.Body {
		v.Path = b.place(b.need(value, "path"))
	}
	b.readSignature(value, &v.Proof)
	if err := v.Check(); err != nil && len(b.list) == before {
		b.at(value, err.Error(), "docs/webhooks.md says what each proof needs")
	}
	return v
}

// readSignature reads what a proof says of itself beside its secret.
func (b *builder) readSignature(value *node, v *preset.Proof) {
	header := func(n *node) string {
		s := b.text(n)
		if s != "" && !headerForm.MatchString(s) {
			b.at(n, quote(s)+" is not the name of a header", "write it as X-Signature")
		}
		return s
	}
	if n := value.get("header"); n != nil {
		v.Header = header(n)
	}
	if n := value.get("param"); n != nil {
		v.Param = b.text(n)
	}
	if n := value.get("encoding"); n != nil {
		v.Encoding = b.oneOf(n, "encoding", "hex", "base64")
	}
	if n := value.get("prefix"); n != nil {
		v.Prefix = b.text(n)
	}
	if n := value.get("algorithm"); n != nil {
		v.Algorithm = b.oneOf(n, "algorithm", "sha256", "sha1")
	}
	if n := value.get("part"); n != nil {
		v.Part = b.text(n)
	}
	if n := b.fields(value.get("time"), &stampShape); n != nil {
		v.Time = &preset.Stamp{Millis: b.flag(n.get("millis"))}
		if h := n.get("header"); h != nil {
			v.Time.Header = header(h)
		}
		if p := n.get("part"); p != nil {
			v.Time.Part = b.text(p)
		}
		if (v.Time.Header == "") == (v.Time.Part == "") {
			b.at(n, "the signed time stands in a header of its own, or in a part of the signature's", "write header: or part:")
		}
	}
	if n := value.get("signed"); n != nil {
		v.Signed = b.text(n)
		if !strings.Contains(v.Signed, "{body}") && !strings.Contains(v.Signed, "{first}") {
			b.at(n, "a signature that does not cover the body proves nothing", "write {body} where the body stands in what is signed")
		}
		if strings.Contains(v.Signed, "{time}") != (v.Time != nil) {
			b.at(n, "{time} and time: belong together", "say under time: where the signed time stands")
		}
	}
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

func (b *builder) readMap(n *node) preset.Mapping {
	if n == nil || n.kind == null {
		return preset.Mapping{}
	}
	if b.fields(n, &mapShape) == nil {
		return preset.Mapping{}
	}
	m := preset.Mapping{
		Events: b.paths(n.get("events")), ID: b.place(n.get("id")), Kind: b.place(n.get("kind")),
		OccurredAt: b.place(n.get("occurred_at")), Email: b.place(n.get("email")), ExternalID: b.place(n.get("external_id")),
		Name: b.place(n.get("name")), Phone: b.place(n.get("phone")), Channel: b.place(n.get("channel")),
		Rep: b.place(n.get("rep")), Reason: b.place(n.get("reason")), Outcome: b.place(n.get("outcome")),
		Mode: b.place(n.get("mode")), Confidence: b.place(n.get("confidence")),
	}
	if fields := n.get("fields"); fields != nil && b.isMapping(fields, "map.fields") {
		m.Fields = map[string]preset.Place{}
		for _, p := range fields.pairs {
			m.Fields[b.ref(p.key, "field", b.fieldNames)] = b.place(p.value)
		}
	}
	if consent := n.get("consent"); consent != nil && b.isMapping(consent, "map.consent") {
		m.Consent = map[string]preset.Place{}
		for _, p := range consent.pairs {
			m.Consent[p.key.text] = b.place(p.value)
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

// place is where a thing may stand: a path, or a list of paths of which the first that is filled counts; an inner list's texts are
// joined.
func (b *builder) place(n *node) preset.Place {
	if n == nil || n.kind == null {
		return nil
	}
	var out preset.Place
	for _, item := range b.items(n) {
		var alternative []preset.Path
		for _, part := range b.items(item) {
			path, ok := b.path(part)
			if ok && !path.Single() {
				b.at(part, quote(path.String())+" leads to more than one value", "name the one that counts, by its number or with [member=value]")
				continue
			}
			if ok {
				alternative = append(alternative, path)
			}
		}
		if len(alternative) > 0 {
			out = append(out, alternative)
		}
	}
	return out
}

func (b *builder) paths(n *node) preset.Paths {
	if n == nil || n.kind == null {
		return nil
	}
	var out preset.Paths
	for _, item := range b.items(n) {
		if path, ok := b.path(item); ok {
			out = append(out, path)
		}
	}
	return out
}

func (b *builder) path(n *node) (preset.Path, bool) {
	s := strings.TrimSpace(b.text(n))
	if s == "" {
		return preset.Path{}, false
	}
	p, err := preset.ParsePath(s)
	if err != nil {
		b.at(n, fmt.Sprintf("%s is not a path: %v", quote(s), err), "write the keys with dots between them, as contact.properties.email")
		return preset.Path{}, false
	}
	return p, true
}
