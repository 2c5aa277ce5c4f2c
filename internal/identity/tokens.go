package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// prefix lets scanners find a token that leaked.
const prefix = "lp_"

var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Entry is one token as a file keeps it: never the token itself. It has 256 random bits, so a plain hash is enough.
type Entry struct {
	Person string `json:"person"`
	Role   Role   `json:"role"`
	SHA256 string `json:"sha256"`
}

// Tokens says whose a token is. It is safe for concurrent use.
type Tokens struct {
	mu      sync.RWMutex
	entries []Entry
	people  map[[sha256.Size]byte]Person
}

// NewTokens takes entries; an unknown role or a hash of another form is an error.
func NewTokens(entries []Entry) (*Tokens, error) {
	t := &Tokens{people: map[[sha256.Size]byte]Person{}}
	for _, e := range entries {
		if err := t.add(e); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Load reads a token file; a missing one holds nobody.
func Load(path string) (*Tokens, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return NewTokens(nil)
	}
	if err != nil {
		return nil, fmt.Errorf("read the token file: %w", err)
	}
	var entries []Entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("token file %s is not a JSON list of {person, role, sha256}: %w", path, err)
	}
	return NewTokens(entries)
}

// Issue makes a token for p and returns it: it is shown once and kept nowhere.
func (t *Tokens) Issue(p Person) (string, error) {
	token := mint()
	sum := sha256.Sum256([]byte(token))
	return token, t.add(Entry{Person: p.ID, Role: p.Role, SHA256: hex.EncodeToString(sum[:])})
}

// Save writes the entries to path, readable by its owner alone, so that a reader sees the old file or the new one.
func (t *Tokens) Save(path string) error {
	t.mu.RLock()
	data, err := json.MarshalIndent(t.entries, "", "  ")
	t.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("write the token file: %w", err)
	}
	return WriteFile(path, append(data, '\n'), 0o600)
}

// WriteFile puts a file on disk, whole or not at all; a secret with the mode 0600.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode) // it was made for its owner alone
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Who returns the token's person. The lookup is by hash, so its time says nothing about tokens that exist.
func (t *Tokens) Who(token string) (Person, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p, ok := t.people[sha256.Sum256([]byte(token))]
	return p, ok
}

func (t *Tokens) add(e Entry) error {
	if !slices.Contains([]Role{Rep, Manager, Admin}, e.Role) || e.Person == "" {
		return fmt.Errorf("token of %q has role %q: roles are rep, manager, admin", e.Person, e.Role)
	}
	raw, err := hex.DecodeString(e.SHA256)
	if err != nil || len(raw) != sha256.Size {
		return fmt.Errorf("token of %q: sha256 is not 64 hex digits", e.Person)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, e)
	t.people[[sha256.Size]byte(raw)] = Person{ID: e.Person, Role: e.Role}
	return nil
}

// mint makes a token: prefix, 256 random bits, and a checksum that tells a typing error from a wrong token.
func mint() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	sum := crc32.ChecksumIEEE(raw[:])
	return prefix + alphabet.EncodeToString(append(raw[:], byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)))
}

// WellFormed says whether s could be a token of ours at all.
func WellFormed(s string) bool {
	body, ok := strings.CutPrefix(s, prefix)
	raw, err := alphabet.DecodeString(body)
	if !ok || err != nil || len(raw) != 36 {
		return false
	}
	sum := crc32.ChecksumIEEE(raw[:32])
	return [4]byte(raw[32:]) == [4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
}
