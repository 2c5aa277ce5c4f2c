package app

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/leadpact/leadpact/internal/event"
	"github.com/leadpact/leadpact/internal/store"
	"github.com/leadpact/leadpact/internal/store/postgres"
	"github.com/leadpact/leadpact/internal/store/sqlite"
)

// Stores are the stores of the roles that a process has; the others are nil.
type Stores struct {
	Scoring    store.Scoring
	Handoff    store.Handoff
	Compliance store.Compliance
}

// Access is how stores are opened.
type Access int

// The ways to open stores.
const (
	// Work reads and writes. Embedded it migrates; on PostgreSQL the schema must be at the program's version.
	Work Access = iota
	// Migrate brings the schema to the program's version.
	Migrate
	// Look changes nothing.
	Look
)

// OpenStores opens the stores of roles: files in the folder data, or schemas of the database when one is given.
func OpenStores(ctx context.Context, data, database string, roles []string, access Access) (s Stores, err error) {
	defer func() {
		if err != nil {
			_ = s.Close() // the error that is told is the one that led here
			s = Stores{}
		}
	}()
	lite := sqlite.Options{ReadOnly: access == Look}
	pg := postgres.Options{ReadOnly: access == Look, NoMigrate: access == Work}
	file := func(service string) string { return filepath.Join(data, service+".db") }
	for _, role := range roles {
		switch {
		case role == event.Scoring && database == "":
			s.Scoring, err = sqlite.OpenScoring(ctx, file(role), lite)
		case role == event.Scoring:
			s.Scoring, err = postgres.OpenScoring(ctx, database, pg)
		case role == event.Handoff && database == "":
			s.Handoff, err = sqlite.OpenHandoff(ctx, file(role), lite)
		case role == event.Handoff:
			s.Handoff, err = postgres.OpenHandoff(ctx, database, pg)
		case role == event.Compliance && database == "":
			s.Compliance, err = sqlite.OpenCompliance(ctx, file(role), lite)
		case role == event.Compliance:
			s.Compliance, err = postgres.OpenCompliance(ctx, database, pg)
		}
		if err != nil {
			return s, fmt.Errorf("open the store of %s: %w", role, err)
		}
	}
	for service, b := range s.named() {
		if err := b.Ping(ctx); err != nil {
			return s, fmt.Errorf("open the store of %s: %w", service, err)
		}
	}
	return s, nil
}

// Close closes what is open.
func (s Stores) Close() error {
	var first error
	for _, b := range s.named() {
		if err := b.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// named are the open stores by service.
func (s Stores) named() map[string]store.Base {
	out := map[string]store.Base{}
	if s.Scoring != nil {
		out[event.Scoring] = s.Scoring
	}
	if s.Handoff != nil {
		out[event.Handoff] = s.Handoff
	}
	if s.Compliance != nil {
		out[event.Compliance] = s.Compliance
	}
	return out
}
