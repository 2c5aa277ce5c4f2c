package agreement

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
)

// Side is one of the two that promise each other something.
type Side string

// The sides.
const (
	Marketing Side = "marketing"
	Sales     Side = "sales"
)

// Sides are both, in the order of the document.
func Sides() []Side { return []Side{Marketing, Sales} }

// other is the side across the table.
func (s Side) other() Side {
	if s == Marketing {
		return Sales
	}
	return Marketing
}

// Of is who answers for a side.
func (p Parties) Of(s Side) Party {
	if s == Marketing {
		return p.Marketing
	}
	return p.Sales
}

// Sign says whether the parties sign with keys.
func (p Parties) Sign() bool { return p.Marketing.Key != "" && p.Sales.Key != "" }

// keyMark begins a public key, so that another kind of key can come beside it.
const keyMark = "ed25519:"

// PublicKey writes a key as the agreement names it.
func PublicKey(key ed25519.PublicKey) string { return keyMark + base64.StdEncoding.EncodeToString(key) }

// parseKey reads what PublicKey wrote; there is one way to write a key.
func parseKey(s string) (ed25519.PublicKey, bool) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, keyMark))
	if err != nil || len(raw) != ed25519.PublicKeySize || PublicKey(raw) != s {
		return nil, false
	}
	return raw, true
}

func (b *builder) readParties(n *node) {
	v := b.fields(n, &partiesShape)
	if v == nil {
		return
	}
	at := map[Side]*node{} // the keys
	for _, side := range Sides() {
		var p Party
		if p, at[side] = b.readParty(b.need(v, string(side))); side == Marketing {
			b.a.Parties.Marketing = p
		} else {
			b.a.Parties.Sales = p
		}
	}
	for _, side := range Sides() {
		if party := v.get(string(side)); party != nil && party.kind != null && at[side] == nil && at[side.other()] != nil {
			b.at(party, fmt.Sprintf("%s names a key and %s does not", side.other(), side), "leadpact keygen makes one; both sides sign, or neither does")
		}
	}
	if p := b.a.Parties; p.Sign() && p.Marketing.Key == p.Sales.Key {
		b.at(at[Sales], "both sides have the same key", "leadpact keygen makes another: nobody signs for both")
	}
}

// readParty reads a name, or a name with a role and a key, and says where the key stands; nil when there is none.
func (b *builder) readParty(n *node) (p Party, key *node) {
	if n == nil || n.kind != mapping {
		p.Name = b.text(n)
		return p, nil
	}
	v := b.fields(n, &partyShape)
	p.Name = b.text(b.need(v, "name"))
	p.Role = b.text(v.get("role"))
	key = v.get("key")
	if p.Key = b.text(key); p.Key != "" {
		if _, ok := parseKey(p.Key); !ok {
			b.at(key, quote(p.Key)+" is no public key", "write what leadpact keygen printed: ed25519: and 44 characters")
			p.Key = ""
		}
	}
	return p, key
}

// say is a party in words.
func (p Party) say(s Side) Clause {
	return Clause{Key: string(s), Subject: "who answers for " + string(s), Facts: []Fact{{"", p.Name}, {"role", p.Role}, {"key", p.Key}}}
}
