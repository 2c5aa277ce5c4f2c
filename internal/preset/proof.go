package preset

import (
	"errors"
	"fmt"
	"strings"
)

// Thing is what a signature may cover, as Signed calls it.
type Thing string

// The things. A literal is text between them.
const (
	Literal   Thing = ""
	TheBody   Thing = "body"
	TheFirst  Thing = "first"
	TheMethod Thing = "method"
	TheURI    Thing = "uri"
	TheTime   Thing = "time"
	TheSecret Thing = "secret"
)

// Piece is a part of what a signature covers.
type Piece struct {
	Thing Thing
	Text  string // of a literal
}

// Signs says that such a proof is a signature of the body: it shows no secret, and covers no headers but its own.
func (k ProofKind) Signs() bool { return k == HMAC || k == Digest || k == StandardWebhook }

// QueryParam is the parameter of the address that carries the secret.
func (p Proof) QueryParam() string {
	if p.Param == "" {
		return "key"
	}
	return p.Param
}

// Covers is what a signature covers, in its order. The error says what is wrong with Signed, and does not repeat it.
func (p Proof) Covers() ([]Piece, error) {
	if p.Signed == "" {
		return []Piece{{Thing: TheBody}}, nil
	}
	var out []Piece
	for rest := p.Signed; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			out = append(out, Piece{Text: before})
		}
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("what is signed has a { without its }")
		}
		switch thing := Thing(name); thing {
		case TheBody, TheFirst, TheMethod, TheURI, TheTime, TheSecret:
			out = append(out, Piece{Thing: thing})
		default:
			return nil, errors.New("what is signed names a thing that is not known: choose of {body}, {first}, {method}, {uri}, {time}")
		}
		rest = behind
	}
	return out, nil
}

// covers says whether a thing is signed.
func (p Proof) covers(t Thing) bool {
	if p.Signed == "" {
		return t == TheBody
	}
	return strings.Contains(p.Signed, "{"+string(t)+"}")
}

// Check says what a proof lacks, before there is a secret.
func (p Proof) Check() error {
	switch p.Kind {
	case HMAC, Digest:
		return p.checkSignature()
	case Header:
		if p.Header == "" {
			return errors.New("the proof names no header for the secret")
		}
		return nil
	case Body:
		if len(p.Path) == 0 {
			return errors.New("the proof names no place in the body for the secret")
		}
		return nil
	case Bearer, Basic, Query, StandardWebhook:
		return nil
	}
	return fmt.Errorf("no proof is called %q", p.Kind)
}

func (p Proof) checkSignature() error {
	digest := p.Kind == Digest
	switch {
	case p.Header == "":
		return errors.New("the proof names no header for the signature")
	case p.Encoding != "" && p.Encoding != "hex" && p.Encoding != "base64":
		return errors.New("the signature is written in hex or base64")
	case p.Algorithm == "sha1" && digest: // nobody should trust a plain one
		return errors.New("a digest is a sha256")
	case p.Algorithm != "" && p.Algorithm != "sha256" && p.Algorithm != "sha1":
		return errors.New("the signature is made with sha256 or sha1")
	}
	if _, err := p.Covers(); err != nil {
		return err
	}
	switch {
	case !p.covers(TheBody) && !p.covers(TheFirst):
		return errors.New("what is signed leaves out the body")
	case digest != p.covers(TheSecret):
		return errors.New("{secret} stands in what a digest covers, and in that of no other proof")
	case p.covers(TheTime) != (p.Time != nil):
		return errors.New("a signed time is named under time, and stands as {time} in what is signed: both or neither")
	case p.Time == nil:
		return nil
	case (p.Time.Header == "") == (p.Time.Part == ""):
		return errors.New("a signed time stands in a header of its own, or is a part of the signature's")
	case p.Time.Part != "" && p.Part == "":
		return errors.New("the time is a part of the signature's header: name the signature's part too")
	}
	return nil
}
