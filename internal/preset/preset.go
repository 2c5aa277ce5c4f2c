// Package preset knows the tools that marketing uses: for each a file that says how it proves itself, how its bodies are written, and
// where in them a lead stands. PURE: the files are part of the program.
package preset

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed files/*.yaml
var files embed.FS

// Format is how bodies are written.
type Format string

// The formats.
const (
	JSON        Format = "json"
	Form        Format = "form" // application/x-www-form-urlencoded or multipart/form-data
	XML         Format = "xml"
	CloudEvents Format = "cloudevents"
)

// Preset is one tool.
type Preset struct {
	// Name is how an agreement calls it, and the name of its file.
	Name string `yaml:"-"`
	// Title is the tool's name for people.
	Title string `yaml:"title"`
	// Extends names the preset that this one is like, but for what stands here.
	Extends string `yaml:"extends"`
	// Formats are those that it may use, told apart by the media type; the first is the usual one.
	Formats []Format `yaml:"formats"`
	// Proof is how it proves itself unless the agreement says otherwise.
	Proof Proof `yaml:"proof"`
	// Secret says in words what the secret is and where the tool shows it.
	Secret string `yaml:"secret"`
	// Account is where a body says whose account it comes from. Agreements may list those that are taken, and must when Closed.
	Account Place `yaml:"account"`
	Closed  bool  `yaml:"closed"`
	// Challenge is how the tool asks whether the address is ours: "", "meta", "linkedin", "cloudevents".
	Challenge string `yaml:"challenge"`
	// IDHeader carries the sender's id of the request; it counts only where the proof covers it.
	IDHeader string  `yaml:"id_header"`
	Map      Mapping `yaml:"map"`
	Answer   Answer  `yaml:"answer"`
}

// Answer is what the tool wants to hear of a request that was taken; zero is 202 with the ids.
type Answer struct {
	Status int    `yaml:"status"`
	Type   string `yaml:"type"`
	Body   string `yaml:"body"`
	// Standing answers with the stage, score and owner of the one lead that was posted, to be written back onto it.
	Standing bool `yaml:"standing"`
}

// ProofKind is how a sender proves itself.
type ProofKind string

// The proofs.
const (
	// HMAC is a signature of the body in a header.
	HMAC ProofKind = "hmac"
	// Digest is HubSpot's older way: a plain SHA-256 of a text in which the secret stands.
	Digest ProofKind = "digest"
	// Bearer is a token in the header Authorization.
	Bearer ProofKind = "bearer"
	// Basic is user:password in the header Authorization.
	Basic ProofKind = "basic"
	// Header is the secret itself as the value of a header.
	Header ProofKind = "header"
	// Query is the secret in the address: ?key=SECRET.
	Query ProofKind = "query"
	// Body is the secret in the body.
	Body ProofKind = "body"
	// StandardWebhook is standardwebhooks.com, v1 and v1a.
	StandardWebhook ProofKind = "standard-webhooks"
)

// Proof is how a sender proves itself with a secret.
type Proof struct {
	Kind ProofKind `yaml:"kind"`
	// Header carries the signature (hmac, digest) or the secret (header).
	Header string `yaml:"header"`
	// Param of the address carries the secret (query).
	Param string `yaml:"param"`
	// Path in the body leads to the secret (body).
	Path Place `yaml:"path"`
	// Algorithm of an HMAC: sha256 or sha1.
	Algorithm string `yaml:"algorithm"`
	// Encoding of the signature: hex or base64.
	Encoding string `yaml:"encoding"`
	// Prefix stands before the signature.
	Prefix string `yaml:"prefix"`
	// Signed is what the signature covers, a text with {body}, {method}, {uri}, {time}, {secret}, {first} in it; "" is {body}. {first}
	// is the first element of a body that is an array, else the body.
	Signed string `yaml:"signed"`
	// Part is the signature's name in a header of several parts, t=…,v1=….
	Part string `yaml:"part"`
	// Time is where the signed time stands; nil when none is signed.
	Time *Stamp `yaml:"time"`
}

// Stamp is the time that a signature covers. It may lie five minutes from ours.
type Stamp struct {
	Header string `yaml:"header"`
	// Part is its name in the signature's header.
	Part string `yaml:"part"`
	// Millis says that it counts milliseconds since 1970, not seconds.
	Millis bool `yaml:"millis"`
}

// Mapping says where in a body each thing stands.
type Mapping struct {
	// Unpack names members of the body whose text is JSON; they are read as such.
	Unpack []string `yaml:"unpack"`
	// Events lead to the events of a body; the first that exists counts. None is: the body is the event.
	Events Paths `yaml:"events"`
	// Only lets events in, Skip leaves them out; what is left out is acknowledged and counted.
	Only []Test `yaml:"only"`
	Skip []Test `yaml:"skip"`

	ID         Place `yaml:"id"`
	Kind       Place `yaml:"kind"`
	OccurredAt Place `yaml:"occurred_at"`
	Email      Place `yaml:"email"`
	ExternalID Place `yaml:"external_id"`
	Name       Place `yaml:"name"`
	Phone      Place `yaml:"phone"`
	Channel    Place `yaml:"channel"`
	Rep        Place `yaml:"rep"`
	Reason     Place `yaml:"reason"`
	Mode       Place `yaml:"mode"`
	Confidence Place `yaml:"confidence"`
	// Outcome leads to a word of the sender that Outcomes turns into one of ours; with no Outcomes it is ours already.
	Outcome Place `yaml:"outcome"`
	// Outcomes by the sender's word for the outcome, or by its kind of event.
	Outcomes map[string]string `yaml:"outcomes"`
	// Fields by declared name.
	Fields map[string]Place `yaml:"fields"`
	// Any are patterns of paths for the declared fields that Fields has not; {name} is the field's name.
	Any []string `yaml:"any"`
	// Purposes lead to the object in which such flags stand, by their purposes; what is no object there says nothing that can be kept.
	Purposes Place `yaml:"purposes"`
	// Consent leads to a flag for each purpose; true grants, false withdraws.
	Consent map[string]Place `yaml:"consent"`
	// Objections lead to a flag for each purpose; true withdraws, and false says nothing, for not to object is no consent.
	Objections map[string]Place `yaml:"objections"`
	// Withdrawals and Grants are kinds of event that withdraw or grant a purpose.
	Withdrawals map[string]string `yaml:"withdrawals"`
	Grants      map[string]string `yaml:"grants"`
	// Fetch names how the rest of a thin event is had: "" or "hubspot-contact". External id is what is asked for.
	Fetch string `yaml:"fetch"`
}

// Test looks at one place of an event.
type Test struct {
	At Place    `yaml:"at"`
	Is []string `yaml:"is"`
	// Why says in words why an event is left out.
	Why string `yaml:"why"`
}

// Over takes from m what it has, and the rest from base.
func (m Mapping) Over(base Mapping) Mapping {
	place := func(dst *Place, src Place) {
		if len(src) > 0 {
			*dst = src
		}
	}
	out := base
	for _, p := range []struct {
		dst *Place
		src Place
	}{
		{&out.ID, m.ID}, {&out.Kind, m.Kind}, {&out.OccurredAt, m.OccurredAt}, {&out.Email, m.Email}, {&out.ExternalID, m.ExternalID},
		{&out.Name, m.Name}, {&out.Phone, m.Phone}, {&out.Channel, m.Channel}, {&out.Rep, m.Rep}, {&out.Reason, m.Reason},
		{&out.Mode, m.Mode}, {&out.Confidence, m.Confidence}, {&out.Outcome, m.Outcome},
	} {
		place(p.dst, p.src)
	}
	out.Events = append(slices.Clone(m.Events), base.Events...)
	if len(m.Outcomes) > 0 {
		out.Outcomes = m.Outcomes
	}
	if len(m.Fields) > 0 {
		out.Fields = maps.Clone(base.Fields)
		if out.Fields == nil {
			out.Fields = map[string]Place{}
		}
		maps.Copy(out.Fields, m.Fields)
	}
	if len(m.Consent) > 0 {
		out.Consent = m.Consent
	}
	if len(m.Objections) > 0 {
		out.Objections = m.Objections
	}
	return out
}

// Names are all presets, sorted.
func Names() []string {
	found, err := fs.Glob(files, "files/*.yaml")
	if err != nil {
		return nil // the pattern is good
	}
	for i, name := range found {
		found[i] = strings.TrimSuffix(path.Base(name), ".yaml")
	}
	slices.Sort(found)
	return found
}

// ByName reads a preset. It fails for a name that is none of Names.
func ByName(name string) (Preset, error) { return read(files, name) }

func read(from fs.FS, name string) (Preset, error) {
	text, err := fs.ReadFile(from, "files/"+name+".yaml")
	if err != nil {
		return Preset{}, fmt.Errorf("there is no preset %q", name)
	}
	p := Preset{}
	var like struct {
		Extends string `yaml:"extends"`
	}
	if err := yaml.Unmarshal(text, &like); err != nil {
		return p, fmt.Errorf("preset %s: %w", name, err)
	}
	var proof Proof // of the one that it is like: one proof or another, never a mixture
	if like.Extends != "" {
		if p, err = read(from, like.Extends); err != nil {
			return p, fmt.Errorf("preset %s extends another: %w", name, err)
		}
		proof, p.Proof = p.Proof, Proof{}
	}
	if err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict()); err != nil {
		return p, fmt.Errorf("preset %s: %w", name, err)
	}
	if p.Proof.Kind == "" {
		p.Proof = proof
	}
	p.Name = name
	return p, nil
}
