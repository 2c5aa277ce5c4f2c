package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
)

// believed is how long resolved secrets count: one that is changed or withdrawn takes effect within a second, without a restart.
const believed = time.Second

// door is one source made ready: its proof and its mapping.
type door struct {
	source    *hook.Source
	verifiers []hook.Verifier
	// missing says which of the source's secrets cannot be had; what they sign cannot be told from a forgery.
	missing  error
	resolved time.Time
}

// verify returns nil when one of the source's secrets made the signature.
func (d *door) verify(r *hook.Request, now time.Time) error {
	err := errors.New("the source has no usable secret")
	for _, v := range d.verifiers {
		if err = v.Verify(r, now); err == nil {
			return nil
		}
	}
	return err
}

// doors keeps the doors of the version in force.
type doors struct {
	secret func(string) (string, error)
	logger *slog.Logger

	mu   sync.Mutex
	hash string
	open map[string]*door
}

// of returns the door of a source; nil when the agreement names no such source. Secrets that cannot be had are logged at most
// once in the time that they are believed, so that nobody can flood the log from outside.
func (d *doors) of(a *agreement.Agreement, name string, now time.Time) *door {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hash != a.Hash {
		d.hash, d.open = a.Hash, map[string]*door{}
	}
	found := d.open[name]
	if found != nil && now.Sub(found.resolved).Abs() < believed {
		return found
	}
	s, ok := a.Source(name)
	if !ok {
		return nil
	}
	made := &door{resolved: now}
	if found != nil {
		made.source = found.source
	} else {
		made.source = hook.New(a, s)
	}
	for i, ref := range s.Verify.Secrets {
		v, err := d.resolve(s.Verify, ref)
		if err != nil {
			made.missing = errors.Join(made.missing, fmt.Errorf("secret %d: %w", i+1, err))
			continue
		}
		made.verifiers = append(made.verifiers, v)
	}
	if made.missing != nil {
		d.logger.Error("source lacks a secret", "source", name, "error", made.missing)
	}
	d.open[name] = made
	return made
}

func (d *doors) resolve(v agreement.Verify, ref string) (hook.Verifier, error) {
	secret, err := d.secret(ref)
	if err != nil {
		return nil, err
	}
	return hook.NewVerifier(v.Proof, secret)
}
