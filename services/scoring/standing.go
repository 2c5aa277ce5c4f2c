package scoring

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/leadpact/leadpact/internal/store"
)

// Standing is where one lead stands, without anything that differs between two stores that were told the same: no row ids, no
// recorded times, no clock.
type Standing struct {
	// Key is the smallest of the lead's identifiers, "" when it has none.
	Key string
	// Lead is the lead's id, which depends on the installation's key.
	Lead  string
	Stage string
	Cycle uint32
	// Knowledge is what lead.Knowledge.Marshal writes.
	Knowledge []byte
}

// EachStanding calls f for every lead, in order of lead id, from one snapshot.
func EachStanding(ctx context.Context, s store.Scoring, f func(Standing) error) error {
	return s.EachLead(ctx, func(row store.Lead, identifiers []string, _ []store.FactRow) error {
		state, k, readable, err := remember(row)
		if err != nil {
			return err
		}
		if !readable {
			return fmt.Errorf("read what is known of lead %s: another version of the program wrote it", row.ID)
		}
		knowledge, err := k.Marshal()
		if err != nil {
			return err
		}
		out := Standing{Lead: row.ID, Stage: state.Stage, Cycle: state.Cycle, Knowledge: knowledge}
		if len(identifiers) > 0 {
			out.Key = slices.Min(identifiers)
		}
		return f(out)
	})
}

// Digest is one hash over every lead's key, stage, cycle and knowledge: equal for two stores, of whatever engine, that were told the
// same.
func Digest(ctx context.Context, s store.Scoring) (string, error) {
	var all [][]byte
	err := EachStanding(ctx, s, func(one Standing) error {
		h := sha256.New()
		for _, part := range [][]byte{[]byte(one.Key), []byte(one.Stage), []byte(number(one.Cycle)), one.Knowledge} {
			_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash never fails
		}
		all = append(all, h.Sum(nil))
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("digest what is known of leads: %w", err)
	}
	// Lead ids differ between installations, so their order says nothing.
	slices.SortFunc(all, bytes.Compare)
	sum := sha256.Sum256(bytes.Join(all, nil))
	return hex.EncodeToString(sum[:]), nil
}
