package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/identity"
)

type keygenCommand struct {
	Out string `required:"" help:"File for the private key, readable by you alone; it must not exist." placeholder:"KEYFILE"`
}

// Run writes the private key and prints the public one.
func (c *keygenCommand) Run() error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: choose another name, for a key that is written over is lost", c.Out)
	}
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	err = pem.Encode(f, &pem.Block{Type: keyType, Bytes: der})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	_, err = fmt.Println(agreement.PublicKey(public))
	return err
}

// keyType is how PEM calls PKCS #8, in which keys are kept.
const keyType = "PRIVATE KEY"

func readKey(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != keyType {
		return nil, fmt.Errorf("%s holds no private key: leadpact keygen makes one", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s holds no key that can be read: leadpact keygen makes one", file)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds another kind of key than Ed25519: leadpact keygen makes one", file)
	}
	return private, nil
}

type signCommand struct {
	File  string `arg:"" help:"Agreement."`
	As    string `required:"" help:"Side that signs: marketing or sales." enum:"marketing,sales"`
	Key   string `required:"" help:"File of the side's private key, from leadpact keygen." placeholder:"KEYFILE"`
	Out   string `help:"File of signatures; FILE.sig unless given. The other side's signature in it stays." placeholder:"FILE.sig"`
	After string `help:"Version that it comes after: it must name that one, and be signed with the keys that are named there." placeholder:"FILE"`
}

// Run signs after the agreement was checked, and the key.
func (c *signCommand) Run() error {
	a, err := readAgreement(c.File)
	if err != nil {
		return err
	}
	key, err := readKey(c.Key)
	if err != nil {
		return err
	}
	var before *agreement.Agreement
	if c.After != "" {
		if before, err = readAgreement(c.After); err != nil {
			return err
		}
	}
	trusted, err := a.Trusted(before)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	side := agreement.Side(c.As)
	g := agreement.Sign(a, side, key)
	switch party := trusted.Of(side); {
	case party.Key == "":
		return fmt.Errorf("%s names no keys to sign with: write %s as {name: %s, key: %q}, and the other side alike", c.File, side, party.Name, g.Key)
	case party.Key != g.Key:
		return fmt.Errorf("%s is not the key that signs for %s: it is %s, and the agreement names %s; when this version changes the key, the one before it signs (--after FILE)",
			c.Key, side, g.Key, party.Key)
	}
	if c.Out == "" {
		c.Out = c.File + agreement.SealSuffix
	}
	text, err := os.ReadFile(c.Out)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the signatures: %w", err)
	}
	seal, faults := agreement.ParseSeal(c.Out, text)
	if len(faults) > 0 {
		return showFaults([]agreement.File{{Name: c.Out, Text: text}}, faults)
	}
	seal = seal.With(g)
	if err := identity.WriteFile(c.Out, seal.Text(), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s signed %q, version %s, hash %s\n", side, a.Title, a.Version, a.Hash)
	left := seal.Verify(a, trusted)
	for _, f := range left {
		fmt.Println("still to do:", f.Error())
	}
	if len(left) == 0 {
		fmt.Printf("both have signed: %s\n", c.Out)
	}
	return nil
}
