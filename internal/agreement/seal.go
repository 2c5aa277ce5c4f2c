package agreement

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Canonical is the form of a text that is hashed, signed and kept: without a byte-order mark, and with a line feed alone at the end of
// each line, so that the same words have the same hash on every system.
func Canonical(text []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimLeft(text, "\ufeff"), []byte("\r\n"), []byte("\n"))
}

// sealed is what a side signs: its own name and the text's hash, and what for, so that a signature can't be shown for anything else.
func sealed(s Side, hash string) []byte {
	return []byte("leadpact agreement signature v1\n" + string(s) + "\n" + hash + "\n")
}

// Signature is a side's word on a text.
type Signature struct {
	Side Side
	// Key is the public key that it was made with, as agreements write it.
	Key string
	// Value is the Ed25519 signature, 64 bytes.
	Value []byte

	place place // in the file
}

// Sign signs an agreement for a side.
func Sign(a *Agreement, s Side, key ed25519.PrivateKey) Signature {
	public, _ := key.Public().(ed25519.PublicKey) // it is no other
	return Signature{Side: s, Key: PublicKey(public), Value: ed25519.Sign(key, sealed(s, a.Hash))}
}

// by says whether the signature holds for a side and a text, under its own key.
func (g Signature) by(s Side, hash string) bool {
	key, ok := parseKey(g.Key)
	return ok && ed25519.Verify(key, sealed(s, hash), g.Value)
}

// Seal is the signatures on a text, at most one of each side. They stand in a file beside the text, a line each: the side, its public key,
// the signature in base64. Lines that begin with # are comments. It is immutable.
type Seal struct {
	file       string
	signatures []Signature
}

// SealSuffix is what the file of signatures adds to the agreement's name.
const SealSuffix = ".sig"

// What a file of signatures may hold: two lines, and what somebody writes about them.
const (
	maxSealBytes = 64 << 10
	sealLine     = "write SIDE ed25519:KEY SIGNATURE, or let leadpact sign do it"
)

// ParseSeal reads a file of signatures; an empty one holds none. The name stands in faults as the file's. When there are faults the Seal
// is nil. Whether the signatures are good is asked of Verify.
func ParseSeal(name string, text []byte) (*Seal, []Fault) {
	fs := &faults{file: name}
	s := &Seal{file: name}
	if d := (&document{faults: fs}); len(text) > maxSealBytes {
		fs.add(Fault{Message: fmt.Sprintf("the file has %d bytes; signatures have at most %d", len(text), maxSealBytes), Hint: "is it the right file?"})
	} else if d.readable(text) {
		n := 0
		for line := range strings.SplitSeq(string(Canonical(text)), "\n") {
			n++
			if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
				s.read(fs, n, words)
			}
		}
	}
	if list := fs.sorted(); len(list) > 0 {
		return nil, list
	}
	return s, nil
}

// read takes one line in.
func (s *Seal) read(fs *faults, line int, words []string) {
	fault := func(message, hint string) { fs.add(Fault{Line: line, Message: message, Hint: hint}) }
	g := Signature{Side: Side(words[0]), place: place{line, 1}}
	if !slices.Contains(Sides(), g.Side) {
		fault(quote(words[0])+" is neither marketing nor sales", sealLine)
		return
	}
	if len(words) != 3 {
		fault(fmt.Sprintf("a signature is three words; here are %d", len(words)), sealLine)
		return
	}
	if _, ok := parseKey(words[1]); !ok {
		fault(quote(words[1])+" is no public key", sealLine)
		return
	}
	g.Key = words[1]
	value, err := base64.StdEncoding.DecodeString(words[2])
	if err != nil || len(value) != ed25519.SignatureSize || base64.StdEncoding.EncodeToString(value) != words[2] {
		fault("the third word is no signature", "it has 88 characters; sign again with leadpact sign")
		return
	}
	g.Value = value
	for _, earlier := range s.signatures {
		if earlier.Side == g.Side {
			fault(fmt.Sprintf("%s signs twice", g.Side), fmt.Sprintf("its first signature is in line %d; keep one", earlier.place.line))
			return
		}
	}
	s.signatures = append(s.signatures, g)
}

