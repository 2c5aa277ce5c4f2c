// Package sealtest signs agreements for tests.
package sealtest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"regexp"
	"testing"

	"github.com/leadpact/leadpact/internal/agreement"
)

// Key is the private key that a name stands for, the same each time.
func Key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("a key of the tests: " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Public is the public key of that name, as agreements write it.
func Public(name string) string {
	public, _ := Key(name).Public().(ed25519.PublicKey)
	return agreement.PublicKey(public)
}

var (
	parties = regexp.MustCompile(`(?m)^parties: .*$`)
	follows = regexp.MustCompile(`(?m)^follows: .*\n`)
)

// Keyed is a text whose parties, on one line, name the keys of "marketing" and "sales".
func Keyed(t testing.TB, text []byte) []byte { return KeyedBy(t, text, "marketing", "sales") }

// KeyedBy is a text whose parties, on one line, name the keys of these names.
func KeyedBy(t testing.TB, text []byte, marketing, sales string) []byte {
	t.Helper()
	if n := len(parties.FindAll(text, -1)); n != 1 {
		t.Fatalf("%d lines begin with parties:, want one", n)
	}
	return parties.ReplaceAll(text, fmt.Appendf(nil, "parties: {marketing: {name: M, key: %q}, sales: {name: S, key: %q}}", Public(marketing), Public(sales)))
}

// Following is a text that names the version that it comes after.
func Following(t testing.TB, text, before []byte) []byte {
	t.Helper()
	a, faults := agreement.Parse("agreement.yaml", before)
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	return append(fmt.Appendf(nil, "follows: %q\n", a.Hash), follows.ReplaceAll(text, nil)...)
}

// Seal is the file of signatures of "marketing" and "sales" on a text.
func Seal(t testing.TB, text []byte) []byte { return SealBy(t, text, "marketing", "sales") }

// SealBy is the file of signatures of these names on a text.
func SealBy(t testing.TB, text []byte, marketing, sales string) []byte {
	t.Helper()
	a, faults := agreement.Parse("agreement.yaml", text)
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	seal := (&agreement.Seal{}).With(agreement.Sign(a, agreement.Marketing, Key(marketing))).With(agreement.Sign(a, agreement.Sales, Key(sales)))
	return seal.Text()
}
