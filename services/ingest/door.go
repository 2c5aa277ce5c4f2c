package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/internal/hook"
)

// believed is how long resolved secrets count: one that is changed or withdrawn takes effect within a second, without a restart.
const believed = time.Second

// door is one source made ready: its proof, its mapping and its bounds.
type door struct {
	source    *hook.Source
	verifiers hook.Any
	secrets   []string // those of the verifiers
	agreement string   // its hash
	// missing says which of the source's secrets cannot be had; what they sign cannot be told from a forgery.
	missing  error
	resolved time.Time
	share    *share
	bucket   *rate.Limiter // nil without a limit
}

// doors keeps the doors of the version in force.
type doors struct {
	secret     func(string) (string, error)
	logger     *slog.Logger
	partitions int

	mu     sync.Mutex
	hash   string
	open   map[string]*door
	bounds map[string]*bounds // of every source that was asked for; they outlive versions and doors
}

// bounds are what a source may use.
type bounds struct {
	share  *share
	limit  agreement.Limit
	bucket *rate.Limiter
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
	b := d.boundsOf(s)
	made := &door{agreement: a.Hash, resolved: now, share: b.share, bucket: b.bucket}
	if found != nil {
		made.source = found.source
	} else {
		made.source = hook.New(a, s)
	}
	for i, ref := range s.Verify.Secrets {
		secret, err := d.secret(ref)
		var v hook.Verifier
		if err == nil {
			v, err = hook.NewVerifier(s.Verify.Proof, secret)
		}
		if err != nil {
			made.missing = errors.Join(made.missing, fmt.Errorf("secret %d: %w", i+1, err))
			continue
		}
		made.verifiers, made.secrets = append(made.verifiers, v), append(made.secrets, secret)
	}
	if made.missing != nil {
		d.logger.Error("source lacks a secret", "source", name, "error", made.missing)
	}
	d.open[name] = made
	return made
}

// boundsOf keeps what a source has in hand, and its bucket for as long as its limit is the same.
func (d *doors) boundsOf(s agreement.Source) *bounds {
	b := d.bounds[s.Name]
	if b == nil {
		b = &bounds{share: newShare(d.partitions)}
		d.bounds[s.Name] = b
	}
	if b.limit != s.Limit {
		b.limit, b.bucket = s.Limit, nil
		if s.Limit.PerSecond > 0 {
			b.bucket = rate.NewLimiter(rate.Limit(s.Limit.PerSecond), s.Limit.Burst)
		}
	}
	return b
}

// prove returns nil when r is the source's.
func (d *door) prove(r *hook.Request, now time.Time) *Problem {
	err := d.verifiers.Verify(r, now)
	switch {
	case err == nil:
		return nil
	case d.missing != nil: // the missing secret may be the one that signed: a 401 would make the sender give up
		return notSetUp()
	}
	return unsigned(err.Error())
}

// empty says how long it takes until the source may post again; 0 when it may now.
func (d *door) empty(now time.Time) time.Duration {
	if d.bucket == nil {
		return 0
	}
	missing := 1 - d.bucket.TokensAt(now)
	return time.Duration(max(0, missing) / float64(d.bucket.Limit()) * float64(time.Second))
}

// spend takes one request from what the source may post. It is false when there is none.
func (d *door) spend(now time.Time) bool { return d.bucket == nil || d.bucket.AllowN(now, 1) }