// With is the seal with a side's signature added, or put in the place of its former one.
func (s *Seal) With(g Signature) *Seal {
	out := &Seal{file: s.file}
	for _, side := range Sides() {
		if side == g.Side {
			out.signatures = append(out.signatures, g)
		} else if kept, ok := s.Of(side); ok {
			out.signatures = append(out.signatures, kept)
		}
	}
	return out
}

// Of is a side's signature; false when it has not signed.
func (s *Seal) Of(side Side) (Signature, bool) {
	for _, g := range s.signatures {
		if g.Side == side {
			return g, true
		}
	}
	return Signature{}, false
}

// Text is the file of the signatures, without what somebody wrote about them.
func (s *Seal) Text() []byte {
	var b bytes.Buffer
	for _, side := range Sides() {
		if g, ok := s.Of(side); ok {
			_, _ = fmt.Fprintf(&b, "%s %s %s\n", g.Side, g.Key, base64.StdEncoding.EncodeToString(g.Value))
		}
	}
	return b.Bytes()
}

// ErrKeysDropped: the version before was signed, and this one could not be.
var ErrKeysDropped = errors.New("the version that it follows names the keys of both sides and this one names none: write them into its parties, and let both sign")

// FollowsError refuses a text in the place in which somebody would have it.
type FollowsError struct {
	// Says is the hash that it names; empty for none. Last is that of the version that it would come after.
	Says, Last string
}

func (e *FollowsError) Error() string {
	says := "it does not say which version it follows"
	if e.Says != "" {
		says = "it follows the version " + e.Says + ", which is not the last one"
	}
	return fmt.Sprintf("%s: write the line follows: %q into it, and let both sign", says, e.Last)
}

// Trusted are the parties whose keys seal a text that follows before, which is nil for the first: those of before once it names keys, so
// that nobody changes a key by himself, and else those of the text. They have no keys when the text need not be signed. What follows a
// version with keys must name it, or it is a FollowsError: else an older text, signed by both and given up, could take its place.
func (a *Agreement) Trusted(before *Agreement) (Parties, error) {
	if before == nil {
		return a.Parties, nil
	}
	if before.Parties.Sign() && !a.Parties.Sign() {
		return Parties{}, ErrKeysDropped
	}
	if a.Follows != before.Hash && (a.Follows != "" || before.Parties.Sign()) {
		return Parties{}, &FollowsError{Says: a.Follows, Last: before.Hash}
	}
	if before.Parties.Sign() {
		return before.Parties, nil
	}
	return a.Parties, nil
}

// hashForm is how a version is named.
var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (b *builder) readFollows(n *node) {
	if hash := b.text(n); hash == "" || hashForm.MatchString(hash) {
		b.a.Follows = hash
		return
	}
	b.at(n, "this is no hash of a version", "write the 64 characters that leadpact versions prints before the title; leadpact check prints a file's")
}

// Verify finds what is wrong with the signatures on an agreement, of which both sides' keys are trusted. The faults stand in the file
// of the signatures.
func (s *Seal) Verify(a *Agreement, trusted Parties) []Fault {
	fs := &faults{file: s.file}
	for _, side := range Sides() {
		key := trusted.Of(side).Key
		g, ok := s.Of(side)
		message, hint := "", ""
		switch {
		case !ok:
			message, hint = fmt.Sprintf("%s has not signed", side), fmt.Sprintf("leadpact sign FILE --as %s --key KEYFILE", side)
		case g.Key != key && g.Key == trusted.Of(side.other()).Key:
			message, hint = fmt.Sprintf("the signature of %s was made with the key of %s", side, side.other()), "each side signs with its own key: "+key
		case g.Key != key:
			message, hint = fmt.Sprintf("the signature of %s was made with another key than the one that counts", side), "sign with the key "+key
		case g.by(side.other(), a.Hash):
			message, hint = fmt.Sprintf("the signature of %s was given for %s", side, side.other()), "sign again with --as "+string(side)
		case !g.by(side, a.Hash):
			message, hint = fmt.Sprintf("the signature of %s is of another text, or was changed", side), "sign this text, whose hash is "+a.Hash
		}
		if message != "" {
			fs.add(Fault{Line: g.place.line, Column: g.place.column, Message: message, Hint: hint})
		}
	}
	return fs.sorted()
}
